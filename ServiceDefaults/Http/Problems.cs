using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmGateway.ServiceDefaults;

/// <summary>The error table. It has every code that a caller can meet, and the one mapping to HTTP (contract §3).</summary>
public static class Problems
{
    public static Problem Invalid(string? param, string message) => new(400, "invalid_request_error", "invalid_value", message, param);
    public static Problem Missing(string param) => new(400, "invalid_request_error", "missing_field", $"'{param}' is required.", param);
    public static Problem Malformed(string message) => new(400, "invalid_request_error", "malformed_json", message);
    public static Problem NotValidJson(JsonException e) =>
        Malformed($"The body is not valid JSON (line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}).");
    public static Problem UnknownModel(string model) =>
        new(400, "invalid_request_error", "model_not_found", $"The model '{model}' does not exist in this project.", "model");
    public static Problem Unpriced(string model) =>
        new(400, "invalid_request_error", "model_unpriced", $"The model '{model}' has no price yet and cannot be called.", "model");
    public static Problem Unpriceable(string param, string message) =>
        new(400, "invalid_request_error", "unpriceable_parameter", message, param);

    public static Problem Untranslatable(string param, string message) =>
        new(400, "invalid_request_error", UntranslatableCode, message, param);
    public const string UntranslatableCode = "untranslatable_parameter";

    public static readonly Problem NoCredential = new(
        401, "authentication_error", "missing_api_key", "No API key or session token was sent. Use the header 'Authorization: Bearer …'.");
    public static readonly Problem BadCredential = new(
        401, "authentication_error", "invalid_api_key", "The API key or session token is not valid.");
    public static readonly Problem BadKeyInQuery = new(
        401,
        "authentication_error",
        "invalid_api_key",
        "The API key in the query is not valid, or its project accepts none there. Use the header 'x-goog-api-key'.",
        "key");
    public static readonly Problem BadKeyInPath = new(
        401,
        "authentication_error",
        "invalid_api_key",
        "The API key in the path is not valid, or was not made to stand there. Use the header 'Authorization', or a key with 'keyInPath'.",
        "key");
    public static readonly Problem ExpiredCredential = new(
        401, "authentication_error", "expired", "The API key or session token has expired.");
    public static readonly Problem RevokedCredential = new(
        401, "authentication_error", "revoked", "The API key or session token was revoked.");
    public static Problem WrongCredential(string wanted) =>
        new(401, "authentication_error", "wrong_credential_kind", $"This kind of credential is not accepted here. Use {wanted}.");

    public static Problem WalletExhausted(string message, LimitState? limit = null) =>
        new(402, "insufficient_credit", "wallet_exhausted", message) { Limit = limit };
    public static Problem NothingPays(string model) => new(
        402, "insufficient_credit", "wallet_exhausted",
        $"The customer has call credits alone, and none of any type pays for the model '{model}'. It needs a wallet or a plan.", "model");
    public static Problem NotEnoughCredits(string message, CreditState state) =>
        new(402, "insufficient_credit", "not_enough_queries", message) { Credits = state };
    /// <summary>Nothing is used up: the same request may be admitted when another one has ended.</summary>
    public static Problem BalanceHeld(string message, LimitState limit) =>
        new(429, "rate_limit_error", "balance_held", message, null, HeldRetrySeconds) { Limit = limit };
    public const int HeldRetrySeconds = 1;
    public static readonly Problem WalletFrozen = new(402, "insufficient_credit", "wallet_frozen", "The wallet is frozen.");
    public static Problem TopUpsFrozen(LimitState limit) => new(
        403, "permission_error", "top_ups_frozen",
        "Too many cards of this customer were declined. Its top-ups are frozen until an operator of the gateway lifts that.")
        { Limit = limit };
    /// <summary>Its cycle has nothing left.</summary>
    public static Problem LimitReached(string message, LimitState limit, int? retryAfter) =>
        new(429, "rate_limit_error", "limit_reached", message, null, retryAfter) { Limit = limit, IsUsedUp = true };
    /// <inheritdoc cref="BalanceHeld"/>
    public static Problem LimitHeld(string message, LimitState limit) =>
        LimitReached(message, limit, HeldRetrySeconds) with { IsUsedUp = false };
    public static Problem TooManyRunning(LimitState limit) => new(
        429, "rate_limit_error", "concurrent_limit_reached",
        $"This {limit.Level} may have {limit.Limit} requests running at the same time. Wait until one of them has ended.", null, 1)
        {
            Limit = limit,
        };
    public static Problem NotMeasurable(string unit) => new(
        400, "invalid_request_error", "limit_not_measurable",
        $"A limit of this customer counts {unit}, and nobody can say beforehand how many of them this request may use.");
    public static readonly Problem NoCreditsForBatches = new(
        400, "invalid_request_error", "limit_not_measurable",
        "Call credits pay single calls. Nobody can say beforehand how many of the calls in a batch will be answered.");
    public static readonly Problem NoClientSession = new(
        400, "invalid_request_error", "limit_not_measurable",
        "A limit of this customer counts client sessions, and the request does not say which one it belongs to. Name it in the header "
            + "'X-Client-Session', in 'metadata.session_id' or in 'user'.",
        "X-Client-Session");

