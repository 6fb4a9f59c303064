using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>The bank's page on which a cardholder confirms a payment or a card, or does not.</summary>
static class AuthenticationPage
{
    public static IResult Show(StripePages.Visit visit)
    {
        var secret = visit.Path is [var given] ? given : "";
        var platform = visit.World.Platform;
        var account = visit.World.Connected.Prepend(platform).FirstOrDefault(each => Of(each, secret) is not null);
        if (account is null || Of(account, secret) is not { } intent)
        {
            throw Refusal.Missing("authentication", secret, "id");
        }
        if (visit.Sent is null)
        {
            return Html.Page(
                "Confirm with your bank",
                $"<p>{Text(intent)}</p><form method=\"post\">{Html.Button("outcome", "complete", "Complete")}"
                    + $"{Html.Button("outcome", "fail", "Fail", isPlain: true)}</form>");
        }
        if (intent.Status() != "requires_action")
        {
            throw PaymentIntents.Unexpected(intent, $"There is nothing to confirm: the status is {intent.Status()}.");
        }
        var (isPayment, isSuccess) = (intent.Text("object") == "payment_intent", visit.Sent.GetValueOrDefault("outcome") == "complete");
        if (isPayment)
        {
            Confirmation.Authenticate(account, intent, isSuccess);
        }
        else
        {
            SetupIntents.Authenticate(account, intent, isSuccess);
        }
        return Return(intent, isPayment);
    }

    static IResult Return(JsonObject intent, bool isPayment)
    {
        var kind = isPayment ? "payment_intent" : "setup_intent";
        var outcome = intent.Status() is "succeeded" or "processing" or "requires_capture" ? "succeeded" : "failed";
        return intent.Text("_return_url") is { } back
            ? StripePages.Back(
                back, (kind, intent.Id()), ($"{kind}_client_secret", intent.Text("client_secret")!), ("redirect_status", outcome))
            : Html.Page("Back to the shop", $"<p>It has {outcome}. This window can be closed.</p>");
    }

    static JsonObject? Of(Account account, string secret)
    {
        var id = secret.Split("_secret_")[0];
        var intent = account.Find("payment_intent", id) ?? account.Find("setup_intent", id);
        return intent?.Text("client_secret") == secret ? intent : null;
    }

    static string Text(JsonObject intent) => intent.Text("object") == "payment_intent"
        ? $"A payment of {Amounts.Text(intent.Long("amount"), intent.Text("currency")!)} {intent.Text("currency")!.ToUpperInvariant()}."
        : "A card that is to be charged later.";
}
