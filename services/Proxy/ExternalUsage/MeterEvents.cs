using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.ExternalUsage;

/// <summary>
/// <c>POST /v1/meter</c> <c>{id, customer, route, quantity}</c>, or <c>{events: […]}</c> with up to 500 of them: usage that a backend has
/// counted itself, in units of one of the project's routes. Each id counts once, for ever. What is wrong with one of them is a 400, and
/// nothing is charged; what a customer cannot pay is said of each event by itself.
/// </summary>
public sealed class MeterEvents(
    Identity identity, KeyUse keys, ManagementRates rates, SessionsClient sessions, MeteredEventsClient ledger, EventCharges charges,
    LedgerClock clock)
{
    const string Route = MeteredEvent.Endpoint;

    const int MaxText = 255;

    /// <summary>Events of one call that are charged at the same time.</summary>
    const int AtOnce = 8;

    static readonly Problem Reused = new(
        422, "idempotency_error", "event_id_reused", "An event with this 'id' was told with another customer, route or quantity.", "id");

    /// <param name="Customer">By its id or its external id.</param>
    /// <param name="Route">One of the project's, also one that is switched off. It says the unit and its price.</param>
    public sealed record Event(string Id, string Customer, string Route, long Quantity);

    public sealed record Batch(IReadOnlyList<Event> Events);

    /// <param name="Status"><c>accepted</c>, <c>duplicate</c> (it was charged before) or <c>rejected</c>.</param>
    /// <param name="RequestId">Of its usage record.</param>
    /// <param name="Error">As in the body of a refusal.</param>
    public sealed record Result(string Id, string Status, string? RequestId, Money? Cost, string? Used, JsonNode? Error);

    /// <summary>An event that can be charged, or why it cannot.</summary>
    sealed record Asked(Event Event, ReadyRoute Route, Credential? Customer);

    public static void Map(WebApplication app) => app.MapPost(Route, (HttpContext http, MeterEvents events) => events.HandleAsync(http));

    async Task<IResult> HandleAsync(HttpContext http)
    {
        var (caller, problem) = await identity.IdentifyAsync(http);
        problem ??= rates.Take(caller!.Credential);
        if (problem is not null)
            return problem;
        keys.Record(caller!.Credential);
        if (caller.Credential.Kind is not (CredentialKind.SecretKey or CredentialKind.Member))
            return Problems.WrongCredential("a secret key (sk_…)");
        if (Permissions.Lacking($"POST {Route}", Principal.Of(caller.Credential)) is { } lacking)
            return Problems.InsufficientPermission(lacking);
        var (events, isBatch) = Read((await Body.BytesAsync(http)).Span);
        var routes = Check(events, isBatch, id => RouteOf(caller.Project, id));
        var found = await sessions.CustomersAsync(new(
            caller.Credential.Project, caller.Credential.Test, [.. events.Select(one => one.Customer).Distinct()]));
        var asked = events.Select((one, i) => new Asked(one, routes[i], found.GetValueOrDefault(one.Customer))).ToList();
        var outcomes = await ChargeAsync(asked, caller, http.RequestAborted);
        if (!isBatch && outcomes[0].Problem is { } refused)
            return refused;
        var results = asked.Select((one, i) => Show(one.Event.Id, outcomes[i], http)).ToList();
        return Results.Json(
            isBatch
                ? new
                {
                    accepted = results.Count(one => one.Status == "accepted"), duplicates = results.Count(one => one.Status == "duplicate"),
                    rejected = results.Count(one => one.Status == "rejected"), results,
                }
                : (object)results[0],
            Defaults.Json);
    }

    /// <summary>One event, or several. Throws a 400 that names the field.</summary>
    public static (IReadOnlyList<Event> Events, bool IsBatch) Read(ReadOnlySpan<byte> json) => HasEvents(json)
        ? (Body.Parse<Batch>(json).Events, true)
        : ([Body.Parse<Event>(json)], false);

    static bool HasEvents(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        try
        {
            return JsonElement.TryParseValue(ref reader, out var body) && body is { ValueKind: JsonValueKind.Object } root
                && root.TryGetProperty("events", out _);
        }
        catch (JsonException)
        {
            return false; // it is no event either, and said to be none
        }
    }

    /// <summary>Throws a 400 that names the first field that is wrong, whichever event it is in.</summary>
    /// <returns>The events' routes.</returns>
    public static List<ReadyRoute> Check(IReadOnlyList<Event> events, bool isBatch, Func<string, ReadyRoute?> routeOf)
    {
        if (events.Count is 0 or > MeteredEvent.MaxAtOnce)
            throw Refused("events", $"must have from 1 to {MeteredEvent.MaxAtOnce} events");
        var (routes, ids) = (new List<ReadyRoute>(events.Count), new HashSet<string>(StringComparer.Ordinal));
        foreach (var (i, one) in events.Index())
        {
            var path = isBatch ? $"events[{i}]." : "";
            if (one is null)
                throw Refused($"events[{i}]", "must not be null");
            MustBeText(one.Id, $"{path}id");
            MustBeText(one.Customer, $"{path}customer");
            if (!ids.Add(one.Id))
                throw Refused($"{path}id", "is there twice");
            if (one.Quantity is < 1 or > CustomRoute.MostUnits)
                throw Refused($"{path}quantity", $"must be a whole number from 1 to {CustomRoute.MostUnits}");
            var route = routeOf(one.Route)
                ?? throw Refused($"{path}route", $"names '{one.Route}', which is not among the project's routes");
            if (route.Route.Tools is not null)
                throw Refused($"{path}route", $"names '{one.Route}', whose tools have prices of their own, and its units none");
            routes.Add(route);
        }
        return routes;
    }

    static void MustBeText(string text, string path)
    {
        if (string.IsNullOrWhiteSpace(text) || text.Length > MaxText || text.Any(char.IsControl))
            throw Refused(path, $"must have from 1 to {MaxText} characters, none of them of control");
    }

    static ProblemException Refused(string path, string reason) => new(Problems.Invalid(path, $"'{path}' {reason}."));

    static ReadyRoute? RouteOf(Project project, string id) =>
        project.Catalog.Routes.FirstOrDefault(route => route.Id == id) is { } route
            && project.FindProvider(route.Provider) is { } upstream
            && RoutePattern.TryRead(route.Match, route.Path, out var pattern, out _)
                ? new(route, pattern, upstream)
                : null;

    /// <summary>What became of an event.</summary>
    sealed record Outcome(Guid Request, bool IsDuplicate, Problem? Problem, EventCharges.Charged? Charged);

    async Task<Outcome[]> ChargeAsync(IReadOnlyList<Asked> asked, Caller caller, CancellationToken token)
    {
        var outcomes = new Outcome[asked.Count];
        var known = new List<int>();
        for (var i = 0; i < asked.Count; i++)
            if (Unfit(asked[i].Customer) is { } problem)
                outcomes[i] = new(Guid.Empty, false, problem, null);
            else
                known.Add(i);
        if (known.Count == 0)
            return outcomes;
        var claims = await ledger.ClaimAsync(new(
            caller.Credential.Project, caller.Credential.Test,
            [.. known.Select(i => new EventClaim(asked[i].Event.Id, HashOf(asked[i]), Ids.New(clock.Now)))]));
        await Parallel.ForEachAsync(
            known.Zip(claims), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = token },
            async (pair, ended) => outcomes[pair.First] = await ChargeAsync(asked[pair.First], pair.Second, caller, ended));
        return outcomes;
    }

    async Task<Outcome> ChargeAsync(Asked asked, ClaimedEvent claimed, Caller caller, CancellationToken token)
    {
        if (!claimed.IsSame)
            return new(Guid.Empty, false, Reused, null);
        if (claimed.IsBooked)
            return new(claimed.Request, true, null, null);
        // The usage record says who has told it.
        var customer = new Caller(asked.Customer! with { Id = caller.Credential.Id }, caller.Project, Caller.Unnamed);
        var charged = await charges.ChargeAsync(claimed.Request, customer, asked.Route, asked.Event.Quantity, token);
        return new(claimed.Request, false, charged.Problem, charged);
    }

    Problem? Unfit(Credential? customer) => customer is null or { Status: CredentialStatus.CustomerDeleted }
        ? Problems.NotFound("customer")
        : Permit.Check(customer, clock.Now);

    /// <summary>The customer counts, however it was named.</summary>
    static byte[] HashOf(Asked asked) => SHA256.HashData(Encoding.UTF8.GetBytes(
        $"{asked.Customer!.Customer:N}\n{asked.Event.Quantity}\n{asked.Event.Route}"));

    static Result Show(string id, Outcome outcome, HttpContext http) => outcome.Problem is { } problem
        ? new(id, "rejected", null, null, null, ErrorOf(problem, http))
        : new(
            id, outcome.IsDuplicate ? "duplicate" : "accepted", Ids.Show(Ids.Request, outcome.Request), outcome.Charged?.Cost,
            outcome.Charged?.Used, null);

    static JsonNode ErrorOf(Problem problem, HttpContext http)
    {
        var body = new ArrayBufferWriter<byte>();
        Problems.WriteBody(body, problem, http.RequestId());
        return JsonNode.Parse(body.WrittenSpan)!["error"]!.DeepClone();
    }
}
