namespace LlmGateway.Sessions;

/// <summary>
/// A model's kind and limits: as its project states them, or else as the catalogue has them for the model's first provider that is known
/// there.
/// </summary>
public sealed record ModelLimits(string Kind, long ContextTokens, long MaxOutputTokens)
{
    /// <summary>The limits, or the member that neither of both states.</summary>
    /// <param name="providers">Where they are read apart from the models, one may be missing that was added meanwhile.</param>
    public static (ModelLimits? Limits, string? Missing) Of(
        Model model,
        IReadOnlyDictionary<string, Provider> providers,
        Catalogue catalogue)
    {
        var entry = model.Providers
            .OrderBy(offer => offer.Position)
            .Select(offer => providers.TryGetValue(offer.ProviderId, out var provider)
                ? catalogue.Find(provider, offer.UpstreamModel)?.Model
                : null)
            .FirstOrDefault(found => found is not null);
        var kind = model.Kind ?? entry?.Kind ?? "chat";
        if ((model.ContextTokens ?? entry?.ContextTokens) is not { } context)
            return (null, "contextTokens");
        return (model.MaxOutputTokens ?? entry?.MaxOutputTokens) is { } output && (output > 0 || kind != "chat")
            ? (new(kind, context, output), null)
            : kind == "chat" ? (null, "maxOutputTokens") : (new(kind, context, 0), null);
    }
}
