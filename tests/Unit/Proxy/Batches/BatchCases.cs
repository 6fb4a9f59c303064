using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>
/// A caller with models of both vendors; in batches tokens cost $0.5 in and $1 out per million, half of what they cost outside.
/// </summary>
static class BatchCases
{
    public static readonly Prices Prices = new()
    {
        Input = Usd(1),
        Output = Usd(2),
        Batch = new() { Input = new(Usd(1).Picos / 2), Output = Usd(1) },
    };

    static readonly (string Id, string Wire)[] Providers =
    [
        ("anthropic", ProviderWire.Anthropic),
        ("openai", ProviderWire.OpenAi),
        ("compatible", ProviderWire.OpenAiCompatible),
        ("gemini", ProviderWire.Gemini),
    ];

    static readonly ModelOffer[] Models =
    [
        Offer("claude", "anthropic"),
        Offer("other-claude", "anthropic"),
        Offer("gpt", "openai"),
        Offer("llama", "compatible"),
        Offer("gemini", "gemini"),
        Offer("embedder", "openai") with { Kind = "embedding" },
        Offer("unpriced", "anthropic") with { Prices = null },
        // Of its two providers only the second has batches on this wire.
        Offer("anywhere", "gemini") with { Fallbacks = [Offer("anywhere", "anthropic")] },
    ];

    static readonly Project Project = NewProject();

    /// <param name="models">The credential's scope.</param>
    public static Caller Caller(bool test = false, params string[]? models) => new(new(
        Ids.New(),
        CredentialKind.CustomerKey,
        test,
        CredentialStatus.Active,
        Ids.New(),
        Ids.New(),
        Ids.New(),
        null,
        null,
        null,
        models,
        [],
        null), Project, "f");

    public static Caller Anyone => Caller(false, null);

    public static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    static Rate Usd(int dollars) => new(dollars * 1_000_000_000_000);

    static ModelOffer Offer(string id, string provider) => new(id, "chat", provider, $"{id}-upstream", 10_000, 1_000, Ids.New(), Prices);

    static Project NewProject()
    {
        ProviderConnection[] providers = [.. Providers.Select(one => new ProviderConnection(
            one.Id, one.Wire, "https://api.example.com/v1", "none", null, [], 60, 0, "cancel", Sandbox: false))];
        var envelope = new Envelope([new byte[32]]);
        return new(new(Ids.New(), Ids.New(), "app", true, true, [], providers, Models), envelope);
    }
}
