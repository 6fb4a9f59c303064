using System.Globalization;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.Billing;

/// <summary>An event as a person reads it.</summary>
public static class AlertText
{
    /// <summary>What can be mailed.</summary>
    public static readonly IReadOnlyDictionary<string, string> Titles = new SortedDictionary<string, string>(StringComparer.Ordinal)
    {
        [EventTypes.WalletLowBalance] = "A wallet is below its low mark",
        [EventTypes.WalletExhausted] = "A wallet is empty",
        [EventTypes.WalletFrozen] = "A wallet is frozen",
        [EventTypes.LimitThreshold] = "A limit is used up to a threshold",
        [EventTypes.TopUpFailed] = "A top-up has failed",
        [EventTypes.TopUpAuthenticationRequired] = "A card wants its owner before it pays a top-up",
        [EventTypes.TopUpPaused] = "A wallet is not topped up by itself any more",
        [EventTypes.PayoutFailed] = "A payout has failed",
        [EventTypes.DisputeOpened] = "A payment is disputed at the bank",
        [EventTypes.DisputeClosed] = "A dispute is decided",
        [EventTypes.WebhookEndpointDisabled] = "A webhook endpoint is disabled, and what happens waits for it",
    };

    /// <summary>What is mailed when nobody says what.</summary>
    public static readonly IReadOnlyList<string> Usual =
    [
        EventTypes.WalletLowBalance, EventTypes.WalletExhausted, EventTypes.LimitThreshold, EventTypes.PayoutFailed,
        EventTypes.WebhookEndpointDisabled,
    ];

    /// <summary>
    /// Members of events that are for programs: with them a page pays. An earlier version has told the whole address of an endpoint, which
    /// may have a secret in it.
    /// </summary>
    static readonly HashSet<string> NotMailed = ["clientSecret", "paymentMethod", "publishableKey", "url"];

    /// <summary>The event's id is the mail's: it is mailed once, however often it arrives.</summary>
    public static Mail Of(PublicEvent told, string to)
    {
        using var data = JsonDocument.Parse(told.Data);
        var text = new StringBuilder($"{Titles[told.Type]}.\n\n");
        foreach (var member in data.RootElement.EnumerateObject().Where(member => !NotMailed.Contains(member.Name)))
            text.Append(CultureInfo.InvariantCulture, $"{member.Name}: {Shown(member.Value)}\n");
        text.Append('\n').Append(told.Type).Append(' ').Append(Ids.Show(Ids.Event, told.Id))
            .Append(CultureInfo.InvariantCulture, $", {told.Created.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC\n")
            .Append(told.Test ? "Of the test world.\n" : "")
            .Append("This address is told because a backend of the project has named it (PUT /v1/alerts).\n");
        var whose = data.RootElement.TryGetProperty("customerId", out var id) || data.RootElement.TryGetProperty("endpointId", out id)
            ? $": {Shown(id)}" : "";
        return new(told.Id, to, $"{(told.Test ? "[test] " : "")}{Titles[told.Type]}{whose}", text.ToString());
    }

    static string Shown(JsonElement value) => Line(value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText());

    /// <summary>In one line.</summary>
    public static string Line(string text) => string.Concat(text.Select(one => char.IsControl(one) ? ' ' : one));
}
