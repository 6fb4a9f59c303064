using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.ExternalUsage;

/// <summary>
/// Charges events as requests are charged: what an event is worth must fit into the customer's limits, its sources pay in their order, and
/// it has a usage record. Nothing is in between, so that nothing is spooled: an event is answered when the ledger has booked it.
/// </summary>
public sealed class EventCharges(Slices slices, MeteredEventsClient ledger, LedgerClock clock, TimeProvider time)
{
    /// <summary>A cycle turns once while an event asks for its hold.</summary>
    const int MaxClaims = 2;

    /// <param name="Used">As in <c>X-LLMGateway-Used</c>. Null: no quota and no call credit has paid.</param>
    public sealed record Charged(Problem? Problem, Money Cost = default, string? Used = null);

    /// <param name="request">The event's for ever: the ledger books it once.</param>
    /// <param name="customer">As whom it is charged.</param>
    /// <param name="route">Says the unit and its price.</param>
    public async Task<Charged> ChargeAsync(Guid request, Caller customer, ReadyRoute route, long quantity, CancellationToken token)
    {
        var isTokens = route.Route.Unit == CustomRoute.Tokens;
        var bound = isTokens ? UpperBound.OfTokens(quantity, route.Route.Price) : UpperBound.OfRequests(quantity, route.Route.Price);
        var call = new ModelCall(new DefaultHttpContext(), MeteredEvent.Endpoint, clock, time)
        {
            Id = request, Caller = customer, Route = route.Target, Answered = true, Requests = isTokens ? 1 : quantity,
        };
        try
        {
            return await ReserveAsync(call, bound, token) is { } refused
                ? new(refused)
                : await BookAsync(call, UsageOf(quantity, isTokens));
        }
        catch (ProblemException e)
        {
            return new(e.Problem); // a limit counts what the route does not
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            return new(Problems.Unavailable);
        }
    }

    static Usage UsageOf(long quantity, bool isTokens) => isTokens
        ? new() { [Meter.Output] = quantity, [Meter.Request] = 1 }
        : new() { [Meter.Request] = quantity };

    async Task<Problem?> ReserveAsync(ModelCall call, UpperBound bound, CancellationToken token)
    {
        var credential = call.Caller.Credential;
        var (answer, claim, least) = (default(HoldAnswer), default(Claim), Array.Empty<long>());
        for (var attempt = 1; attempt <= MaxClaims; attempt++)
        {
            if (!Claims.TryGet(credential, call.Route, clock.Now, out claim))
                return Claims.EndedPlan(credential, clock.Now) is { To: { } end } plan
                    ? Problems.PlanEnded(plan.Name, end)
                    : Problems.Unavailable;
            if (Claims.IsPaidByNothing(credential, call.Route) && bound.Cost(0) > 0)
                return Problems.NothingPays(call.Route.Model.Id);
            if (claim is null)
                return null;
            (least, var full) = Admission.Demand(claim, bound, 0);
            answer = await slices.ReserveAsync(claim, least, full, token);
            if (answer.Refusal?.Reason != RefusalReason.CycleOver)
                break;
        }
        call.Hold = answer.Hold;
        return answer.Hold is null ? Admission.ProblemOf(answer.Refusal!, claim!, least, clock.Now) : null;
    }

    async Task<Charged> BookAsync(ModelCall call, Usage usage)
    {
        var metered = new MeterReading(usage, Estimated: false, Reason: null, RawUsage: null);
        try
        {
            var (record, paid) = call.Foresee(RequestOutcome.Completed, StatusCodes.Status200OK, metered, reason: null);
            var used = call.Http.Response.Headers[ModelCall.UsedHeader].ToString();
            return await ledger.BookAsync(call.Id, record)
                ? new(null, paid, used.Length == 0 ? null : used)
                : new(Problems.Unavailable);
        }
        finally
        {
            call.EndSent(RequestOutcome.Completed, StatusCodes.Status200OK, metered);
        }
    }
}
