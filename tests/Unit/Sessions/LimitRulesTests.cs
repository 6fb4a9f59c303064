using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>Limits as their owners write them.</summary>
public sealed class LimitRulesTests
{
    static readonly Guid Customer = Ids.New(), Key = Ids.New();

    static readonly Dictionary<string, Guid> Keys = new() { ["n8n"] = Key, [Ids.Show(Ids.Key, Key)] = Key };

    const string Valid = """{"unit": "tokens", "amount": "1000", "cycle": "month"}""";

    public static TheoryData<string, string, string> Mistakes => new()
    {
        { Valid.Replace("tokens", "words"), "[0].unit", "must be one of tokens, requests, usd, windows" },
        { Valid.Replace("\"1000\"", "0"), "[0].amount", "must be above 0. Leave the limit out to remove it, or block the customer" },
        { Valid.Replace("1000", "-5"), "[0].amount", "must be above 0. Leave the limit out to remove it, or block the customer" },
        { Valid.Replace("1000", "1.5"), "[0].amount", "must be a whole number" },
        { Valid.Replace("1000", "1e30"), "[0].amount", "is too large" },
        { Valid.Replace("1000", "1000000000000000001"), "[0].amount", "is too large" },
        { Valid.Replace("1000", "many"), "[0].amount", "must be a decimal number" },
        { Valid.Replace("1000", "NaN"), "[0].amount", "must be a decimal number" },
        { Valid.Replace("\"1000\"", "true"), "[0].amount", "must be a decimal number" },
        { Valid.Replace("tokens", "usd").Replace("1000", "0.0000000001"), "[0].amount", "must have at most 9 decimals" },
        { Valid.Replace("month", "fortnight"), "[0].cycle", Cycle },
        { Valid.Replace("month", "days:10"), "[0].cycle", Cycle },
        { Valid.Replace("\"month\"", "{\"days\": 0}"), "[0].cycle", Cycle },
        { Valid.Replace("\"month\"", "{\"days\": 367}"), "[0].cycle", Cycle },
        { Valid.Replace("\"month\"", "{\"days\": 1.5}"), "[0].cycle", Cycle },
        { Valid.Replace("\"month\"", "{\"days\": 2, \"hours\": 1}"), "[0].cycle", Cycle },
        { Valid.Replace("\"month\"", "{}"), "[0].cycle", Cycle },
        { Valid.Replace("\"month\"", "30"), "[0].cycle", Cycle },
        { With("\"timeZone\": \"Europe/Atlantis\""), "[0].timeZone", "names 'Europe/Atlantis', which is no IANA time zone" },
        { With("\"timeZone\": \"UTC+05:30\""), "[0].timeZone", "names 'UTC+05:30', which is no IANA time zone" },
        { With("\"anchor\": \"2026-02-30\""), "[0].anchor", Anchor },
        { With("\"anchor\": \"2026-01-31T00:00:00Z\""), "[0].anchor", Anchor },
        { With("\"anchor\": \"31.01.2026\""), "[0].anchor", Anchor },
        { With("\"anchor\": \"0001-01-01\""), "[0].anchor", Anchor },
        { With("\"anchor\": \"9999-12-31\""), "[0].anchor", Anchor },
        { With("\"id\": \"a b\""), "[0].id", "must be 1 to 64 letters, digits, dots, dashes or underscores" },
        { With("\"id\": \"\""), "[0].id", "must be 1 to 64 letters, digits, dots, dashes or underscores" },
        { With("\"selector\": {\"models\": []}"), "[0].selector.models", "must have from 1 to 200 models" },
        { With("\"selector\": {\"models\": [\"\"]}"), "[0].selector.models[0]", "must not be empty" },
        { With("\"selector\": {\"models\": [null]}"), "[0].selector.models[0]", "must not be empty" },
        { With("\"selector\": {\"keys\": []}"), "[0].selector.keys", "must have from 1 to 100 keys" },
        { With("\"selector\": {\"members\": [\"ann\"]}"), "[0].selector.members", "is not supported yet" },
        { With("\"selector\": {\"tags\": [\"blue\"]}"), "[0].selector.tags", "is not supported yet" },
        { With("\"id\": \"a\"") + ", " + With("\"id\": \"a\""), "[1].id", "'a' is there twice" },
        { string.Join(", ", Enumerable.Repeat(Valid, 15)), "", "may have at most 14 limits" },
    };

    const string Cycle = "must be hour, day, week, month, quarter, year or {\"days\": n} with n from 1 to 366";

