using System.Text;
using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.Contracts.Expressions;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Expressions;

/// <summary>
/// <c>POST /v1/expressions/dry-run</c> → 200: what a recorded answer would be worth and cost by an expression, read by the same meter as a
/// call. Nothing is called, held or charged.
/// </summary>
public sealed class DryRun(Identity identity, KeyUse keys, ManagementRates rates, TimeProvider time)
{
    const string Route = "/v1/expressions/dry-run";

    /// <summary>Why an answer that is none is worth nothing.</summary>
    const string NotAnswered = "upstream_error";

    /// <param name="Meter">As in <see cref="CustomRoute"/>, as those that follow.</param>
    public sealed record Request(string Meter, RecordedAnswer Response)
    {
        public string Unit { get; init; } = CustomRoute.Requests;
        [JsonConverter(typeof(UnitRateJson))]
        public Rate? Price { get; init; }
        public long? MaxUnits { get; init; }
        public long? FallbackUnits { get; init; }
        [JsonPropertyName("request")]
        public RecordedRequest? Asked { get; init; }
    }

    /// <param name="Body">As text, unpacked.</param>
    public sealed record RecordedAnswer(string Body)
    {
        public int Status { get; init; } = StatusCodes.Status200OK;
        public IReadOnlyDictionary<string, string>? Headers { get; init; }
    }

    public sealed record RecordedRequest
    {
        public string Method { get; init; } = "POST";
        public string Path { get; init; } = "/";
        public IReadOnlyDictionary<string, string>? Query { get; init; }
        public IReadOnlyDictionary<string, string>? Headers { get; init; }
        public string Body { get; init; } = "";
    }

    /// <param name="Value">What the expression says. Null: it has failed.</param>
    /// <param name="Units">What would be counted, and paid where there is a price.</param>
    /// <param name="Price">USD of a unit.</param>
    /// <param name="Cost">USD, where neither quota nor call credits pay first.</param>
    /// <param name="Held">Units that would be held before the call. Null: none could, and the call would be refused.</param>
    /// <param name="Steps">Of <see cref="MeteringExpression.MaxSteps"/>.</param>
    /// <param name="Reason">As in the usage log. Null: nothing is odd.</param>
    /// <param name="Usage">The expression's <c>usage</c>. Null: there are no counts that can be believed.</param>
    public sealed record Result(
        string? Value, long Units, string Unit, [property: JsonConverter(typeof(UnitRateJson))] Rate? Price, Money Cost, long? Held,
        long Steps, bool Estimated, string? Reason, Place? Failure, bool Stream, IReadOnlyDictionary<string, long>? Usage);

    /// <param name="Offset">Characters before it. Lines and columns are counted from 1.</param>
    public sealed record Place(string Reason, int Offset, int Line, int Column, string Message);

    public static void Map(WebApplication app) => app.MapPost(Route, (HttpContext http, DryRun run) => run.RunAsync(http));

    async Task<IResult> RunAsync(HttpContext http)
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
        return Results.Json(Measure(await Body.ReadAsync<Request>(http), time.GetUtcNow()), Defaults.Json);
    }

    /// <summary>Throws a 400 that names the field, as when a route is saved.</summary>
    public static Result Measure(Request request, DateTimeOffset now)
    {
        var route = new CustomRoute("/", "")
        {
            Meter = request.Meter, Unit = request.Unit, Price = request.Price, MaxUnits = request.MaxUnits,
            FallbackUnits = request.FallbackUnits,
        };
        if (MeteringRules.Errors(route, "").FirstOrDefault() is { } mistake)
            throw Refused(mistake.TrimStart('.'));
        if (request.Response.Status is < 100 or > 599)
            throw Refused("response.status must be from 100 to 599");
        if (!MeteringExpression.TryParse(request.Meter, out var expression, out _))
            throw Refused("meter cannot be read"); // the rules have read it
        var (facts, answer) = (FactsOf(request, now), Encoding.UTF8.GetBytes(request.Response.Body));
        var isStream = IsStream(facts.ResponseHeaders, request.Response.Body);

        using var meter = new ExpressionMeter(expression, isStream);
        meter.Push(answer);
        meter.End();
        var measured = meter.Measure(facts, out var steps);
        using var billing = new RouteMeter(route, expression, facts, isStream);
        billing.Push(answer);
        var reading = billing.Settle(isWhole: true);
        var isAnswer = HttpAnswers.IsAnswer(facts.Status);
        var prices = ReadyRoute.PricesOf(route);
        return new(
            measured.Value is { } value ? Value.TextOf(value) : null,
            !isAnswer ? 0 : route.Unit == CustomRoute.Tokens ? reading.Usage.InputTokens + reading.Usage.OutputTokens : billing.Requests,
            route.Unit, route.Price,
            isAnswer ? new(reading.Bound ?? Cost.Of(reading.Usage, prices)) : Money.Zero,
            route.Bound(expression!.Constant), steps, isAnswer && reading.Estimated, isAnswer ? reading.Reason : NotAnswered,
            measured.Failure is { } failure ? PlaceOf(request.Meter, failure) : null, isStream,
            meter.Told is { } told ? Variables.UsageMembers.ToDictionary(member => member.Name, member => member.Count(told)) : null);
    }

    /// <param name="mistake">A line that begins with the field.</param>
    static ProblemException Refused(string mistake)
    {
        var end = mistake.IndexOfAny([' ', ':']);
        return new(Problems.Invalid(mistake[..end], $"'{mistake[..end]}'{mistake[end..]}{(mistake[^1] is '.' or '?' ? "" : ".")}"));
    }

    static Place PlaceOf(string source, Failure failure)
    {
        var at = ExpressionError.At(source, failure.At, failure.Message);
        return new(failure.Reason, at.Offset, at.Line, at.Column, at.Message);
    }

    static Facts FactsOf(Request request, DateTimeOffset now)
    {
        var asked = request.Asked ?? new();
        return new()
        {
            Method = asked.Method,
            Path = asked.Path,
            Query = Texts(asked.Query, StringComparer.Ordinal),
            Headers = Texts(asked.Headers, StringComparer.OrdinalIgnoreCase),
            RequestBody = Encoding.UTF8.GetBytes(asked.Body),
            Now = now,
            Status = request.Response.Status,
            ResponseHeaders = Texts(request.Response.Headers, StringComparer.OrdinalIgnoreCase),
        };
    }

    /// <summary>The last one counts of names that are the same.</summary>
    static Dictionary<string, string> Texts(IReadOnlyDictionary<string, string>? texts, StringComparer names)
    {
        var all = new Dictionary<string, string>(names);
        foreach (var (name, text) in texts ?? all)
            all[name] = text ?? "";
        return all;
    }

    /// <summary>By its type, as of a call. Of a recording without one by how it begins.</summary>
    static bool IsStream(IReadOnlyDictionary<string, string> headers, string body) => headers.TryGetValue("Content-Type", out var type)
        ? type.Split(';')[0].Trim().Equals("text/event-stream", StringComparison.OrdinalIgnoreCase)
        : body.StartsWith("data:", StringComparison.Ordinal) || body.StartsWith("event:", StringComparison.Ordinal);
}
