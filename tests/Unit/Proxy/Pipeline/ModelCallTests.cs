using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What a request is settled with should its process die, as the next process finds it.</summary>
public sealed class ModelCallTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("llmgateway-call-").FullName;
    readonly Clock _clock = new();
    readonly LedgerClock _ledger;

    public ModelCallTests() => _ledger = new(_clock);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_checkpoint_is_due_after_256_tokens_or_after_two_seconds_with_a_new_one()
    {
        var call = Begin();
        Assert.False(call.IsCheckpointDue(255));
        Assert.True(call.IsCheckpointDue(256));

        _clock.Pass(TimeSpan.FromSeconds(2));
        Assert.False(call.IsCheckpointDue(0));
        Assert.True(call.IsCheckpointDue(1));

        call.Checkpoint(1, Delivered(1));
        Assert.False(call.IsCheckpointDue(256));
        Assert.True(call.IsCheckpointDue(257));
    }

    [Fact]
    public void A_checkpoint_of_what_is_counted_is_due_after_two_seconds_whatever_has_come()
    {
        var call = Begin();
        Assert.False(call.IsCheckpointDue());
        _clock.Pass(TimeSpan.FromSeconds(2));
        Assert.True(call.IsCheckpointDue());

        call.Checkpoint(0, Delivered(1));
        Assert.False(call.IsCheckpointDue());
    }

    [Fact]
    public void A_request_that_dies_is_free_before_its_first_checkpoint_and_costs_what_was_delivered_by_its_last()
    {
        var call = Begin();
        Assert.Equal((RequestOutcome.Failed, 0L, false, "crashed"), Left());

        call.Checkpoint(256, Delivered(256));
        call.Checkpoint(512, Delivered(512));
        Assert.Equal((RequestOutcome.Interrupted, 3 * 1_000 + 512 * 2_000, true, "crashed"), Left());
    }

    [Fact]
    public void A_clock_that_is_set_changes_neither_duration_nor_checkpoints()
    {
        var call = Begin();

        _clock.Set(TimeSpan.FromDays(-1));
        Assert.False(call.IsCheckpointDue(1));
        _clock.Set(TimeSpan.FromDays(2));
        Assert.False(call.IsCheckpointDue(1));

        call.Checkpoint(1, Delivered(1));
        Assert.Equal(0, Record().Usage.DurationMs);
    }

    [Fact]
    public void A_request_belongs_to_the_time_that_the_ledger_says_whatever_its_proxys_clock_is()
    {
        var now = _clock.GetUtcNow().AddMinutes(-10);
        _ledger.Heard(_clock.GetTimestamp(), _clock.GetTimestamp(), now);
        var call = Begin();

        Assert.Equal(now, Record().Usage.StartedAt);
        Assert.InRange(call.Id, Ids.FirstAt(now), Ids.FirstAt(now.AddMilliseconds(1)));
    }

    [Fact]
    public void A_call_that_dies_frees_its_key_and_only_a_whole_answer_uses_it()
    {
        var call = Begin(keyed: true);
        Assert.Equal(KeyEnd.Free, Record().Key);
        call.Checkpoint(256, Delivered(256));
        Assert.Equal(KeyEnd.Free, Record().Key);

        call.Keyed!.IsWhole = true;
        var (record, paid) = call.Foresee(RequestOutcome.Aborted, 499, Delivered(300), "drained");

        var settlement = SettlementRecord.Decode(record, 0, record.Length);
        Assert.Equal((KeyEnd.Used, call.Id, RequestOutcome.Aborted), (settlement.Key, settlement.RequestId, settlement.Usage.Outcome));
        Assert.Equal((3 * 1_000 + 300 * 2_000, true), (paid.Nanos, call.IsOpen));
    }

    /// <summary>A request is ended once. Whatever fails meanwhile, its charge is written down and its lease can end.</summary>
    [Fact]
    public void A_request_whose_end_fails_is_settled_all_the_same()
    {
        using var spool = new Spool(_folder, NullLogger<Spool>.Instance);
        using var publisher = new SpoolPublisher(spool, null!, NullLogger<SpoolPublisher>.Instance);
        using var limits = new RateLimits(null!, _clock, NullLogger<RateLimits>.Instance);
        var call = Begin(keyed: true, spool.Journal);
        var wallet = new ClaimLine(Ids.New(), AccountKind.Wallet, Unit.Usd);
        var lease = new HeldLease(1, _clock, spool.Delivered) { Running = 2 };
        lease.InUse[0] = 2_000_000;
        call.Hold = new(new(new([wallet], 0, null), spool.Holder, null!, spool.Delivered, _clock), lease, [1_000_000]);
        call.Hold.Void(); // so that it cannot be settled

        Assert.Throws<InvalidOperationException>(
            () => call.End(publisher, limits, RequestOutcome.Completed, 200, Delivered(300)));

        Assert.Equal((1, false, 0), (publisher.Undelivered, call.IsOpen, lease.Running));
    }

    /// <summary>What is told of a request comes after all that it holds is free again.</summary>
    [Fact]
    public void A_request_whose_answers_head_takes_nothing_more_gives_back_the_rest_of_its_hold()
    {
        using var spool = new Spool(_folder, NullLogger<Spool>.Instance);
        using var publisher = new SpoolPublisher(spool, null!, NullLogger<SpoolPublisher>.Instance);
        using var limits = new RateLimits(null!, _clock, NullLogger<RateLimits>.Instance);
        var call = Begin(keyed: false, spool.Journal);
        var quota = new ClaimLine(Ids.New(), AccountKind.Quota, Unit.Tokens);
        var lease = new HeldLease(1, _clock, spool.Delivered) { Running = 1 };
        lease.InUse[0] = 1_000;
        call.Hold = new(new(new([quota], 0, null), spool.Holder, null!, spool.Delivered, _clock), lease, [1_000]);
        call.Http.Features.Set<IHttpResponseFeature>(new HttpResponseFeature { Headers = new HeaderDictionary { IsReadOnly = true } });

        Assert.Throws<InvalidOperationException>(
            () => call.End(publisher, limits, RequestOutcome.Completed, 200, Delivered(300)));

        Assert.Equal((697, 0, 0), (lease.Idle[0], lease.InUse[0], lease.Running));
        Assert.Equal((1, false), (publisher.Undelivered, call.IsOpen));
    }

    /// <summary>The provider has begun to answer, or has answered, and then something else failed: the credit goes back.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_answer_that_becomes_an_error_does_not_say_that_it_took_a_credit(bool streams)
    {
        using var spool = new Spool(_folder, NullLogger<Spool>.Instance);
        using var publisher = new SpoolPublisher(spool, null!, NullLogger<SpoolPublisher>.Instance);
        using var limits = new RateLimits(null!, _clock, NullLogger<RateLimits>.Instance);
        var call = Begin(keyed: true, spool.Journal);
        var credits = new ClaimLine(Ids.New(), AccountKind.Credits, Unit.Credits) { QueryType = "standard", Denomination = Ids.New() };
        var lease = new HeldLease(1, _clock, spool.Delivered) { Running = 1 };
        lease.InUse[0] = 1;
        call.Hold = new(new(new([credits], 0, null), spool.Holder, null!, spool.Delivered, _clock), lease, [1]);
        call.Answered = true;
        if (streams)
            call.TellCredit();
        else
            call.Foresee(RequestOutcome.Completed, 200, Delivered(300), null);
        var headers = call.Http.Response.Headers;
        Assert.Equal(
            ("query:standard=1", "standard"), (headers["X-LLMGateway-Used"].ToString(), headers["X-Query-Type"].ToString()));

        call.End(publisher, limits, RequestOutcome.Failed, 502, null);

        Assert.False(headers.ContainsKey("X-LLMGateway-Used") || headers.ContainsKey("X-Query-Type"));
        Assert.Equal(1, lease.Idle[0]);
    }

    [Fact]
    public void What_its_caller_can_reach_is_paid_at_its_bound_and_uses_its_key_when_the_process_dies()
    {
        var call = Begin(keyed: true);
        call.Owe(new(new Usage { [Meter.Request] = 3 }, true, BatchCost.Reason, null) { Bound = 7_000 });

        Assert.Equal((RequestOutcome.Completed, 7_000, true, "batch"), Left());
        Assert.Equal((KeyEnd.Used, 200), (Record().Key, Record().Usage.Status));
    }

    [Theory]
    [InlineData("free", 0L)]
    [InlineData(null, null)]
    public void What_is_free_says_that_nothing_is_due_also_where_its_price_is_zero(string? queryType, long? due)
    {
        var call = Begin(queryType: queryType, prices: new() { Input = new Rate(0), Output = new Rate(0) });
        call.Checkpoint(256, Delivered(256));
        Assert.Equal((0L, due), (Record().Usage.Cost.Nanos, Record().Due));
    }

    /// <summary>At $1 and $2 per million tokens, in and out.</summary>
    ModelCall Begin(bool keyed = false, CrashJournal? journal = null, string? queryType = null, Prices? prices = null)
    {
        prices ??= new Prices { Input = new Rate(1_000_000_000_000), Output = new Rate(2_000_000_000_000) };
        var call = new ModelCall(new DefaultHttpContext(), "/v1/chat/completions", _ledger, _clock)
        {
            Caller = new(new(
                Ids.New(),
                CredentialKind.CustomerKey,
                false,
                CredentialStatus.Active,
                Ids.New(),
                Ids.New(),
                Ids.New(),
                null,
                null,
                null,
                null,
                [],
                null), null!, ""),
            Route = new(new("small", "chat", "sandbox", "small", 0, 0, null, prices), null!) { QueryType = queryType },
        };
        call.Keyed = keyed ? new(Ids.New(), call.Id) : null;
        Assert.True(call.TryBegin(journal ?? new CrashJournal(_folder)));
        return call;
    }

    static MeterReading Delivered(long tokens) => MeterReading.OfCounts(3, tokens, "", null);

    (RequestOutcome, long, bool, string?) Left()
    {
        var usage = Record().Usage;
        return (usage.Outcome, usage.Cost.Nanos, usage.Estimated, usage.Reason);
    }

    Settlement Record()
    {
        var record = Assert.Single(new CrashJournal(_folder).Left);
        return SettlementRecord.Decode(record, 0, record.Length);
    }

    /// <summary>A wall clock that can be set, and one that only runs.</summary>
    sealed class Clock : TimeProvider
    {
        DateTimeOffset _wall = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
        long _ticks;

        public void Pass(TimeSpan span) => (_wall, _ticks) = (_wall + span, _ticks + span.Ticks);

        public void Set(TimeSpan by) => _wall += by;

        public override DateTimeOffset GetUtcNow() => _wall;

        public override long GetTimestamp() => _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    }
}
