using System.Net;
using System.Net.Http.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Which cycle it is must not depend on the clock of a proxy.</summary>
public sealed class LedgerClockTests
{
    static readonly DateTimeOffset Noon = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);

    readonly FakeTimeProvider _time = new(Noon.AddMinutes(-10));

    [Fact]
    public void Until_the_first_answer_the_own_clock_has_to_do() => Assert.Equal(Noon.AddMinutes(-10), new LedgerClock(_time).Now);

    [Fact]
    public void An_answer_sets_it_and_it_goes_on_by_itself()
    {
        var clock = new LedgerClock(_time);
        Hear(clock, Noon, TimeSpan.FromMilliseconds(10));
        Assert.Equal(Noon.AddMilliseconds(5), clock.Now);
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(Noon.AddSeconds(30).AddMilliseconds(5), clock.Now);
    }

    [Fact]
    public void The_fastest_answer_of_the_last_minute_is_trusted()
    {
        var clock = new LedgerClock(_time);
        Hear(clock, Noon, TimeSpan.FromMilliseconds(10));
        Hear(clock, Noon.AddSeconds(1.5), TimeSpan.FromSeconds(2)); // says nothing that is better known
        Assert.Equal(Noon.AddMilliseconds(5).AddSeconds(2), clock.Now);
        _time.Advance(TimeSpan.FromSeconds(61));
        Hear(clock, Noon.AddSeconds(100), TimeSpan.FromSeconds(2));
        Assert.Equal(Noon.AddSeconds(101), clock.Now);
    }

    /// <summary>The database began with a clock that was wrong, and that was set a moment later.</summary>
    [Theory]
    [InlineData(-50 * 365)]
    [InlineData(120)]
    public void What_the_next_answer_contradicts_is_trusted_no_more_however_fast_it_came(int daysWrong)
    {
        var clock = new LedgerClock(_time);
        Hear(clock, Noon.AddDays(daysWrong), TimeSpan.FromMilliseconds(1));
        Hear(clock, Noon, TimeSpan.FromMilliseconds(10));
        Assert.Equal(Noon.AddMilliseconds(5), clock.Now);
    }

    [Fact]
    public void What_the_ledger_contradicts_is_trusted_no_more()
    {
        var clock = new LedgerClock(_time);
        Hear(clock, Noon, TimeSpan.FromMilliseconds(10));
        clock.Distrust();
        Hear(clock, Noon.AddHours(1), TimeSpan.FromSeconds(2));
        Assert.Equal(Noon.AddHours(1).AddSeconds(1), clock.Now);
    }

    /// <summary>A proxy beats from its start on, so it knows the time before its first request.</summary>
    [Fact]
    public async Task The_answer_to_a_heartbeat_says_it()
    {
        var clock = new LedgerClock(_time);
        using var http = new HttpClient(new Ledger(new(Ids.New()) { Now = Noon })) { BaseAddress = new("http://wallet") };

        await new WalletClient(http, clock, _time).BeatAsync(new("proxy"), TestContext.Current.CancellationToken);

        Assert.Equal(Noon, clock.Now);
    }

    sealed class Ledger(HeartbeatAnswer answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = JsonContent.Create(answer, null, Defaults.Json) });
    }

    void Hear(LedgerClock clock, DateTimeOffset now, TimeSpan roundTrip)
    {
        var asked = _time.GetTimestamp();
        _time.Advance(roundTrip);
        clock.Heard(asked, _time.GetTimestamp(), now);
    }
}
