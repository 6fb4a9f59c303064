using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>The reconciler's part in payouts: those whose end is not known or not booked, and those that are due by themselves.</summary>
public sealed class PayoutRounds(NpgsqlDataSource database, Payouts payouts, AutomaticPayouts automatic, ILogger<PayoutRounds> log)
{
    /// <summary>Of one round: payouts, and calls of one mode that get no answer. The rest of that mode waits for the next round.</summary>
    const int MaxPayouts = 50, MaxOutages = 3;

    static readonly TimeSpan Every = TimeSpan.FromMinutes(2);

    /// <summary>What could not be brought further in a round, and how many calls of each mode, live and test, had no answer.</summary>
    sealed class Failures
    {
        public int Count { get; set; }

        public Dictionary<bool, int> Outages { get; } = new() { [false] = 0, [true] = 0 };
    }

    /// <param name="everything">Asks after all that is not over, however short a time ago somebody has.</param>
    public async Task<(int Count, int Failed)> RunAsync(bool everything, CancellationToken token)
    {
        var (count, failed) = (0, new Failures());
        foreach (var (payout, test) in await database.PayoutsUnderWayAsync(everything ? TimeSpan.Zero : Every, MaxPayouts, token))
        {
            count++;
            await UnlessItFailsAsync(
                async () => await payouts.AdvanceAsync(payout, again: true, token), $"payout {Ids.Show(Ids.Payout, payout)}", test, failed,
                token);
        }
        foreach (var wish in await automatic.WishesAsync(everything, token))
            await UnlessItFailsAsync(
                async () => count += await automatic.BeginAsync(wish, token) ? 1 : 0, $"the payout of project {wish.Project:N}", wish.Test,
                failed, token);
        return (count, failed.Count);
    }

    /// <summary>
    /// What fails keeps no other one waiting, and a mode whose key is not accepted not the other mode. Each round says it again: money is
    /// not where it should be.
    /// </summary>
    async Task UnlessItFailsAsync(Func<Task> step, string what, bool test, Failures failed, CancellationToken token)
    {
        if (failed.Outages[test] >= MaxOutages)
            return;
        try
        {
            await step();
        }
        catch (Exception e) when (!token.IsCancellationRequested)
        {
            failed.Count++;
            if (Problems.IsOutage(e))
            {
                failed.Outages[test]++;
                log.LogWarning("{What} waits: {Message}", what, e.Message);
            }
            else
                log.LogError(e, "{What} cannot be reconciled with Stripe", what);
        }
    }
}