    public static Problem PlanEnded(string plan, DateTimeOffset end) => new(
        402, "insufficient_credit", "plan_ended",
        $"The plan '{plan}' ended on {end.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}. Nothing is served until the customer has a plan again.")
        {
            Limit = new("plan", "tokens", null, "0", null, null),
        };

    public static Problem SessionCap(string message, LimitState limit) =>
        new(402, "insufficient_credit", "session_cap", message) { Limit = limit };

    public static readonly Problem ForbiddenOrigin = new(
        403, "permission_error", "origin_not_allowed", "This origin is not on the project's list.", "Origin");
    public static readonly Problem SecretKeyInBrowser = new(
        403,
        "permission_error",
        "secret_key_in_browser",
        "A secret key (sk_…) came from a web page, where others can read it. Revoke it, and give pages a session token (es_…) instead.",
        "Origin");
    public static readonly Problem MemberTokenInBrowser = SecretKeyInBrowser with
    {
        Code = "member_token_in_browser",
        Message = "A member's token (mt_…) came from a web page, where others can read it. End it, and let a server call instead.",
    };
    public static Problem ModelOutOfScope(string model) =>
        new(403, "permission_error", "model_not_allowed", $"This credential may not use the model '{model}'.", "model");
    public static readonly Problem SessionsDisabled = new(
        403, "permission_error", "end_user_sessions_disabled", "End-user sessions are not enabled for this project.");
    public static Problem CustomerStatus(string status) => new(403, "permission_error", $"customer_{status}", $"The customer is {status}.");
    public static readonly Problem ProjectInactive = new(403, "permission_error", "project_inactive", "The project is not active.");
    public static Problem ProviderDisabled(string id) => new(
        403, "permission_error", "provider-disabled",
        $"The provider '{id}' takes no calls at this address: it has no type of call credits, or serves other addresses.");
    public static readonly Problem BadProviderPath = new(
        400, "invalid_request_error", "invalid_value", "The path of the request is not one that can be sent to a provider.");
    public static readonly Problem LiveOnly = new(
        403, "permission_error", "live_only", "Test credentials may call only sandbox or free models.", "model");

