using LlmGateway.Sessions.ResponseState;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>How many bytes of responses are kept, of one customer and of all.</summary>
public sealed class ResponseBoundsTests
{
    [Theory]
    [InlineData(100, 0, true)]
    [InlineData(100, 900, true)]
    [InlineData(100, 901, false)]
    [InlineData(501, 0, false)]
    public void A_response_is_kept_while_it_fits_its_customers_bound_and_that_of_all(long bytes, long total, bool fits) =>
        Assert.Equal(fits, new Bounds(TimeSpan.FromHours(1), 500, 1000).HasRoom(bytes, total));

    [Fact]
    public void A_life_of_zero_keeps_nothing() => Assert.False(new Bounds(TimeSpan.Zero, 500, 1000).HasRoom(1, 0));

    [Fact]
    public void Without_settings_a_day_64_MB_and_16_GB() =>
        Assert.Equal(new(TimeSpan.FromDays(1), 64L << 20, 16L << 30), Bounds.Read(new ConfigurationBuilder().Build()));

    [Fact]
    public async Task The_total_is_what_the_table_says_and_what_was_added_since()
    {
        var (time, asked, table) = (new FakeTimeProvider(), 0, 100L);
        var total = new TotalBytes(() => { asked++; return Task.FromResult(table); }, time);

        Assert.Equal(100, await total.NowAsync());
        total.Add(5);
        table = 1;
        Assert.Equal((105, 1), (await total.NowAsync(), asked));

        time.Advance(TotalBytes.Interval);
        Assert.Equal((1, 2), (await total.NowAsync(), asked));
    }

    [Fact]
    public async Task A_table_that_did_not_answer_is_asked_again()
    {
        var answers = new Queue<Task<long>>([Task.FromException<long>(new TimeoutException()), Task.FromResult(7L)]);
        var total = new TotalBytes(answers.Dequeue, new FakeTimeProvider());

        await Assert.ThrowsAsync<TimeoutException>(total.NowAsync);
        Assert.Equal(7, await total.NowAsync());
    }
}
