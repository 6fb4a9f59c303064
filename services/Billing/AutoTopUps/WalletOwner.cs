using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>Whose wallet a call is about: a session's own, or one of a backend's project.</summary>
/// <param name="State">As the ledger had it.</param>
public sealed record WalletOwner(
    Guid Organization, Guid Project, Guid Customer, Guid Wallet, bool Test, WalletState State)
{
    /// <param name="id">As it is shown, in a backend's call; null in a session's.</param>
    /// <exception cref="ProblemException">404 for a wallet of somebody else, as for one that is not there.</exception>
    public static async Task<WalletOwner> FindAsync(HttpContext http, string? id, LedgerClient ledger, CancellationToken token)
    {
        var caller = id is null ? http.EndUser() : http.Backend();
        var named = Guid.Empty;
        if (id is not null && !Ids.TryParse(Ids.Wallet, id, out named))
            throw new ProblemException(Problems.NotFound("wallet"));
        return (id is null ? caller.Wallet : named) is { } wallet
            && await ledger.StateAsync(wallet, token) is { } state
            && (state.Project, state.Test) == (caller.Project, caller.Test)
                ? new(state.Organization, state.Project, state.Customer, wallet, state.Test, state)
                : throw new ProblemException(Problems.NotFound("wallet"));
    }

    /// <summary>Something of the customer, as the audit names it.</summary>
    public AuditedThing Thing(string kind, string part) =>
        new(kind, $"{Ids.Show(Ids.Customer, Customer)}/{part}") { Customer = Customer };

    /// <summary>As it must be where money is to be taken, now or later.</summary>
    public StripeMode ModeOf(StripeModes modes) =>
        State.Frozen ? throw new ProblemException(Problems.WalletFrozen)
        : modes.Of(Test) ?? throw new ProblemException(Problems.Conflict(
            "payments_not_set_up", $"Payments are not set up here for {(Test ? "test" : "live")} wallets."));
}