    public static Problem NotFound(string what) => new(404, "not_found_error", "not_found", $"There is no such {what}.");
    public static Problem NoSuchRoute(HttpContext http) => NotFound($"route: {http.Request.Method} {http.Request.Path}");
    public static Problem MethodNotAllowed(HttpContext http) => new(
        405, "invalid_request_error", "method_not_allowed",
        $"{http.Request.Path} does not take {http.Request.Method}. It takes {http.Response.Headers.Allow}.");
    public static Problem Conflict(string code, string message, string? param = null) => new(409, "conflict_error", code, message, param);
    public static readonly Problem IdempotencyInUse = new(
        409, "idempotency_error", "idempotency_key_in_use", "A request with this Idempotency-Key is still running.", "Idempotency-Key", 1);
    public static readonly Problem IdempotencyReused = new(
        422, "idempotency_error", "idempotency_key_reused", "This Idempotency-Key was used with another request.", "Idempotency-Key");
    public static Problem ResponseNotFound(string id) => new(
        404,
        "invalid_request_error",
        "previous_response_not_found",
        $"The response '{id}' of 'previous_response_id' was not found. It was never stored, was deleted, or its time is over.",
        "previous_response_id");
    public static Problem ItemNotFound(string path, string id) => new(
        404,
        "invalid_request_error",
        "item_not_found",
        $"The item '{id}' of '{path}' was not found. It was never stored, was deleted, or its time is over.",
        path);
    public static readonly Problem IdempotencyUnreadable = new(
        409,
        "idempotency_error",
        "idempotency_answer_unreadable",
        "The call with this Idempotency-Key took effect. Its answer cannot be read any more: the key that it was sealed with is gone.",
        "Idempotency-Key");
    public static readonly Problem IdempotencyNotKept = new(
        409,
        "idempotency_error",
        "idempotency_answer_not_kept",
        "The call with this Idempotency-Key was answered and charged. Its answer is not kept: there was too much of it, or the ledger "
            + "was away when it ended. Nothing was run again; a new call needs a new key.",
        "Idempotency-Key");
    public static Problem TooLarge(long maxBytes) =>
        new(413, "invalid_request_error", "body_too_large", $"The request body may have at most {maxBytes} bytes.");
    public static Problem RefersToTooMuch(long maxBytes, int maxResponses) => TooLarge(maxBytes) with
    {
        Message = $"What a request refers to may stand in at most {maxResponses} kept responses, which may have {maxBytes} bytes together. "
            + "Refer to less, or send the items themselves.",
    };
    public static readonly Problem NotJson = new(
        415, "invalid_request_error", "unsupported_media_type", "Send 'Content-Type: application/json'.", "Content-Type");
    public static readonly Problem NotForm = NotJson with { Message = "Send 'Content-Type: multipart/form-data'." };
    public static Problem RateLimited(string message, int retryAfterSeconds) =>
        new(429, "rate_limit_error", "rate_limit_exceeded", message, null, retryAfterSeconds);
    public static Problem TooManyBytes(long maxBytes) => new(
        429,
        "rate_limit_error",
        "too_many_bytes",
        $"The request bodies of this customer that run at the same time may have {maxBytes} bytes together. Wait until some have ended.",
        null,
        1);
    public static readonly Problem BodyTooSlow = new(
        408, "invalid_request_error", "body_too_slow", "The request body did not arrive in time. Nothing was charged.");
    public static Problem RateLimited(string message, TimeSpan retryAfter) =>
        RateLimited(message, (int)Math.Ceiling(retryAfter.TotalSeconds));
    public static readonly Problem InternalOnly = new(
        401,
        "authentication_error",
        "internal_only",
        "This route is for the gateway's own services. The call was not signed for this service with one of its keys within a minute.");
    public static readonly Problem LiveKeyNeeded = new(
        403, "permission_error", "live_key_needed", "This is of the live world, too. A test key of a live project may not touch it.");
    public static Problem InsufficientPermission(string needed) => new(
        403, "permission_error", "insufficient_permission", $"This credential lacks the permission '{needed}'. Nothing was changed.");
    public static readonly Problem WrongCaller = new(
        403, "permission_error", "wrong_caller", "This route is for other services of the gateway.");

    public static Problem Upstream(int status, string code, string message, int? retryAfterSeconds = null) =>
        new(status, "upstream_error", code, message, null, retryAfterSeconds);
    public static readonly Problem Unavailable = new(
        503,
        "service_unavailable",
        "dependency_unavailable",
        "A part of the gateway is not available right now. Try again in a moment.",
        null,
        2);
    public static readonly Problem Overloaded = Unavailable with
    {
        Code = "overloaded", Message = "The gateway has no room for the request's body right now. Try again in a moment.",
    };
    public static readonly Problem Draining = Unavailable with
    {
        Code = "draining", Message = "This instance of the gateway takes no new requests. Try again in a moment; another one will answer.",
    };
    static readonly Problem Bug = new(500, "internal_error", "internal_error", "Something went wrong on our side.");

    /// <summary>The request's id, as in the header <c>X-Request-Id</c>.</summary>
    public static string RequestId(this HttpContext http) =>
        http.TraceIdentifier is { } id && id.StartsWith(Ids.Request, StringComparison.Ordinal) ? id : http.SetRequestId(Ids.New());

    public static string SetRequestId(this HttpContext http, Guid id)
    {
        var text = Ids.Show(Ids.Request, id);
        http.TraceIdentifier = text;
        return text;
    }

    /// <summary>
    /// Writes a body that shows its reason in every client. It has OpenAI's error object, and top-level members that other SDKs read.
    /// </summary>
    public static async Task WriteAsync(HttpContext http, Problem problem)
    {
        var requestId = http.RequestId();
        http.Response.StatusCode = problem.Status;
        http.Response.Headers["X-Request-Id"] = requestId;
        if (problem.RetryAfterSeconds is { } seconds)
            http.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (problem.IsUsedUp)
            http.Response.Headers["x-should-retry"] = "false";
        http.Response.ContentType = "application/json; charset=utf-8";
        var body = http.Items.TryGetValue(typeof(ProblemBody), out var chosen) ? (ProblemBody)chosen! : WriteBody;
        body(http.Response.BodyWriter, problem, requestId);
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }

