using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class AdmissionTests
{
    static readonly ClaimLine Wallet = new(Ids.New(), AccountKind.Wallet, Unit.Usd);
    static readonly ClaimLine OldCap = new(Ids.New(), AccountKind.SessionCap, Unit.UsdLimit);
    static readonly ClaimLine Cap = Counter(AccountKind.Cap, Unit.UsdLimit), Tokens = Counter(AccountKind.Limit, Unit.Tokens);
    static readonly ClaimLine Requests = Counter(AccountKind.Limit, Unit.Requests), Slots = Counter(AccountKind.Slots, Unit.Slots);
    static readonly ClaimLine Quota = Counter(AccountKind.Quota, Unit.Tokens);

    static readonly ClaimLine Credits = new(Ids.New(), AccountKind.Credits, Unit.Credits)
    {
        QueryType = "standard", Denomination = Ids.New(),
    };

    [Theory]
    [InlineData(100, 40, 40, 40)]
    [InlineData(100, 140, 100, 140)]
    public void A_wallet_pays_no_more_than_it_holds(long held, long cost, long paid, long due)
    {
        var (used, answer) = Used([Wallet], 0, [held], cost, 7);
        Assert.Equal((paid, due), answer);
        Assert.Equal([paid], used);
    }

    [Fact]
    public void Each_limit_counts_its_own_unit_and_all_of_what_was_used()
    {
        var (used, answer) = Used([Cap, Tokens, Requests, Slots, OldCap, Wallet], 5, [30, 10, 1, 1, 30, 50], cost: 60, tokens: 12);
        Assert.Equal((50, 60), answer);
        Assert.Equal([50, 12, 1, 0, 30, 50], used);
    }

    [Fact]
    public void A_customer_whom_nothing_pays_for_is_limited_by_the_cost()
    {
        var (used, answer) = Used([Cap, Tokens], 2, [100, 100], cost: 60, tokens: 12);
        Assert.Equal((60, 60), answer);
        Assert.Equal([60, 12], used);
    }

    /// <summary>Quota or credits have paid all of it, so that no money is owed.</summary>
    [Fact]
    public void A_customer_without_a_wallet_whose_quota_or_credits_pay_uses_nothing_of_a_limit_in_dollars()
    {
        Assert.Equal([0, 12, 12], Used([Cap, Tokens, Quota], 2, [100, 100, 100], cost: 60, tokens: 12).Used);
        Assert.Equal([0, 1], Used([Cap, Credits], 1, [100, 1], cost: 60, tokens: 12).Used);
    }

    /// <summary>A thousand tokens of quota are left, and the request may have 4 000 tokens for eight cents.</summary>
    [Fact]
    public void A_quota_that_is_nearly_empty_pays_what_it_can_and_the_wallet_the_rest()
    {
        var (used, answer) = Used([Quota, Wallet], 0, [1_000, 60_000_000], cost: 40_000_000, tokens: 2_000);
        Assert.Equal([1_000, 20_000_000], used);
        Assert.Equal((20_000_000, 20_000_000), answer);

        (used, answer) = Used([Quota, Wallet], 0, [1_000, 60_000_000], cost: 16_000_000, tokens: 800);
        Assert.Equal([800, 0], used);
        Assert.Equal((0, 0), answer);

        (used, answer) = Used([Quota, Wallet], 0, [1_000, 60_000_000], cost: 100_000_000, tokens: 5_000);
        Assert.Equal([1_000, 60_000_000], used);
        Assert.Equal((60_000_000, 80_000_000), answer);
    }

    /// <summary>Two of three tokens at a tenth of a nano-dollar each are a fifth: one nano-dollar, and not one for each rounding.</summary>
    [Fact]
    public void What_a_quota_leaves_unpaid_is_rounded_up_once()
    {
        var tenth = Wallet with { Overage = new(100_000_000) };
        Assert.Equal([1, 1], Used([Quota, tenth], 0, [1, 10], cost: 60, tokens: 3).Used);
        Assert.Equal([1, 1], Used([Quota, tenth], 0, [1, 10], cost: 60, tokens: 11).Used);
        Assert.Equal([1, 2], Used([Quota, tenth], 0, [1, 10], cost: 60, tokens: 12).Used);
    }

    [Fact]
    public void A_quota_that_pays_last_counts_what_the_provider_used_beyond_the_hold()
    {
        var (used, answer) = Used([Quota], 0, [1_000], cost: 5, tokens: 1_200);
        Assert.Equal([1_200], used);
        Assert.Equal((0, 0), answer);
    }

    [Fact]
    public void A_call_credit_pays_everything_or_nothing()
    {
        Assert.Equal([1, 0], Used([Credits, Wallet], 0, [1, 0], cost: 60, tokens: 12).Used);
        Assert.Equal([0, 60], Used([Credits, Wallet], 0, [0, 80], cost: 60, tokens: 12).Used);
    }

    [Fact]
    public void A_request_that_failed_used_nothing() =>
        Assert.Equal([0, 0, 0], Used([Requests, Credits, Wallet], 1, [1, 1, 50], cost: 0, tokens: 0, answered: false).Used);

    [Fact]
    public void A_call_credit_is_spent_when_the_provider_has_begun_to_answer_and_nobody_pays_when_it_goes_back()
    {
        Assert.Equal([1, 0], Used([Credits, Wallet], 0, [1, 0], cost: 0, tokens: 0).Used);
        var (used, answer) = Used([Tokens, Credits, Wallet], 1, [50, 1, 0], cost: 60, tokens: 12, answered: false);
        Assert.Equal([12, 0, 0], used);
        Assert.Equal((0, 0), answer);
        Assert.Equal((60, 60), Used([Credits, Wallet], 0, [0, 80], cost: 60, tokens: 12, answered: false).Answer);
    }

    /// <summary>Quota has a quarter, no credit is left, and the wallet owes the rest of 30 nano-dollars, rounded up once.</summary>
    [Fact]
    public void Behind_quota_and_credits_that_are_empty_the_wallet_owes_what_is_left_rounded_up_once() =>
        Assert.Equal([3, 0, 23], Used([Quota, Credits, Wallet], 0, [3, 0, 30], cost: 30, tokens: 12).Used);

    [Fact]
    public void Call_credits_pay_no_batch()
    {
        var refusal = Assert.Throws<LlmGateway.ServiceDefaults.ProblemException>(
            () => Admission.Demand(new([Credits, Wallet], 0, null), UpperBound.OfBatch(5, 1), 0));
        Assert.Equal((400, "limit_not_measurable"), (refusal.Problem.Status, refusal.Problem.Code));
    }

    [Theory]
    [InlineData(RefusalReason.Exhausted, 0, 402, "not_enough_queries")]
    [InlineData(RefusalReason.Unknown, 0, 402, "not_enough_queries")]
    [InlineData(RefusalReason.Exhausted, 2, 429, "balance_held")]
    public void Who_has_no_call_credit_left_is_told_so_and_whose_credits_are_in_use_may_come_again(
        RefusalReason reason, long held, int status, string code)
    {
        var problem = Admission.ProblemOf(
            new(Credits.Register, reason, 0) { Held = held }, new([Credits], 0, null), [1], DateTimeOffset.UnixEpoch);
        Assert.Equal((status, code), (problem.Status, problem.Code));
        Assert.Equal(new("credits", "query:standard", $"{held}", $"{held}", "1", null), problem.Limit);
        Assert.Equal(status == 402 ? new CreditBalance("standard", 0) : null, problem.Credits?.Current);
    }

    [Fact]
    public void A_caller_is_told_what_a_request_took_of_quota_and_credits_and_of_nothing_else()
    {
        Assert.Null(Admission.Told(new([Tokens, Wallet], 1, null), [7, 40]));
        Assert.Null(Admission.Told(new([Quota, Wallet], 0, null), [0, 40]));
        Assert.Equal("tokens=7", Admission.Told(new([Tokens, Quota, Wallet], 1, null), [9, 7, 40]));
        Assert.Equal("tokens=7, query:standard=1", Admission.Told(new([Quota, Credits, Wallet], 0, null), [7, 1, 0]));
        Assert.Equal("tokens=9", Admission.Told(new([Quota, Credits, Quota], 0, null), [7, 0, 2]));
    }

    [Fact]
    public void A_request_needs_of_each_line_what_it_may_use()
    {
        Assert.True(UpperBound.TryOf(UpperBoundTests.RandomPrices(new(1), 0), 1_000, 2, false, out var bound));
        var (minimum, full) = Admission.Demand(new([Tokens, Requests, Slots, Quota, Wallet], 3, null), bound, 50);
        Assert.Equal([1_032, 1, 1, 1_032, bound.Cost(16)], minimum);
        Assert.Equal([1_100, 1, 1, 1_100, bound.Cost(50)], full);
    }

    [Fact]
    public void A_limit_of_tokens_refuses_what_cannot_be_counted_in_tokens()
    {
        var refusal = Assert.Throws<LlmGateway.ServiceDefaults.ProblemException>(
            () => Admission.Demand(new([Tokens, Wallet], 1, null), UpperBound.OfBatch(5, 1), 50));
        Assert.Equal((400, "limit_not_measurable"), (refusal.Problem.Status, refusal.Problem.Code));
    }

    [Fact]
    public void A_batch_is_as_many_requests_as_it_has_lines_and_runs_once()
    {
        var claim = new Claim([Requests, Slots, Wallet], 2, null);
        var (minimum, full) = Admission.Demand(claim, UpperBound.OfBatch(500, 10_000), 0);
        Assert.Equal([10_000, 1, 500], minimum);
        Assert.Equal(minimum, full);

        var used = new long[3];
        Admission.Used(claim, full, cost: 500, tokens: 0, answered: true, used, requests: 10_000);
        Assert.Equal([10_000, 0, 500], used);
        Admission.Used(claim, full, cost: 0, tokens: 0, answered: false, used, requests: 10_000); // the provider has refused it
        Assert.Equal([0, 0, 0], used);
    }

    [Fact]
    public void What_sources_can_pay_together_is_the_largest_output_that_they_cover() => Seeds.ForEach(5_000, random =>
    {
        var prices = UpperBoundTests.RandomPrices(random, 0);
        Assert.True(UpperBound.TryOf(prices, random.Next(1, 2_000), random.Next(1, 4), false, out var bound));
        var claim = new Claim([Tokens, Quota, Wallet], 1, null);
        var limit = random.Next(1, 5_000);
        var (_, full) = Admission.Demand(claim, bound, limit);
        long[] held = [full[0], random.NextInt64(full[1] + 1), random.NextInt64(full[2] + 1)];

        var output = Admission.AffordableOutput(claim, held, bound, limit);

        Assert.InRange(output, 0, limit);
        if (output > 0)
            Assert.True(Covers(output), "the output is not paid for");
        if (output < limit)
            Assert.False(Covers(output + 1), "more output is paid for");

        bool Covers(long tokens) =>
            Waterfall.Take(held.AsSpan(1), Admission.Demand(claim, bound, tokens).Full.AsSpan(1), 0, stackalloc long[2]);
    });

    [Fact]
    public void A_cap_that_is_reached_says_what_was_spent_of_it_and_that_it_never_resets()
    {
        var cap = Cap with { Level = LimitLine.Session, Counter = Cap.Counter! with { Ceiling = 50, To = Term.Ever } };
        var problem = Admission.ProblemOf(
            new(cap.Register, RefusalReason.Exhausted, 20), new([cap, Wallet], 1, null), [30, 30], DateTimeOffset.UnixEpoch);
        Assert.Equal((402, "session_cap"), (problem.Status, problem.Code));
        Assert.Equal(new("session", "usd", "0.00000003", "0.00000005", "0.00000001", null), problem.Limit);
    }

    [Fact]
    public void A_request_too_many_says_how_many_may_run_and_to_come_again()
    {
        var slots = Slots with { Level = LimitLine.Key, Counter = Slots.Counter! with { Ceiling = 3, To = Term.Ever } };
        var problem = Admission.ProblemOf(
            new(slots.Register, RefusalReason.Exhausted, 0), new([slots, Wallet], 1, null), [1, 30], DateTimeOffset.UnixEpoch);
        Assert.Equal((429, "concurrent_limit_reached", 1), (problem.Status, problem.Code, problem.RetryAfterSeconds));
        Assert.Equal(new("key", "concurrent", "3", "3", "1", null), problem.Limit);
    }

    static (long[] Used, (long Paid, long Due) Answer) Used(
        ClaimLine[] lines, int firstSource, long[] held, long cost, long tokens, bool answered = true)
    {
        var used = new long[lines.Length];
        var answer = Admission.Used(new(lines, firstSource, null), held, cost, tokens, answered, used);
        return (used, answer);
    }

    static ClaimLine Counter(AccountKind kind, Unit unit) =>
        new(Ids.New(), kind, unit) { Counter = new(kind, unit, null, long.MaxValue, DateTimeOffset.MinValue, DateTimeOffset.MaxValue) };
}
