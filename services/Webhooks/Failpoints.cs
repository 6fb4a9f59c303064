namespace LlmGateway.Webhooks;

/// <summary>The failpoints of this service, each with a sentence on what has happened when it is passed.</summary>
public static class Failpoints
{
    public static readonly IReadOnlyDictionary<string, string> All = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["webhooks.event.received"] = "An event is here and not in the table.",
        ["webhooks.event.kept"] = "It is in the table, and its deliveries are; the broker does not know.",
        ["webhooks.endpoint.created"] = "An endpoint has its secret; its owner knows neither.",
        ["webhooks.secret.rotated"] = "A new secret signs, too; its owner does not know it.",
        ["webhooks.endpoint.held"] = "An endpoint is this worker's; nothing is sent.",
        ["webhooks.attempt.begun"] = "An event is signed for a receiver and not sent.",
        ["webhooks.attempt.answered"] = "The receiver has answered; nothing is written down.",
        ["webhooks.attempt.recorded"] = "The attempt and what follows from it are in the tables.",
        ["webhooks.endpoint.released"] = "The endpoint is nobody's again.",
    };
}
