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
        [EventTypes.DisputeOpened] = "A payment is disputed at the bank",
        [EventTypes.DisputeClosed] = "A dispute is decided",
    };

    /// <summary>What is mailed when nobody says what.</summary>
    public static readonly IReadOnlyList<string> Usual =
        [EventTypes.WalletLowBalance, EventTypes.WalletExhausted, EventTypes.LimitThreshold];

    /// <summary>The event's id is the mail's: it is mailed once, however often it arrives.</summary>
    public static Mail Of(PublicEvent told, string to)
    {
        using var data = JsonDocument.Parse(told.Data);
        var text = new StringBuilder($"{Titles[told.Type]}.\n\n");
        foreach (var member in data.RootElement.EnumerateObject())
            text.Append(CultureInfo.InvariantCulture, $"{member.Name}: {Shown(member.Value)}\n");
        text.Append('\n').Append(told.Type).Append(' ').Append(Ids.Show(Ids.Event, told.Id))
            .Append(CultureInfo.InvariantCulture, $", {told.Created.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC\n")
            .Append(told.Test ? "Of the test world.\n" : "")
            .Append("This address is told because a backend of the project has named it (PUT /v1/alerts).\n");
        var customer = data.RootElement.TryGetProperty("customerId", out var id) ? $": {Shown(id)}" : "";
        return new(told.Id, to, $"{(told.Test ? "[test] " : "")}{Titles[told.Type]}{customer}", text.ToString());
    }

    /// <summary>In one line.</summary>
    static string Shown(JsonElement value) =>
        string.Concat((value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText())
            .Select(one => char.IsControl(one) ? ' ' : one));
}
