using LlmGateway.Billing;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

public sealed class OwnerPlacesTests
{
    [Fact]
    public void Who_has_as_many_as_it_may_gets_no_further_one_until_one_is_given_back_and_others_have_their_own()
    {
        var (places, one, other) = (new OwnerPlaces(most: 2), Guid.NewGuid(), Guid.NewGuid());

        places.Take(one);
        places.Take(other);
        Assert.Empty(places.Full);
        places.Take(one);
        Assert.Equal([one], places.Full);

        Assert.True(places.GiveBack(one));
        Assert.Empty(places.Full);
        Assert.False(places.GiveBack(one));
        Assert.False(places.GiveBack(other));
        places.Take(one);
        Assert.Empty(places.Full);
    }
}
