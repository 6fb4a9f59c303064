using LlmGateway.Sessions.ResponseState;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>How many responses are kept; what leaves for a new one is in the database's tests.</summary>
public sealed class ResponseBoundsTests
{
    [Theory]
    [InlineData(24, 100, true), InlineData(24, 500, true), InlineData(24, 501, false), InlineData(0, 1, false)]
    public void A_response_is_taken_that_fits_where_nothing_else_is_kept(int hours, long bytes, bool taken) =>
        Assert.Equal(taken, new Bounds(TimeSpan.FromHours(hours), 500, 10, 600, 700).Takes(bytes));

    [Fact]
    public void Without_settings_a_day_64_MB_and_10000_of_a_customer_4_GB_of_a_project_16_GB_of_all() =>
        Assert.Equal(new(TimeSpan.FromDays(1), 64L << 20, 10_000, 4L << 30, 16L << 30), Bounds.Read(new ConfigurationBuilder().Build()));

    [Fact]
    public async Task What_is_on_its_way_has_a_bound_and_waits_for_room()
    {
        using var inFlight = new InFlight();
        var taken = new List<IDisposable>();
        Task<System.Threading.RateLimiting.RateLimitLease> next;
        while ((next = inFlight.TakeAsync(32 << 20, TestContext.Current.CancellationToken)).IsCompleted)
            taken.Add(await next);

        Assert.Equal(8, taken.Count);
        taken[0].Dispose();
        using var lease = await next;
        Assert.True(lease.IsAcquired);
    }
}
