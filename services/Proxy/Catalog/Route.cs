using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>A model and the provider that answers for it.</summary>
public sealed record Route(ModelOffer Model, Upstream Upstream)
{
    /// <summary>Where to go when this provider fails before the first content; null when there is nowhere else. What a caller may use is asked anew for each.</summary>
    public Route? Next { get; init; }

    /// <summary>True when a model scope names this route, bare or with its provider.</summary>
    public bool IsIn(IReadOnlyList<string> scope)
    {
        foreach (var allowed in scope)
        {
            if (string.Equals(allowed, Model.Id, StringComparison.Ordinal))
                return true;
            if (allowed.Length == Model.Provider.Length + 1 + Model.Id.Length && allowed[Model.Provider.Length] == '/'
                && allowed.StartsWith(Model.Provider, StringComparison.Ordinal) && allowed.EndsWith(Model.Id, StringComparison.Ordinal))
                return true;
        }
        return false;
    }
}
