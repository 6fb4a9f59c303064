using System.Collections.Frozen;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>The headers of the Messages API that callers choose, and the values whose cost is known.</summary>
static class AnthropicHeaders
{
    /// <summary>The one version that our meters read.</summary>
    const string Version = "2023-06-01";

    /// <summary>Lets a model read a million tokens, at a higher price for what lies beyond the usual 200 000.</summary>
    const string LongContext = "context-1m-2025-08-07";
    const long LongContextTokens = 1_000_000;

    /// <summary>
    /// Betas that cost what their tokens cost, and add none that the body does not have. Three kinds are left out on purpose. Some make the
    /// provider fetch or run something: <c>web-fetch</c>, <c>code-execution</c>, <c>mcp-client</c>, <c>skills</c>. One refers to content
    /// outside of the body: <c>files-api</c>. Some have a price of their own: <c>fast-mode</c>, <c>compact</c>.
    /// </summary>
    static readonly FrozenSet<string> Betas = FrozenSet.Create(
        StringComparer.Ordinal,
        "claude-code-20250219",
        "context-management-2025-06-27",
        "effort-2025-11-24",
        "extended-cache-ttl-2025-04-11",
        "fine-grained-tool-streaming-2025-05-14",
        "interleaved-thinking-2025-05-14",
        "max-tokens-3-5-sonnet-2024-07-15",
        "message-batches-2024-09-24",
        "model-context-window-exceeded-2025-08-26",
        "output-128k-2025-02-19",
        "pdfs-2024-09-25",
        "prompt-caching-2024-07-31",
        "prompt-caching-scope-2026-01-05",
        "search-results-2025-06-09",
        "structured-outputs-2025-11-13",
        "token-counting-2024-11-01",
        "token-efficient-tools-2025-02-19",
        "tool-examples-2025-10-29");

    public static readonly IReadOnlyList<PassedHeader> All =
    [
        new("anthropic-version", Version, (value, _) => value == Version),
        new("anthropic-beta", null, (value, model) => Betas.Contains(value) || (value == LongContext && HasLongContext(model))),
    ];

    /// <summary>The hold covers what the model on offer can read, so the offer must know of the long context.</summary>
    static bool HasLongContext(ModelOffer? model) => model?.ContextTokens >= LongContextTokens;
}
