using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

/// <summary>Proxies are updated after the ledger, one after the other.</summary>
public sealed class LeaseAnswerTests
{
    sealed record Before(ulong Dry, DateTimeOffset? Until);

    [Fact]
    public void A_proxy_of_the_version_before_reads_which_sources_are_used_up_and_when_lots_expire()
    {
        var end = new DateTimeOffset(2026, 12, 1, 0, 0, 0, TimeSpan.Zero);
        var said = JsonSerializer.Serialize(new LeaseAnswer([1], null) { UsedUp = 2, LotsExpireAt = end }, Defaults.Json);

        Assert.Equal(new Before(2, end), JsonSerializer.Deserialize<Before>(said, Defaults.Json));
        var read = JsonSerializer.Deserialize<LeaseAnswer>(said, Defaults.Json)!;
        Assert.Equal((2UL, end), (read.UsedUp, read.LotsExpireAt));
    }
}
