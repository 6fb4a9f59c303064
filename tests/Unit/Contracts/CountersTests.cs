using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

public sealed class CountersTests
{
    static readonly Guid Owner = new("00000000-0000-0000-0000-000000000001"), Key = new("00000000-0000-0000-0000-000000000002");

    const string Month = "2:1:2024-01-01T00:00:00:UTC";

    /// <summary>
    /// An identity is made of these alone. A limit's amount and its own id are no part of it, so that a changed limit goes on with what was
    /// used.
    /// </summary>
    [Fact]
    public void A_counter_is_known_by_what_it_counts_for_whom_and_since_when()
    {
        var identities = new[]
        {
            Identity(Owner, Unit.Tokens),
            Identity(Key, Unit.Tokens),
            Identity(Owner, Unit.Requests),
            Counters.Identity(Owner, Unit.Tokens, null, "1:1:2024-01-01T00:00:00:UTC", null),
            Counters.Identity(Owner, Unit.Credits, CallCredits.Denomination(Owner, "standard"), Month, null),
            Counters.Identity(Owner, Unit.Credits, CallCredits.Denomination(Owner, "premium"), Month, null),
            Identity(Owner, Unit.Tokens, ["small"]),
            Identity(Owner, Unit.Tokens, ["small", "large"]),
            Identity(Owner, Unit.Tokens, ["5:small5:large"]),
            Identity(Owner, Unit.Tokens, ["small"], [Key]),
            Identity(Owner, Unit.Tokens, null, [Key]),
        };

        Assert.Distinct(identities);
        Assert.Equal(Identity(Owner, Unit.Tokens, ["small"]), Identity(Owner, Unit.Tokens, ["small"]));
    }

    /// <summary>Counters are found by them for ever.</summary>
    [Fact]
    public void Ids_of_counters_never_change()
    {
        var identity = Identity(Owner, Unit.UsdLimit, ["small"], [Key]);

        Assert.Equal(
            Ids.Derive(
                Owner, "counter:1::2:1:2024-01-01T00:00:00:UTC:models(5:small)keys(00000000000000000000000000000002)"), identity);
        Assert.Equal(Ids.Derive(identity, "2026-11-01"), Counters.Register(identity, "2026-11-01"));
        Assert.Equal(Ids.Derive(Owner, "counter:2::" + Month + ":"), Identity(Owner, Unit.Tokens));
        Assert.Equal(Ids.Derive(Owner, "cap"), Counters.Cap(Owner));
        Assert.Equal(Ids.Derive(Owner, "2026-11-01"), Counters.Quota(Owner, "2026-11-01"));
        Assert.Equal(Ids.Derive(Owner, "query:standard"), CallCredits.Denomination(Owner, "standard"));
    }

    [Fact]
    public void A_cycle_has_a_counter_of_its_own() =>
        Assert.NotEqual(Counters.Register(Owner, "2026-11-01"), Counters.Register(Owner, "2026-12-01"));

    [Fact]
    public void A_selector_counts_what_matches_in_every_member()
    {
        string[] named = ["small", "openai/small"];

        Assert.True(new Selector(["small"], null).Matches(named, Key));
        Assert.True(new Selector(["openai/small", "other"], [Key]).Matches(named, Key));
        Assert.False(new Selector(["smal"], null).Matches(named, Key));
        Assert.False(new Selector(["small"], [Owner]).Matches(named, Key));
        Assert.False(new Selector(null, [Owner]).Matches(named, Key));
    }

    [Theory]
    [InlineData(AccountKind.Cap, 2), InlineData(AccountKind.Limit, 3), InlineData(AccountKind.Quota, 4), InlineData(AccountKind.Slots, 5)]
    [InlineData(AccountKind.Windows, 6), InlineData(AccountKind.Credits, 7), InlineData(AccountKind.Covered, 104)]
    [InlineData(AccountKind.Used, 111)]
    public void Kinds_of_accounts_keep_their_numbers(AccountKind kind, int number) => Assert.Equal(number, (int)kind);

    [Theory]
    [InlineData(Unit.UsdLimit, 1), InlineData(Unit.Tokens, 2), InlineData(Unit.Requests, 3), InlineData(Unit.Windows, 4)]
    [InlineData(Unit.Credits, 5), InlineData(Unit.Slots, 6)]
    public void Units_keep_their_numbers(Unit unit, int number) => Assert.Equal(number, (int)unit);

    static Guid Identity(Guid owner, Unit unit, string[]? models = null, Guid[]? keys = null) =>
        Counters.Identity(owner, unit, null, Month, models is null && keys is null ? null : new(models, keys));
}
