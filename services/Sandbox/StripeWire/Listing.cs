using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>Pages of a list, newest first.</summary>
static class Listing
{
    const int Usual = 10, Most = 100;

    /// <param name="all">Newest first.</param>
    public static JsonObject Page(this Call call, IEnumerable<JsonObject> all)
    {
        var given = call.Given;
        var limit = given.MaybeLong("limit") ?? Usual;
        if (limit is < 1 or > Most)
        {
            throw Refusal.Invalid(
                limit < 1
                    ? "This value must be greater than or equal to 1."
                    : $"This value must be less than or equal to {Most} (see limit).",
                "limit",
                "parameter_invalid_integer");
        }
        var (after, before) = (given.Text("starting_after"), given.Text("ending_before"));
        if (after is not null && before is not null)
        {
            throw Refusal.Invalid("Only one of 'starting_after' and 'ending_before' may be given.", "ending_before");
        }
        var wanted = all.Where(item => InRange(item.Long("created"), given["created"]) && !call.IsUnseen(item));
        if (before is not null)
        {
            // The page that ends before an object is the nearest one, still newest first.
            var newer = wanted.TakeWhile(item => item.Id() != Known(call, before, "ending_before")).ToList();
            return Fields.ListOf(newer.TakeLast((int)limit), call.Path, newer.Count > limit);
        }
        if (after is not null)
        {
            var known = Known(call, after, "starting_after");
            wanted = wanted.SkipWhile(item => item.Id() != known).Skip(1);
        }
        var page = wanted.Take((int)limit + 1).ToList();
        return Fields.ListOf(page.Take((int)limit).Select(item => item.DeepClone()), call.Path, page.Count > limit);
    }

    /// <summary>Newest of one kind, those whose members are as the given parameters of the same names say.</summary>
    public static JsonObject Page(this Call call, string kind, params string[] filters) =>
        call.Page(call.Account.Newest(kind).Where(item => call.Matches(item, filters)));

    /// <summary>Whether the members of an object are as the parameters of the same names say, where they were given.</summary>
    public static bool Matches(this Call call, JsonObject item, params ReadOnlySpan<string> filters)
    {
        foreach (var filter in filters)
        {
            if (call.Given[filter] is { } wanted && !JsonNode.DeepEquals(item[filter], wanted))
            {
                return false;
            }
        }
        return true;
    }

    static string Known(Call call, string id, string param) =>
        call.Account.Related(id)?.Id() ?? throw Refusal.Missing("object", id, param);

    static bool InRange(long created, JsonNode? range) => range switch
    {
        null => true,
        JsonObject bounds => !(created <= bounds.MaybeLong("gt") || created < bounds.MaybeLong("gte")
            || created >= bounds.MaybeLong("lt") || created > bounds.MaybeLong("lte")),
        _ => created == range.GetValue<long>(),
    };
}
