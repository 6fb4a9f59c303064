using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/account_links</c>: the way to the onboarding page, for one visit within five minutes.</summary>
static class AccountLinks
{
    const long Lifetime = 5 * 60;
    const int Most = 1_000;

    public static void Map(Routes routes) => routes.Post(
        "/v1/account_links",
        "account! type:account_onboarding|account_update! refresh_url return_url collect "
            + "collection_options{fields:currently_due|eventually_due future_requirements:omit|include}",
        Create);

    static JsonObject Create(Call call)
    {
        var given = call.Given;
        var account = call.World.Platform.Find("account", given.Text("account"));
        if (account is null || call.World.Account(account.Id()) is not { IsDeauthorized: false, IsPlatform: false })
        {
            throw Refusal.Missing("account", given.Text("account"), "account");
        }
        foreach (var name in new[] { "refresh_url", "return_url" })
        {
            if (given.Text(name) is not { } url)
            {
                throw Refusal.Invalid($"Missing required param: {name}.", name, "parameter_missing");
            }
            if (!Uri.TryCreate(url, UriKind.Absolute, out var parsed) || parsed.Scheme is not ("http" or "https"))
            {
                throw Refusal.Invalid("Not a valid URL", name, "url_invalid");
            }
        }
        if (given.Text("type") == "account_update" && account.Object("controller")!.Text("requirement_collection") == "stripe")
        {
            throw Refusal.Invalid(
                "You cannot create `account_update` type Account Links for this account. Use `account_onboarding`.", "type");
        }
        var token = StripeIds.SmallText(20);
        if (account["_links"] is not JsonObject { Count: < Most } links)
        {
            account["_links"] = links = [];
        }
        links[token] = new JsonObject
        {
            ["return_url"] = given.Text("return_url"), ["refresh_url"] = given.Text("refresh_url"), ["until"] = call.Now + Lifetime,
        };
        return new()
        {
            ["object"] = "account_link",
            ["created"] = call.Now,
            ["expires_at"] = call.Now + Lifetime,
            ["url"] = $"{call.World.Address}/pages/onboarding/{call.World.Name}/{account.Id()}/{token}",
        };
    }
}
