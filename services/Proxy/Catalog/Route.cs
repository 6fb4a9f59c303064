using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>Kinds of sources.</summary>
[Flags]
public enum Payers { Nothing = 0, Quota = 1, Credits = 2, Wallet = 4, All = Quota | Credits | Wallet }

/// <summary>A model and the provider that answers for it.</summary>
public sealed record Route(ModelOffer Model, Upstream Upstream)
{
    /// <summary>
    /// The next provider, for when this one fails before the first content; null when there is none. The caller's permissions are checked
    /// for each provider.
    /// </summary>
    public Route? Next { get; init; }

    /// <summary>The type of call credits that pay for its calls. Null: none do.</summary>
    public string? QueryType { get; init; }

    /// <summary>What may pay for its calls, besides the limits that each of them must fit into.</summary>
    public Payers PaidBy { get; init; } = Payers.All;

    /// <summary>Nobody pays for its calls.</summary>
    public bool IsFree => QueryType == CallCredits.Free;

    /// <summary>
    /// Its calls cost a call credit and have no price. Whom nothing pays for is elsewhere only limited, and a limit of money does not see
    /// what has none.
    /// </summary>
    public bool NeedsCredit => QueryType is not null && !IsFree && PaidBy.HasFlag(Payers.Credits) && !PaidBy.HasFlag(Payers.Wallet);

    /// <summary>
    /// Raw calls of all providers have the same name, which says nothing without the provider's: <c>*</c> alone would be those of each.
    /// </summary>
    public bool HasBareName => Model.Id != ProviderRoutes.AnyCall;

    /// <summary>True when a model scope names this route, bare or with its provider.</summary>
    public bool IsIn(IReadOnlyList<string> scope)
    {
        foreach (var allowed in scope)
        {
            if (HasBareName && string.Equals(allowed, Model.Id, StringComparison.Ordinal))
                return true;
            if (allowed.Length == Model.Provider.Length + 1 + Model.Id.Length && allowed[Model.Provider.Length] == '/'
                && allowed.StartsWith(Model.Provider, StringComparison.Ordinal) && allowed.EndsWith(Model.Id, StringComparison.Ordinal))
                return true;
        }
        return false;
    }
}
