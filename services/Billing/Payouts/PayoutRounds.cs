using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>The reconciler's part in payouts: those whose end is not known or not booked, and those that are due by themselves.</summary>
public sealed class PayoutRounds(NpgsqlDataSource database, Payouts payouts, AutomaticPayouts automatic, ILogger<PayoutRounds> log)
{
    /// <summary>Of one round.</summary>
    const int MaxPayouts = 50, MaxOutages = 3;

    static readonly TimeSpan Every = TimeSpan.FromMinutes(2);

    /// <param name="everything">Asks after all that is not over, however short a time ago somebody has.</param>
    public async Task<int> RunAsync(bool everything, CancellationToken token)
    {
        var under = await database.PayoutsUnderWayAsync(everything ? TimeSpan.Zero : Every, MaxPayouts, token);
        var outages = 0;
        foreach (var payout in under.TakeWhile(_ => outages < MaxOutages))
            try
            {
                await payouts.AdvanceAsync(payout, again: true, token);
            }
            catch (Exception e) when (e is StripeRefusalException or NotOursException or InvalidOperationException)
            {
                // Each round says it again: money is not where it should be.
                log.LogError(e, "payout {Payout} cannot be reconciled with Stripe", Ids.Show(Ids.Payout, payout));
            }
            catch (Exception e) when (Problems.IsOutage(e))
            {
                // One that Stripe has no answer to keeps none of the others waiting, and neither do many.
                outages++;
                log.LogWarning("payout {Payout} waits: {Message}", Ids.Show(Ids.Payout, payout), e.Message);
            }
        return under.Count + await automatic.RunAsync(everything, token);
    }
}
