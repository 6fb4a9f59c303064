using System.Text.Json;

namespace LlmGateway.Billing;

/// <summary>
/// What we read of an event, by the names of its members. Its shape is that of the version that its endpoint is pinned to, and connected
/// accounts have versions of their own; none of them may cost an event, so nothing else is asked of it.
/// </summary>
/// <param name="Account">The connected account that it is of; null: our own.</param>
/// <param name="About">The id of what it is about, when that has one.</param>
/// <param name="Intent">The PaymentIntent that this belongs to, or is.</param>
/// <param name="Holder">Stripe's customer whose it is, or was.</param>
public sealed record StripeEvent(
    string Id, string Type, bool Livemode, string? Account, string? ApiVersion, DateTimeOffset Created, string? About, string? Intent,
    string? Holder)
{
    const int MaxId = 255;

    /// <summary>Null when the bytes are no event.</summary>
    public static StripeEvent? Read(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            return Read(json.RootElement);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static StripeEvent? Read(JsonElement root)
    {
        if (Text(root, "id") is not { Length: <= MaxId } id || Text(root, "type") is not { Length: <= MaxId } type
            || !root.TryGetProperty("livemode", out var livemode) || livemode.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
            return null;
        var data = Member(root, "data");
        var about = Member(data, "object");
        var kind = Text(about, "object");
        var own = Text(about, "id");
        return new(
            id, type, livemode.GetBoolean(), Text(root, "account"), Text(root, "api_version"), Moment(root), own,
            kind == "payment_intent" ? own : IdOf(about, "payment_intent"),
            IdOf(about, "customer") ?? IdOf(Member(data, "previous_attributes"), "customer"));
    }

    /// <summary>As a text, or as the object that it is expanded to.</summary>
    static string? IdOf(JsonElement? of, string name) => Text(of, name) ?? Text(Member(of, name), "id");

    static DateTimeOffset Moment(JsonElement root) =>
        Member(root, "created") is { ValueKind: JsonValueKind.Number } created && created.TryGetInt64(out var seconds)
            && seconds is >= 0 and < 253402300800
                ? DateTimeOffset.FromUnixTimeSeconds(seconds)
                : DateTimeOffset.UnixEpoch;

    static JsonElement? Member(JsonElement? of, string name) =>
        of is { ValueKind: JsonValueKind.Object } found && found.TryGetProperty(name, out var member) ? member : null;

    static string? Text(JsonElement? of, string name) =>
        Member(of, name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
}
