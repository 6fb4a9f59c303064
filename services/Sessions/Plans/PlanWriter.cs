using LlmGateway.Contracts;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// A project's plans, for seed files and calls alike. <see cref="SeedRules"/> has been asked before; who calls this commits.
/// </summary>
public sealed class PlanWriter
{
    readonly SessionsDb _db;
    readonly Guid _project;
    readonly Dictionary<string, Plan> _known;

    PlanWriter(SessionsDb db, Guid project, Dictionary<string, Plan> known) => (_db, _project, _known) = (db, project, known);

    public static async Task<PlanWriter> ReadAsync(SessionsDb db, Guid project, CancellationToken token) =>
        new(db, project, await db.Plans.Where(plan => plan.ProjectId == project).ToDictionaryAsync(plan => plan.Id, token));

    public IReadOnlyDictionary<string, Plan> All => _known;

    public Plan Write(SeedPlan seed)
    {
        if (!_known.TryGetValue(seed.Id, out var plan))
            _db.Add(_known[seed.Id] = plan = new()
            {
                ProjectId = _project, Id = seed.Id, Name = "", PriceNanos = 0, TrialDays = 0, LastTermFull = false,
            });
        plan.Name = seed.Name;
        plan.PriceNanos = seed.Price.Nanos;
        plan.Tokens = seed.Tokens;
        plan.TokensPerMinute = seed.TokensPerMinute;
        plan.OveragePicos = seed.Overage?.Picos;
        plan.TrialDays = seed.TrialDays;
        plan.LastTermFull = seed.LastTerm == "full";
        plan.StripePrice = seed.StripePrice;
        return plan;
    }

    /// <summary>What would be written to make the plan as it is.</summary>
    public static SeedPlan Describe(Plan plan) => new(plan.Id, plan.Name, new(plan.PriceNanos))
    {
        Tokens = plan.Tokens,
        TokensPerMinute = plan.TokensPerMinute,
        OveragePerToken = plan.OveragePicos is { } picos ? new(DecimalText.Format(picos, SeedPlan.OverageDecimals)) : null,
        TrialDays = plan.TrialDays,
        LastTerm = plan.LastTermFull ? "full" : "prorated",
        StripePrice = plan.StripePrice,
    };
}
