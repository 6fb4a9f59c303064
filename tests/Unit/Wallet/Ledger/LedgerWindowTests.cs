using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>Client sessions: one unit when they open, none while they are open.</summary>
public sealed class LedgerWindowTests
{
    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    static readonly Guid Organization = Ids.New(), Project = Ids.New(), Day = Ids.New(), Month = Ids.New();
    static readonly Guid Ann = Ids.New(), Ben = Ids.New(), Cem = Ids.New();

    readonly MemoryStore _store = new();
    DateTimeOffset _now = Noon;

    [Fact]
    public void A_session_takes_one_unit_when_it_opens_and_none_while_it_is_open()
    {
        Assert.Equal(Noon.AddHours(24), Opened(Open(Ann, Line(Day, 2))));
        Assert.Equal(Noon.AddHours(24), Opened(Open(Ann, Line(Day, 2))));
        Assert.Equal(1, _store.Accounts[Day].Posted);

        Opened(Open(Ben, Line(Day, 2)));
        // Full: who is open goes on, also when the limit was lowered. Who is new is refused.
        Assert.Equal(new Answer.Refused(Day, RefusalReason.Exhausted, 0) { Now = _now }, Open(Cem, Line(Day, 2)));
        Opened(Open(Ann, Line(Day, 1)));
        Assert.Equal((2, 0), (_store.Accounts[Day].Posted, _store.Accounts[Day].Reserved));

        _now = Noon.AddHours(24).AddTicks(-1);
        Opened(Open(Ann, Line(Day, 9)));
        Assert.Equal(2, _store.Accounts[Day].Posted);
        _now = Noon.AddHours(24);
        Opened(Open(Ann, Line(Day, 9)));
        Assert.Equal((3, 2), (_store.Accounts[Day].Posted, _store.Windows[Ann].Openings));
        Assert.Equal(3, _store.Counted[Day]);
    }

    [Fact]
    public void Several_counters_give_their_units_together_or_none_does()
    {
        Opened(Open(Ann, Line(Day, 2), Line(Month, 1)));
        Assert.Equal(Month, Assert.IsType<Answer.Refused>(Open(Ben, Line(Day, 2), Line(Month, 1))).Register);
        Assert.Equal((1, 1), (_store.Accounts[Day].Posted, _store.Accounts[Month].Posted));

        // Two sets of sessions in one request: the one that is open takes nothing.
        var both = new WindowsRequest(Scope, [new(Ann, [Line(Day, 2)]), new(Cem, [Line(Month, 1)])]);
        Assert.Equal(Month, Assert.IsType<Answer.Refused>(Apply(new OpenWindows(both))).Register);
        Assert.Equal(1, _store.Accounts[Day].Posted);
        Assert.False(_store.Windows[Cem].ClosesAt > _now);
    }

    [Fact]
    public void Of_several_limits_that_are_full_the_one_that_resets_last_is_named()
    {
        var month = Line(Month, 1) with { Counter = Line(Month, 1).Counter with { To = Noon.AddHours(2) } };
        Opened(Open(Ann, Line(Day, 1), month));

        var refused = new Answer.Refused(Month, RefusalReason.Exhausted, 0) { Now = _now };
        Assert.Equal(refused, Open(Ben, Line(Day, 1), month));
        Assert.Equal(refused, Open(Ben, month, Line(Day, 1)));
        Assert.Equal(refused with { Over = 1 }, Open(Ben, Line(Day, 1), month with { Counter = month.Counter with { Ceiling = 0 } }));
    }

    [Fact]
    public void A_counter_that_is_only_asked_has_an_end_too_so_that_it_is_deleted_one_day()
    {
        Open(Ann, Line(Day, 0));
        Opened(Open(Ben, Line(Month, 2)));
        Assert.All((Guid[])[Day, Month], counter => Assert.Equal(Noon.AddHours(1), _store.Accounts[counter].EndsAt));
    }

    [Fact]
    public void A_unit_is_of_the_cycle_that_the_ledgers_clock_says()
    {
        var over = Line(Day, 2) with { Counter = Line(Day, 2).Counter with { To = Noon.AddSeconds(-1) } };
        Assert.Equal(RefusalReason.CycleOver, Assert.IsType<Answer.Refused>(Open(Ann, over)).Reason);
        // Whoever is open is not asked again.
        Opened(Open(Ann, Line(Day, 2)));
        Opened(Open(Ann, over));
    }

    [Theory]
    [InlineData(0, 24)] // as it was
    [InlineData(-3, 24)]
    [InlineData(5, 29)]
    [InlineData(9, 30)] // of a clock that is ahead: it was booked at 18:00
    public void Each_message_keeps_its_session_open_for_a_day_and_none_closes_it_earlier(int beganAt, int closesAt)
    {
        Opened(Open(Ann, Line(Day, 2)));
        _now = Noon.AddHours(6);
        var usage = UsageRecords.Of(0, Organization, Project, Noon.AddHours(beganAt));
        var settle = new Settle(new(Ids.New(), null, [], usage) { Windows = [Ann, Ben] });
        Apply(settle);
        Assert.Equal(Noon.AddHours(closesAt), _store.Windows[Ann].ClosesAt);
        Assert.False(_store.Windows.ContainsKey(Ben));

        _now = Noon.AddHours(closesAt);
        Apply(settle with { Settlement = settle.Settlement with { Usage = usage with { StartedAt = _now } } });
        Assert.Equal(Noon.AddHours(closesAt), _store.Windows[Ann].ClosesAt); // the same request again
    }

    static CounterScope Scope => new(Organization, Project, Organization, false);

    WindowLine Line(Guid register, long ceiling) => new(
        register, new(AccountKind.Windows, Unit.Windows, null, ceiling, _now.AddHours(-1), _now.AddHours(1)));

    Answer Open(Guid session, params WindowLine[] lines) => Apply(new OpenWindows(new(Scope, [new(session, lines)])));

    static DateTimeOffset Opened(Answer answer) => Assert.IsType<Answer.Opened>(answer).ClosesAt;

    Answer Apply(Command command) => _store.Apply(command, _now);
}
