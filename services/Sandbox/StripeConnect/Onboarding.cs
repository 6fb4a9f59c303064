using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// What an account still has to tell, and what it may because of that: not begun, incomplete, under review, restricted, ready, and cut off.
/// </summary>
static class Onboarding
{
    /// <summary>What everybody has to tell, in the order of the form.</summary>
    public static readonly IReadOnlyList<string> All =
    [
        "business_type", "individual.first_name", "individual.last_name", "individual.dob.year", "individual.address.line1",
        "external_account", "tos_acceptance.date",
    ];

    /// <summary>Born in this year, a person is looked at by hand; at Stripe such dates of birth do the same.</summary>
    const long ReviewedYear = 1902;

    const string Document = "individual.verification.document";

    public static void Begin(World world, JsonObject account)
    {
        account["_told"] = new JsonArray();
        Judge(world, account);
    }

    /// <summary>Takes what a call or the form says of the account.</summary>
    public static void Learn(World world, JsonObject account, JsonObject given)
    {
        Change(world, account, () =>
        {
            foreach (var field in All.Where(field => Says(given, field)))
            {
                Tell(account, field);
            }
            if (given.Object("individual")?.Object("dob")?.Long("year") == ReviewedYear)
            {
                account["_reviewed"] = true;
            }
            if (given.Object("tos_acceptance") is { } terms)
            {
                account.Merge(new() { ["tos_acceptance"] = terms.DeepClone() }, "tos_acceptance");
            }
            if (given["external_account"] is { } external)
            {
                ExternalAccounts.Add(world.Account(account.Id())!, account, external);
            }
            Judge(world, account);
        });
    }

    /// <summary>Puts an account into a state that otherwise people and Stripe decide.</summary>
    /// <param name="state"><c>not_begun</c>, <c>incomplete</c>, <c>under_review</c>, <c>restricted</c>, <c>ready</c>.</param>
    /// <returns>False when there is no such state.</returns>
    public static bool TrySet(World world, JsonObject account, string state)
    {
        if (state is not ("not_begun" or "incomplete" or "under_review" or "restricted" or "ready"))
        {
            return false;
        }
        Change(world, account, () =>
        {
            account["_told"] = new JsonArray();
            var told = state switch { "not_begun" => 0, "incomplete" => All.Count / 2, _ => All.Count };
            foreach (var field in All.Take(told))
            {
                Tell(account, field);
            }
            account["_reviewed"] = state == "under_review";
            account["_restricted"] = state == "restricted" ? "requirements.past_due" : null;
            if (told == All.Count && account.Object("external_accounts")!.Items("data").Count == 0)
            {
                ExternalAccounts.Add(world.Account(account.Id())!, account, "btok_us_verified");
            }
            Judge(world, account);
        });
        return true;
    }

    public static void Restrict(World world, JsonObject account, string reason) => Change(world, account, () =>
    {
        account["_restricted"] = reason;
        Judge(world, account);
    });

    /// <summary>Changes an account; the platform hears of it as an event of the account.</summary>
    public static void Change(World world, JsonObject account, Action change)
    {
        var state = world.Account(account.Id())!;
        var before = (JsonObject)account.Object("capabilities")!.DeepClone();
        state.Change(account, "account.updated", change);
        foreach (var (name, status) in account.Object("capabilities")!)
        {
            if (!JsonNode.DeepEquals(before[name], status) && before.ContainsKey(name))
            {
                state.Emit("capability.updated", Capabilities.Shown(account, name));
            }
        }
    }

    public static void Deauthorize(World world, Account account)
    {
        account.Emit("account.application.deauthorized", new()
        {
            ["id"] = "ca_sandbox" + StripeIds.Fingerprint(world.Name), ["object"] = "application", ["name"] = "LLM Gateway sandbox",
        });
        account.IsDeauthorized = true;
    }

    static bool Says(JsonObject given, string field)
    {
        JsonNode? at = given;
        foreach (var step in field.Split('.'))
        {
            at = (at as JsonObject)?[step];
        }
        return at is not null;
    }

    static void Tell(JsonObject account, string field)
    {
        var told = (JsonArray)account["_told"]!;
        if (!told.Any(each => each!.GetValue<string>() == field))
        {
            told.Add(field);
        }
    }

    static void Judge(World world, JsonObject account)
    {
        var due = All.Except(account.Items("_told").Select(each => each.GetValue<string>())).ToList();
        var restricted = account.Text("_restricted");
        var (isTold, isReviewed) = (due.Count == 0, account.Is("_reviewed"));
        var isReady = isTold && !isReviewed && restricted is null;
        if (restricted is not null)
        {
            due.Add(Document);
        }
        account["details_submitted"] = isTold;
        account["payouts_enabled"] = isReady;
        account["charges_enabled"] = isReady && account.Object("capabilities")!.ContainsKey("card_payments");
        account["requirements"] = new JsonObject
        {
            ["alternatives"] = new JsonArray(),
            ["current_deadline"] = null,
            ["currently_due"] = Names(due),
            ["disabled_reason"] = restricted
                ?? (!isTold ? "requirements.past_due" : isReviewed ? "requirements.pending_verification" : null),
            ["errors"] = restricted is null ? new JsonArray() : new JsonArray(new JsonObject
            {
                ["code"] = "verification_document_failed_copy",
                ["reason"] = "Copies (including photos or scans) of the original document cannot be read.",
                ["requirement"] = Document,
            }),
            ["eventually_due"] = Names(due),
            ["past_due"] = Names(due),
            ["pending_verification"] = isReviewed ? Names([Document]) : new JsonArray(),
        };
        var capabilities = account.Object("capabilities")!;
        foreach (var name in capabilities.Select(each => each.Key).ToList())
        {
            capabilities[name] = isReady ? "active" : isTold && isReviewed ? "pending" : "inactive";
        }
        Payouts.Schedule(world.Account(account.Id())!, account);
    }

    static JsonArray Names(IEnumerable<string> names) => [.. names.Select(name => (JsonNode)name)];
}
