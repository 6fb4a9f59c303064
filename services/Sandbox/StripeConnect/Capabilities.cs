using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/accounts/…/capabilities</c>. One is active as soon as its account is ready.</summary>
static class Capabilities
{
    static readonly HashSet<string> Known = ["transfers", "card_payments", "us_bank_account_ach_payments", "tax_reporting_us_1099_k"];

    public static void Map(Routes routes)
    {
        routes.Get("/v1/accounts/*/capabilities", "", call =>
        {
            var account = Accounts.Subject(call);
            return Fields.ListOf(account.Object("capabilities")!.Select(each => Shown(account, each.Key)), call.Path);
        });
        routes.Get("/v1/accounts/*/capabilities/*", "", call => Shown(Accounts.Subject(call), call.Ids[1]));
        routes.Post("/v1/accounts/*/capabilities/*", "requested:bool!", call =>
        {
            var (account, name) = (Accounts.Subject(call), call.Ids[1]);
            Require(name, "capability");
            Onboarding.Change(call.World, account, () =>
                Request(account, new() { [name] = new JsonObject { ["requested"] = call.Given.Is("requested") ? "true" : "false" } }));
            Onboarding.Learn(call.World, account, []);
            return Shown(account, name);
        });
    }

    /// <summary>Refuses capabilities that there are not, before anything is changed.</summary>
    public static void Check(JsonObject given)
    {
        foreach (var (name, wish) in given.Object("capabilities") ?? [])
        {
            Require(name, $"capabilities[{name}]");
            if ((wish as JsonObject)?.Text("requested") is not ("true" or "false"))
            {
                throw Refusal.Invalid("Invalid object", $"capabilities[{name}]");
            }
        }
    }

    /// <param name="wanted">As it was sent: texts.</param>
    public static void Request(JsonObject account, JsonObject wanted)
    {
        foreach (var (name, wish) in wanted)
        {
            if (((JsonObject)wish!).Text("requested") == "true")
            {
                account["capabilities"]![name] ??= "inactive";
            }
            else
            {
                account.Object("capabilities")!.Remove(name);
            }
        }
    }

    public static JsonObject Shown(JsonObject account, string name)
    {
        Require(name, "capability");
        var status = account.Object("capabilities")!.Text(name);
        var requirements = (JsonObject)account.Object("requirements")!.DeepClone();
        requirements["disabled_reason"] = status is "inactive" ? "requirements.fields_needed" : null;
        return new()
        {
            ["id"] = name,
            ["object"] = "capability",
            ["account"] = account.Id(),
            ["requested"] = status is not null,
            ["requested_at"] = status is null ? null : account.Long("created"),
            ["requirements"] = requirements,
            ["status"] = status ?? "unrequested",
        };
    }

    static void Require(string name, string param)
    {
        if (!Known.Contains(name))
        {
            throw Refusal.Invalid($"No such capability: '{name}'", param, "resource_missing");
        }
    }
}