    const string Anchor = "must be a local date or time in the years 1970 to 2199, such as 2026-01-31 or 2026-01-31T06:00";

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_has_the_same_message_in_a_seed_file_and_in_a_call(string limits, string path, string reason)
    {
        var called = Assert.Throws<ProblemException>(() => MustBeRight(Parse(limits))).Problem;

        Assert.Equal((path.Length == 0 ? null : path, 400), (called.Param, called.Status));
        Assert.Equal(path.Length == 0 ? $"The list {reason}." : $"'{path}' {reason}.", called.Message);
        if (!limits.Contains("null", StringComparison.Ordinal)) // which seed files have nowhere in lists
            Assert.Equal(
                $"organizations[0].projects[0].customers[0].limits{path} {reason}",
                Assert.Throws<SeedException>(() => Seed(limits)).Message);
    }

    [Theory]
    [InlineData("{\"unit\": \"tokens\", \"cycle\": \"month\"}", "[0].amount", "'[0].amount' is required.")]
    [InlineData("{\"unit\": \"tokens\", \"amount\": 1, \"cycle\": \"month\", \"per\": 1}", "[0].per",
        "'[0].per' is not a member that this call has.")]
    [InlineData("{\"unit\": \"tokens\", \"amount\": 1, \"amount\": 2, \"cycle\": \"month\"}", "[0].amount",
        "The body has the member '[0].amount' twice in one object.")]
    [InlineData("{\"unit\": 7, \"amount\": 1, \"cycle\": \"month\"}", "[0].unit", "'[0].unit' has the wrong type or form.")]
    [InlineData("null", "[0]", "'[0]' must not be null.")]
    public void A_list_that_cannot_be_read_names_the_place(string limits, string path, string message)
    {
        var problem = Assert.Throws<ProblemException>(() => MustBeRight(Parse(limits))).Problem;

        Assert.Equal((path, message), (problem.Param, problem.Message));
    }

    [Fact]
    public void A_limit_is_stored_as_it_was_written()
    {
        var limits = Parse("""
            {"unit": "usd", "amount": 12.500000001, "cycle": {"days": 10}, "anchor": "2026-01-31T06:30", "timeZone": "Asia/Kolkata",
             "selector": {"models": ["small", "large", "small"], "keys": ["n8n"]}},
            {"id": "my.limit", "unit": "requests", "amount": "10", "cycle": "quarter"}
            """);
        MustBeRight(limits);

        var now = new DateTimeOffset(2026, 11, 27, 0, 0, 0, TimeSpan.Zero);
        var views = LimitRules.Rows(Customer, limits, [], Keys)
            .Select(limit => LimitView.Of(limit, new Dictionary<Guid, CounterState>(), now)).ToList();

        Assert.Equal(("usd", "12.500000001", "2026-01-31T06:30:00"), (views[0].Unit, views[0].Amount, views[0].Anchor));
        Assert.Equal(["large", "small"], views[0].Selector!.Models!);
        Assert.Equal([Ids.Show(Ids.Key, Key)], views[0].Selector!.Keys!);
        Assert.Equal(("my.limit", "10", (string?)null), (views[1].Id, views[1].Amount, views[1].Anchor));
        var json = JsonSerializer.Serialize(views, Defaults.Json);
        Assert.Contains("\"cycle\":{\"days\":10}", json, StringComparison.Ordinal);
        Assert.Contains("\"cycle\":\"quarter\"", json, StringComparison.Ordinal);
    }

    [Fact]
    public void A_limit_without_an_id_is_the_one_that_counts_the_same()
    {
        var first = Rows([], Valid, With("\"id\": \"mine\", \"timeZone\": \"Asia/Tokyo\""));
        var again = Rows(first, With("\"timeZone\": \"Asia/Tokyo\"").Replace("1000", "5"), Valid.Replace("1000", "7"));

        Assert.Equal(["mine", first[0].Id], again.Select(limit => limit.Id));
        Assert.Equal([5, 7], again.Select(limit => limit.Amount));
    }

    [Theory]
    [InlineData("{\"unit\": \"tokens\", \"amount\": 5, \"cycle\": \"month\", \"anchor\": \"2025-07-01\"}")]
    [InlineData("{\"unit\": \"tokens\", \"amount\": 5, \"cycle\": \"month\", \"timeZone\": \"UTC\", \"selector\": {}}")]
    [InlineData("{\"id\": \"other\", \"unit\": \"tokens\", \"amount\": 1000, \"cycle\": \"month\"}")]
    public void Two_limits_that_count_the_same_are_refused_however_they_are_written(string other)
    {
        Assert.Equal(("limits[1]", "counts the same as [0]"), LimitRules.Clash(Rows([], Valid, other), "limits"));
        Assert.Null(LimitRules.Clash(Rows([], Valid, other.Replace("month", "quarter")), "limits"));
    }

