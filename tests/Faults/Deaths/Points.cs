using LlmGateway.ServiceDefaults;

namespace LlmGateway.Faults;

/// <summary>The failpoints of all services, as the tests deal them out to them.</summary>
static class Points
{
    public static readonly IReadOnlyList<string> All =
    [
        .. LlmGateway.Proxy.Failpoints.All.Keys, .. LlmGateway.Wallet.Failpoints.All.Keys.Except(OfMonths).Except(OfPayments)
            .Except(OfPayouts),
        .. Failpoint.Shared.Keys,
        .. LlmGateway.Sessions.Failpoints.All.Keys, .. LlmGateway.Webhooks.Failpoints.All.Keys,
    ];

    /// <summary>Passed only where a month of the usage log is old enough to be dropped: <see cref="MonthTests"/>.</summary>
    public static IEnumerable<string> OfMonths =>
        LlmGateway.Wallet.Failpoints.All.Keys.Where(point => point.StartsWith("wallet.month.", StringComparison.Ordinal));

    /// <summary>Passed only where somebody pays by card: <see cref="PaymentDeathTests"/>.</summary>
    public static IEnumerable<string> OfPayments =>
        [
            .. LlmGateway.Billing.Failpoints.All.Keys.Where(point => !IsOfPayouts(point) && !IsOfSubscriptions(point)),
            "wallet.payment.booked",
        ];

    /// <summary>Passed only where a developer is paid: <see cref="PayoutDeathTests"/>.</summary>
    public static IEnumerable<string> OfPayouts =>
        [.. LlmGateway.Billing.Failpoints.All.Keys.Where(IsOfPayouts), "wallet.payout.booked"];

    /// <summary>Passed only where somebody subscribes to a plan: <see cref="SubscriptionDeathTests"/>.</summary>
    public static IEnumerable<string> OfSubscriptions => LlmGateway.Billing.Failpoints.All.Keys.Where(IsOfSubscriptions);

    /// <summary>What <c>./dev test</c> has time for.</summary>
    public static IEnumerable<string> EveryFourth(IEnumerable<string> points) => points.Where((_, index) => index % 4 == 0);

    static bool IsOfPayouts(string point) =>
        point.StartsWith("billing.account.", StringComparison.Ordinal) || point.StartsWith("billing.payout.", StringComparison.Ordinal);

    static bool IsOfSubscriptions(string point) =>
        ((string[])["billing.subscription.", "billing.checkout.", "billing.plan."]).Any(
            step => point.StartsWith(step, StringComparison.Ordinal));

    /// <summary>Passed once in a life: at the start, or when the leases of the dead end.</summary>
    public static readonly HashSet<string> OnceInALife =
    [
        "proxy.journal.recovered", "proxy.gone.told", "proxy.spool.begin", "proxy.spool.delete", "proxy.spool.deleted",
        "wallet.sweeper.found", "wallet.sweeper.ended", "wallet.seal.summed", "wallet.seal.proved", "wallet.slots.found",
    ];

    /// <summary>The service that passes a point, where several have it the one whose work is compared in the end.</summary>
    public static string Owner(string point) => point[..point.IndexOf('.', StringComparison.Ordinal)] switch
    {
        "idempotency" => "sessions",
        "outbox" => "wallet",
        var owner => owner,
    };
}
