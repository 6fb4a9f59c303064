namespace LlmGateway.Webhooks;

/// <summary>The failpoints of this service, each with a sentence on what has happened when it is passed.</summary>
public static class Failpoints
{
    public static readonly IReadOnlyDictionary<string, string> All = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["webhooks.event.received"] = "An event is here and not in the table.",
        ["webhooks.event.kept"] = "It is in the table; the broker does not know.",
    };
}