    [Fact]
    public void A_week_is_seven_days_and_keeps_the_form_that_it_was_written_in()
    {
        var (week, days) = (Valid.Replace("month", "week"), Valid.Replace("\"month\"", "{\"days\": 7}"));

        Assert.Equal(("[1]", "counts the same as [0]"), LimitRules.Clash(Rows([], week, days), ""));
        Assert.Equal(["week", "days:7"], Rows([], week, days).Select(limit => limit.Cycle));
    }

    [Fact]
    public void A_key_may_be_called_by_id_or_name_and_is_one_key()
    {
        var byName = With("\"selector\": {\"keys\": [\"n8n\"]}");
        var byId = With($$"""
            "selector": {"keys": ["{{Ids.Show(Ids.Key, Key)}}"]}
            """);

        Assert.Equal(("[1]", "counts the same as [0]"), LimitRules.Clash(Rows([], byName, byId), ""));
    }

    [Theory]
    [InlineData("{\"amount\": 1000, \"cycles\": 1}", "amount", "'amount' must be above the limit's own, 1000.")]
    [InlineData("{\"amount\": 0, \"cycles\": 1}", "amount",
        "'amount' must be above 0. Leave the limit out to remove it, or block the customer.")]
    [InlineData("{\"amount\": 2000.5, \"cycles\": 1}", "amount", "'amount' must be a whole number.")]
    [InlineData("{\"amount\": 2000}", "until", "'until' or 'cycles' is required.")]
    [InlineData("{\"amount\": 2000, \"cycles\": 1, \"until\": \"2026-12-01T00:00:00Z\"}", "cycles",
        "'cycles' stands instead of 'until', not beside it.")]
    [InlineData("{\"amount\": 2000, \"until\": \"2026-11-27T12:00:00Z\"}", "until", "'until' must be in the next 366 days.")]
    [InlineData("{\"amount\": 2000, \"until\": \"2028-01-01T00:00:00Z\"}", "until", "'until' must be in the next 366 days.")]
    [InlineData("{\"amount\": 2000, \"cycles\": 0}", "cycles", "'cycles' must be above 0.")]
    [InlineData("{\"amount\": 2000, \"cycles\": 2147483647}", "cycles", "'cycles' must end in the next 366 days.")]
    public void A_raise_that_cannot_be_is_refused_by_name(string body, string param, string message)
    {
        var problem = Assert.Throws<ProblemException>(() => Raise(body)).Problem;

        Assert.Equal((param, message), (problem.Param, problem.Message));
    }

    [Theory]
    [InlineData("{\"amount\": 2000, \"cycles\": 1}", "2026-12-01T00:00:00Z")]
    [InlineData("{\"amount\": 2000, \"cycles\": 3}", "2027-02-01T00:00:00Z")]
    [InlineData("{\"amount\": 2000, \"until\": \"2026-11-28T01:00:00+01:00\"}", "2026-11-28T00:00:00Z")]
    public void A_raise_begins_now_and_ends_with_its_last_cycle_or_when_it_says(string body, string end)
    {
        var raise = Raise(body);

        Assert.Equal((2000, Now, DateTimeOffset.Parse(end)), (raise.Amount, raise.StartsAt, raise.EndsAt));
        Assert.Equal(TimeSpan.Zero, raise.EndsAt.Offset);
    }

    static readonly DateTimeOffset Now = new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero);

    static LimitRaise Raise(string body) =>
        RaiseLimit.Read(Body.Parse<RaiseLimit.Request>(Encoding.UTF8.GetBytes(body)), Rows([], Valid)[0], Now);

    static string With(string member) => Valid.Replace("}", $", {member}}}");

    static IReadOnlyList<LimitRequest> Parse(string limits) =>
        Body.Parse<IReadOnlyList<LimitRequest>>(Encoding.UTF8.GetBytes($"[{limits}]"));

    static void MustBeRight(IReadOnlyList<LimitRequest> limits) => PutLimits.MustBeRight(limits);

    static IReadOnlyList<CustomerLimit> Rows(IReadOnlyCollection<CustomerLimit> known, params string[] limits) =>
        LimitRules.Rows(Customer, Parse(string.Join(", ", limits)), known, Keys);

    static void Seed(string limits) => SeedReader.Read(
        Encoding.UTF8.GetBytes(
            """{"organizations": [{"name": "x", "projects": [{"name": "p", "customers": [{"externalId": "c", "limits": ["""
                + limits + "]}]}]}]}"),
        _ => null);
}
