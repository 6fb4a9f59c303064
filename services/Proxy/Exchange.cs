using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// One request's way through the stages: what was decided about it, and its end. <see cref="End"/> is called exactly once, whatever happens,
/// before the caller sees the last byte; it turns the hold into a settlement and puts that on the spool.
/// </summary>
public sealed class Exchange(HttpContext http, Guid id, string endpoint, TimeProvider time)
{
    readonly long _started = time.GetTimestamp();
    readonly DateTimeOffset _startedAt = time.GetUtcNow();
    int? _firstByteMs;

    public HttpContext Http => http;
    public Caller Caller { get; set; } = null!;
    public Route Route { get; set; } = null!;
    public Hold? Hold { get; set; }
    public bool Stream { get; set; }

    /// <summary>Tokens that the rate limit has counted so far.</summary>
    public long RatedTokens { get; set; }

    public bool Ended { get; private set; }

    public void FirstByte() => _firstByteMs ??= (int)time.GetElapsedTime(_started).TotalMilliseconds;

    /// <summary>Settles: what was used is charged, at most what was held; the rest of the hold is free again. Returns what the caller pays.</summary>
    /// <param name="metered">Null when nothing is charged: the provider failed before the first content.</param>
    public Money End(SpoolPublisher spool, Rates rates, RequestOutcome outcome, int status, MeterReading? metered, string? reason = null)
    {
        if (Ended)
            throw new InvalidOperationException("a request was ended twice");
        Ended = true;
        metered = metered?.OnPricedMeters(Route.Model.Prices!);
        var usage = metered?.Usage ?? new Usage();
        var cost = Cost.Of(usage, Route.Model.Prices!);
        var used = Array.ConvertAll(Hold?.Amounts ?? [], held => Math.Min(cost, held));
        if (Array.Exists(used, amount => amount < cost))
            reason = reason is null ? "capped" : $"{reason}, capped";

        var paid = cost;
        var charges = new List<Amount>(used.Length);
        for (var i = 0; i < used.Length; i++)
        {
            if (Hold!.Registers[i].Unit == Unit.Usd)
                paid = used[i];
            if (used[i] > 0)
                charges.Add(new(Hold.Registers[i].Id, used[i]));
        }
        Failpoint.Hit("proxy.end.priced");
        Hold?.Settle(used);
        Failpoint.Hit("proxy.end.released");
        var credential = Caller.Credential;
        spool.Add(new(id, charges.Count > 0 ? Hold!.Lease : null, charges, new(
            credential.Organization, credential.Project, credential.Customer, credential.Id, credential.Family, credential.Test,
            endpoint, Route.Model.Id, Route.Model.Provider, Route.Model.UpstreamModel, Route.Model.PriceVersion, Stream,
            _startedAt, (int)time.GetElapsedTime(_started).TotalMilliseconds, _firstByteMs, status, outcome,
            usage.ToArray(), new Money(cost), metered?.Estimated ?? false, Join(metered?.Reason, reason), metered?.RawUsage)), Hold);
        Failpoint.Hit("proxy.end.spooled");
        rates.Correct(credential, Tokens(usage) - RatedTokens);
        return new Money(paid);
    }

    static long Tokens(Usage usage)
    {
        long tokens = 0;
        for (var meter = Meter.Input; meter <= Meter.ImageOutput; meter++)
            tokens += usage[meter];
        return tokens;
    }

    static string? Join(string? a, string? b) => a is null ? b : b is null ? a : $"{a}, {b}";
}
