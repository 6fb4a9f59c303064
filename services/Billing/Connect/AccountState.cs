using System.Text.Json;

namespace LlmGateway.Billing;

/// <summary>Where a project is on the way to being paid.</summary>
public enum AccountState
{
    /// <summary>It has no account.</summary>
    NotBegun,

    /// <summary>Stripe was not told everything.</summary>
    Incomplete,

    /// <summary>Stripe looks at what it was told; there is nothing to do but to wait.</summary>
    UnderReview,

    /// <summary>Stripe, or an operator, lets nothing be paid to it.</summary>
    Paused,

    Ready,
}

/// <summary>The state follows from what Stripe says, and from whether an operator has paused it.</summary>
public static class AccountStates
{
    const string Active = "active";

    /// <summary>Reasons of Stripe's that end by themselves.</summary>
    static readonly string[] Waiting = ["requirements.pending_verification", "under_review"];

    public static AccountState Of(ConnectAccount? account) => account switch
    {
        null or { Stripe: null } => AccountState.NotBegun,
        { Paused: true } => AccountState.Paused,
        { DetailsSubmitted: false } => AccountState.Incomplete,
        { PayoutsEnabled: true, Transfers: Active } => AccountState.Ready,
        { Due.Count: 0, DisabledReason: var reason } when reason is null || Waiting.Contains(reason) => AccountState.UnderReview,
        _ => AccountState.Paused,
    };

    /// <summary>As callers know it: <c>not_begun</c>.</summary>
    public static string Name(AccountState state) => JsonNamingPolicy.SnakeCaseLower.ConvertName(state.ToString());

    /// <summary>The one thing to do next; null when there is none.</summary>
    public static string? NextStep(ConnectAccount? account) => Of(account) switch
    {
        AccountState.NotBegun => "Begin with POST /v1/connect/onboard, and open the page that it answers.",
        AccountState.Incomplete => "Stripe was not told everything: go on with a new page of POST /v1/connect/onboard.",
        AccountState.UnderReview => "Stripe looks at what it was told. Wait; do not begin anew.",
        AccountState.Paused when account!.Paused => "The operator of this gateway has paused payouts. Ask there.",
        AccountState.Paused when account.Due.Count > 0 =>
            $"Stripe wants to know {string.Join(", ", account.Due)}: open a new page of POST /v1/connect/onboard.",
        AccountState.Paused => $"Stripe has disabled the account ({account!.DisabledReason ?? "it gives no reason"}). Ask Stripe.",
        _ => null,
    };
}
