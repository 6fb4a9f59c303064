using LlmGateway.Webhooks;
using Xunit;

namespace LlmGateway.UnitTests.Webhooks;

public sealed class OwnerSlotsTests
{
    [Fact]
    public void An_owner_has_so_many_more_requests_and_another_one_has_their_own()
    {
        var (slots, one, other) = (new OwnerSlots(), Guid.NewGuid(), Guid.NewGuid());

        Assert.Equal([7, 7, 7, 7, 4, 0], Enumerable.Range(0, 6).Select(_ => slots.Take(one, 7)));
        Assert.Equal(7, slots.Take(other, 7));
        slots.GiveBack(one, 4);
        Assert.Equal(4, slots.Take(one, 7));
        Assert.Equal(0, slots.Take(one, -1));
    }
}
