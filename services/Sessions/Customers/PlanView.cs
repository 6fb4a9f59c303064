using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>The plan that a customer has or had.</summary>
/// <param name="EndsAt">Null: until somebody ends it.</param>
/// <param name="Quota">Of the running month. Null when the plan has ended, or has as many tokens as one likes.</param>
public sealed record PlanView(string Id, string Name, DateTimeOffset StartsAt, DateTimeOffset? EndsAt, PlanView.QuotaView? Quota)
{
    /// <summary>That pays for it, and until when it has. Absent: nobody pays for it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? SubscriptionId { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? PaidTo { get; init; }

    /// <param name="Held">What requests that run may use besides.</param>
    public sealed record QuotaView(string Tokens, string Used, string Held, string Left, DateTimeOffset Resets);

    /// <summary>Null when the customer never had one. Throws when Wallet, which counts, does not answer.</summary>
    public static async Task<PlanView?> ReadAsync(
        SessionsDb db, WalletClient wallet, Guid customer, DateTimeOffset now, CancellationToken token)
    {
        if (await db.CustomerPlans.AsNoTracking().SingleOrDefaultAsync(plan => plan.CustomerId == customer, token) is not { } had)
            return null;
        var plan = await db.Plans.AsNoTracking().SingleAsync(one => one.ProjectId == had.ProjectId && one.Id == had.PlanId, token);
        var term = Terms.QuotaOf(had, plan, now).FirstOrDefault(term => term.From <= now && now < term.To);
        return new(plan.Id, plan.Name, had.StartsAt, had.EndsAt, plan.Tokens is null || term is null
            ? null
            : Of(term, (await wallet.CountersAsync([term.Register], token)).GetValueOrDefault(term.Register)))
        {
            SubscriptionId = had.Subscription is { } id ? Ids.Show(Ids.Subscription, id) : null, PaidTo = had.PaidTo,
        };
    }

    static QuotaView Of(Term term, CounterState? counter)
    {
        var (used, held) = (counter?.Used ?? 0, counter?.Held ?? 0);
        return new(Text(term.Ceiling), Text(used), Text(held), Text(Math.Max(0, term.Ceiling - used - held)), term.To);

        static string Text(long tokens) => LimitRules.AmountText("tokens", tokens);
    }
}
