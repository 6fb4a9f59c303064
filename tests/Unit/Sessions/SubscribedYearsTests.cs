using LlmGateway.Billing;
using LlmGateway.Contracts;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>Years of a subscription, from what Stripe says of it to the quota of its customer.</summary>
public sealed class SubscribedYearsTests
{
    const int Periods = 60, TrialDays = 14;

    static readonly Plan[] Plans = [PlanOf("a", 1_000), PlanOf("b", 2_500), PlanOf("c", 10_001)];

    static readonly long[] Cents = [900, 2_900, 9_900];

    [Fact]
    public void In_five_years_each_period_that_is_paid_has_the_tokens_of_its_plan_once() => Seeds.ForEach(200, random =>
    {
        var life = new Life(random);
        for (var period = 0; period < Periods; period++)
            life.Renew(period);
        life.End();
    });

    static Plan PlanOf(string id, long tokens) => new()
    {
        ProjectId = Guid.Empty, Id = id, Name = id, PriceNanos = 0, Tokens = tokens, TrialDays = TrialDays, LastTermFull = false,
    };

    /// <summary>One customer, who uses each quota as soon as it is there.</summary>
    sealed class Life
    {
        readonly Random _random;
        readonly DateTimeOffset _start, _anchor;
        readonly DateTimeOffset? _trialEnd;

        // As Stripe has it. The price is its plan's number.
        string _status;
        int _price;
        bool _isPaid = true;
        DateTimeOffset _periodStart;
        DateTimeOffset? _paidTo, _cancelAt;

        // As we have it.
        Subscription _row;
        CustomerPlan? _had;
        readonly Dictionary<Guid, long> _given = [];

        // As it must be.
        int _inForce, _months;
        int? _next;
        DateTimeOffset _from, _to, _now;
        long _tokens, _sum;

        public Life(Random random)
        {
            _random = random;
            _start = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).AddSeconds(random.Next(366 * 24 * 3_600));
            _row = new(
                Ids.New(), Ids.New(), Ids.New(), Ids.New(), false, false, Plans[0].Id, Cents[0], 0, Subscription.Open, _start);
            (_anchor, _periodStart, _status) = (_start, _start, Subscription.Active);
            if (random.Next(2) == 0)
                return;
            _anchor = _start.AddDays(TrialDays);
            (_trialEnd, _status) = (_anchor, Subscription.Trialing);
            Begin(_anchor.AddMonths(-1), _anchor);
            Hear(_start);
            ChangeSometimes();
        }

        /// <summary>A period, from its beginning to its end.</summary>
        public void Renew(int period)
        {
            var (from, to) = (_anchor.AddMonths(period), _anchor.AddMonths(period + 1));
            var paidAt = from;
            if (_had is not null)
            {
                (_status, _periodStart, _isPaid, _paidTo) = (Subscription.Active, from, false, null);
                Hear(from.AddMinutes(_random.Next(60)));
                paidAt = from.AddHours(1);
                if (_random.Next(5) == 0)
                {
                    _status = Subscription.PastDue;
                    Hear(paidAt);
                    paidAt = paidAt.AddDays(1 + _random.Next(8));
                }
            }
            (_status, _isPaid, _paidTo) = (Subscription.Active, true, to);
            (_inForce, _next) = (_next ?? _inForce, null);
            Begin(from, to);
            Hear(paidAt);
            ChangeSometimes();
        }

        public void End()
        {
            _cancelAt = _to;
            Hear(_now + ((_to - _now) / 2));
            Assert.DoesNotContain(Terms.QuotaOf(_had!, Plans[_inForce], _to), one => one.From <= _to && _to < one.To);
            Assert.Equal((_months, _sum + _tokens), (_given.Count, _given.Values.Sum()));
        }

        void Begin(DateTimeOffset from, DateTimeOffset to)
        {
            _sum += _tokens;
            _months++;
            (_from, _to, _tokens) = (from, to, TokensOf(_inForce));
        }

        void ChangeSometimes()
        {
            for (var i = _random.Next(4); i > 0; i--)
                Change(_random.Next(Plans.Length), _now + ((_to - _now) * _random.NextDouble() * 0.99));
        }

        void Change(int plan, DateTimeOffset at)
        {
            var isDearer = Cents[plan] > Cents[_inForce];
            if (isDearer && _random.Next(6) == 0)
                return; // declined
            _price = plan;
            if (isDearer)
            {
                // The invoice of the difference is the latest one then, and pays for no period.
                (_isPaid, _paidTo) = (true, null);
                _tokens += (long)((Int128)(TokensOf(plan) - TokensOf(_inForce)) * (_to - at).Ticks / (_to - _from).Ticks);
                (_inForce, _next) = (plan, null);
            }
            else
                _next = plan == _inForce ? null : plan;
            Hear(at);
        }

        void Hear(DateTimeOffset at)
        {
            _now = at;
            var before = _row;
            var said = new SaidSubscription(
                "sub_1", _status, "si_1", "price_1", Cents[_price], _start, _anchor, _periodStart, _trialEnd, _cancelAt, null, _isPaid,
                _paidTo);
            _row = SubscriptionStates.Next(_row, said, Plans[_price].Id, graceDays: null, _now);
            if (SubscriptionStates.IsNews(before, _row))
                Give();
            var quota = Terms.QuotaOf(_had!, Plans[_inForce], _now).Single(one => one.From <= _now && _now < one.To);
            Assert.Equal((_from, _tokens, Plans[_inForce].Id), (quota.From, quota.Ceiling, _had!.PlanId));
            _given[quota.Register] = quota.Ceiling;
        }

        /// <summary>As <see cref="GivePlan"/> does it.</summary>
        void Give()
        {
            _row = _row with { Version = _row.Version + 1 };
            var plan = Plans.Single(one => one.Id == _row.Plan);
            var before = _had is { } known ? Plans.Single(one => one.Id == known.PlanId) : null;
            _had ??= new()
            {
                CustomerId = _row.Customer, Id = Ids.New(), ProjectId = plan.ProjectId, PlanId = plan.Id, StartsAt = _now,
            };
            Subscribed.Take(
                _had, before, plan,
                new(
                    _row.Id, _row.Version, _row.Plan, _row.StartedAt!.Value, _row.Anchor!.Value, _row.PaidTo!.Value, _row.EndsAt),
                _now);
        }

        static long TokensOf(int plan) => Plans[plan].Tokens!.Value;
    }
}