    /// <summary>Sets the body for problems of this request, which is that of the wire that the client speaks.</summary>
    public static void SetProblemBody(this HttpContext http, ProblemBody body) => http.Items[typeof(ProblemBody)] = body;

    /// <summary>The body of a problem on wires without a form of their own.</summary>
    public static void WriteBody(IBufferWriter<byte> to, Problem problem, string requestId) =>
        Write(to, problem, requestId, withCode: problem.Credits is not null);

    /// <summary>The same, with the code where clients of API gateways look for it.</summary>
    public static void WriteBodyWithCode(IBufferWriter<byte> to, Problem problem, string requestId) =>
        Write(to, problem, requestId, withCode: true);

    static void Write(IBufferWriter<byte> to, Problem problem, string requestId, bool withCode)
    {
        using var json = new Utf8JsonWriter(to, Relaxed);
        json.WriteStartObject();
        json.WriteStartObject("error");
        json.WriteString("message", problem.Message);
        json.WriteString("type", problem.Type);
        json.WriteString("code", problem.Code);
        json.WriteString("param", problem.Param);
        problem.Limit?.Write(json);
        json.WriteEndObject();
        json.WriteString("message", problem.Message);
        json.WriteNumber("status", problem.Status);
        if (withCode)
            json.WriteString("code", problem.Code);
        problem.Credits?.Write(json);
        json.WriteString("requestId", requestId);
        json.WriteEndObject();
    }

    static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// Turns exceptions into answers. An outage becomes a 503 with Retry-After, and another unexpected failure a logged 500. No answer
    /// shows a stack trace. An outage never becomes a 401, because a caller would give up a good credential.
    /// </summary>
    public static void UseProblems(this WebApplication app) => app.Use(async (http, next) =>
    {
        try
        {
            await next(http);
            // Routing itself answers without a body, where there is no such path, and where it does not take the method.
            if (http.Response is { HasStarted: false, ContentLength: null, ContentType: null } && http.GetEndpoint() is not RouteEndpoint)
                await WriteUnroutedAsync(http);
        }
        catch (ProblemException e) when (!http.Response.HasStarted)
        {
            await WriteAsync(http, e.Problem);
        }
        catch (BadHttpRequestException e) when (!http.Response.HasStarted)
        {
            await WriteAsync(http, e.StatusCode switch
            {
                413 => TooLarge(Body.MaxBytes),
                408 => BodyTooSlow,
                _ => Malformed(e.Message),
            });
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            http.Abort();
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            var log = http.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger("LlmGateway.Problems");
            var outage = IsOutage(e);
            log.Log(
                outage ? LogLevel.Warning : LogLevel.Error,
                e,
                "{Method} {Path} failed ({RequestId})",
                http.Request.Method,
                http.Request.Path,
                http.RequestId());
            await WriteAsync(http, outage ? Unavailable : Bug);
        }
    });

    static Task WriteUnroutedAsync(HttpContext http) => http.Response.StatusCode switch
    {
        StatusCodes.Status404NotFound => WriteAsync(http, NoSuchRoute(http)),
        StatusCodes.Status405MethodNotAllowed => WriteAsync(http, MethodNotAllowed(http)),
        _ => Task.CompletedTask,
    };

    /// <summary>
    /// True for exceptions of a dependency that is down or restarting: the same call may succeed later. A dependency that answers and
    /// refuses is none, and neither is a file that cannot be read.
    /// </summary>
    public static bool IsOutage(Exception? e) => e switch
    {
        null => false,
        ProblemException { Problem.Status: 503 } => true,
        // Of a server that shuts down, of one that was the primary before a failover, and of one that was not spoken to for too long.
        PostgresException postgres =>
            postgres.IsTransient || postgres.SqlState is "57P01" or "57P02" or "57P03" or "25006" or "25P03",
        NpgsqlException { IsTransient: true } or SocketException or TimeoutException or HttpIOException => true,
        HttpRequestException { StatusCode: null or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable
            or HttpStatusCode.GatewayTimeout } => true,
        HttpRequestException => false,
        StackExchange.Redis.RedisConnectionException => true,
        MassTransit.ConnectionException or MassTransit.TransportException => true,
        RabbitMQ.Client.Exceptions.RabbitMQClientException => true,
        Polly.ExecutionRejectedException => true, // no answer in time, or none expected
        JsonException => false,
        _ => IsOutage(e.InnerException),
    };
}
