using System.Security.Cryptography;
using System.Text;
using LlmGateway.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// <c>Idempotency-Key</c> on management POSTs. A repetition gets the stored answer, with <c>Idempotent-Replayed: true</c>. Another body
/// under the same key is refused (422), and so is a concurrent call (409). Answers are stored for <see cref="Retention"/> in the table
/// <c>idempotent_call</c>, sealed, because some show a secret once. Effects on money stay protected for ever by ids derived from the key
/// (<see cref="EffectId"/>).
/// </summary>
public static class Idempotency
{
    public const string HeaderName = "Idempotency-Key";
    public const string ReplayedHeader = "Idempotent-Replayed";
    public const int MaxKeyLength = 255;
    public static readonly TimeSpan Retention = TimeSpan.FromHours(72);

    /// <summary>An execution that has not finished after this time has died. The next call with the key takes over.</summary>
    static readonly TimeSpan Abandoned = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Answers are sealed with keys that are derived from the internal ones, so that a service needs no master key for them. Where there is
    /// one, it opens what earlier versions have sealed.
    /// </summary>
    public static void AddIdempotency(this IHostApplicationBuilder builder) =>
        builder.Services.AddSingleton(services => new AnswerSeal(new(
        [
            .. services.GetRequiredService<InternalKeys>().Keys.Select(key => KeySetting.Derive(key, "stored answers")),
            .. services.GetService<MasterKeys>()?.Keys ?? [],
        ])));

    sealed record AnswerSeal(Envelope Envelope);

    /// <param name="ofEach">
    /// Each secret key, and each token of a member, has calls of its own, because the answer shows what the one may have and the other may
    /// not: what works longer than itself, for one.
    /// </param>
    public static RouteHandlerBuilder WithIdempotency(this RouteHandlerBuilder route, bool ofEach = false) =>
        route.AddEndpointFilter(async (context, next) =>
        {
            var http = context.HttpContext;
            var (key, problem) = ReadKey(http.Request);
            return problem is not null ? problem
                : key is null ? await next(context)
                : await RunAsync(http, key, ofEach, async () => (IResult)(await next(context))!);
        });

    /// <summary>
    /// The key of a call; null when it has none. An empty one is refused: it comes from a caller who believes that the call is protected.
    /// </summary>
    public static (string? Key, Problem? Problem) ReadKey(HttpRequest request)
    {
        var values = request.Headers[HeaderName];
        if (values.Count == 0)
            return default;
        var key = values.ToString();
        return values.Count == 1 && key.Length is > 0 and <= MaxKeyLength && key.AsSpan().IndexOfAnyExceptInRange(' ', '~') < 0
            ? (key, null)
            : (null, Problems.Invalid(HeaderName, $"'{HeaderName}' must be one value of 1 to {MaxKeyLength} characters of ASCII."));
    }

    /// <summary>The id of this call's effect: the same for every repetition under one key, new without a key.</summary>
    /// <param name="path">
    /// The route as it is written here, with its ids as they are shown. A caller may spell it otherwise, and means the same effect.
    /// </param>
    public static Guid EffectId(HttpContext http, Principal principal, string path) =>
        http.Request.Headers[HeaderName].ToString() is { Length: > 0 } key
            ? Ids.Derive(principal.Project, $"{http.Request.Method} {path} {Scope(principal)} {key}")
            : Ids.New();

    static async Task<IResult> RunAsync(HttpContext http, string key, bool ofEach, Func<Task<IResult>> execute)
    {
        var principal = http.Principal();
        var scope = Scope(principal);
        var hash = await HashAsync(http, principal, ofEach);
        var database = http.RequestServices.GetRequiredService<NpgsqlDataSource>();
        var envelope = http.RequestServices.GetRequiredService<AnswerSeal>().Envelope;

        if (!await ClaimAsync(database, scope, key, hash, http.RequestAborted))
            return await ReplayAsync(database, envelope, scope, key, hash, http);

        Failpoint.Hit("idempotency.claimed");
        var done = false;
        try
        {
            var (status, body) = await CaptureAsync(http, await execute());
            Failpoint.Hit("idempotency.executed");
            // Refusals are not stored, so that the caller can remove the cause and use the same key again.
            if (status < 400)
            {
                await FinishAsync(database, scope, key, status, envelope.Seal(Encoding.UTF8.GetString(body), Owner(scope, key)));
                done = true;
                Failpoint.Hit("idempotency.finished");
            }
            return new Stored(status, body);
        }
        finally
        {
            if (!done)
                await ForgetAsync(database, scope, key);
        }
    }

    /// <summary>
    /// The scope of a key. An end user must never get another one's answer, least of all a fresh session token, and neither must a member.
    /// </summary>
    static string Scope(Principal principal) =>
        $"{principal.Project:N}:{(principal.Test ? "test" : "live")}"
        + principal.Kind switch
        {
            CredentialKind.SecretKey => "",
            CredentialKind.Member => $":member:{principal.Credential:N}",
            _ => $":{principal.Customer:N}",
        };

    static string Owner(string scope, string key) => $"idempotency:{scope}:{key}";

    /// <summary>
    /// A secret key that may not do all has calls of its own: another one's answer may show a secret that this one could not ask for. A
    /// member's are apart by <see cref="Scope"/>, and its tokens by their ends.
    /// </summary>
    static async Task<byte[]> HashAsync(HttpContext http, Principal principal, bool ofEach)
    {
        http.Request.EnableBuffering(bufferThreshold: Body.MaxManagementBytes);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{http.Request.Method} {http.Request.Path}{http.Request.QueryString}\n"));
        if (ofEach || principal.Permissions is not null)
            hash.AppendData(principal.Credential.ToByteArray());
        if (ofEach && principal.Kind == CredentialKind.Member)
            hash.AppendData(BitConverter.GetBytes(principal.ExpiresAt?.UtcTicks ?? 0));
        var chunk = new byte[16 * 1024];
        for (int read; (read = await http.Request.Body.ReadAsync(chunk, http.RequestAborted)) > 0;)
        {
            hash.AppendData(chunk, 0, read);
            if (http.Request.Body.Position > Body.MaxManagementBytes)
                throw new ProblemException(Problems.TooLarge(Body.MaxManagementBytes));
        }
        http.Request.Body.Position = 0;
        return hash.GetHashAndReset();
    }

    static async Task<bool> ClaimAsync(NpgsqlDataSource database, string scope, string key, byte[] hash, CancellationToken token)
    {
        await using var claim = database.Sql("""
            insert into idempotent_call (scope, key, input_hash, started_at) values ($1, $2, $3, now())
            on conflict (scope, key) do update set started_at = now()
            where idempotent_call.status is null and idempotent_call.started_at < now() - $4 and idempotent_call.input_hash = $3
            """, scope, key, hash, Abandoned);
        return await claim.ExecuteNonQueryAsync(token) == 1;
    }

    static async Task<IResult> ReplayAsync(
        NpgsqlDataSource database, Envelope envelope, string scope, string key, byte[] hash, HttpContext http)
    {
        await using var read = database.Sql(
            "select input_hash, status, sealed_body from idempotent_call where scope = $1 and key = $2", scope, key);
        await using var row = await read.ExecuteReaderAsync(http.RequestAborted);
        if (!await row.ReadAsync(http.RequestAborted))
            return Problems.IdempotencyInUse;
        if (!row.GetFieldValue<byte[]>(0).AsSpan().SequenceEqual(hash))
            return Problems.IdempotencyReused;
        if (row.IsDBNull(1))
            return Problems.IdempotencyInUse;
        if (envelope.TryOpen(row.GetString(2), Owner(scope, key)) is not { } body)
            return Problems.IdempotencyUnreadable;
        http.Response.Headers[ReplayedHeader] = "true";
        return new Stored(row.GetInt32(1), Encoding.UTF8.GetBytes(body));
    }

    static async Task FinishAsync(NpgsqlDataSource database, string scope, string key, int status, string sealedBody)
    {
        await using var finish = database.Sql(
            "update idempotent_call set status = $3, sealed_body = $4 where scope = $1 and key = $2", scope, key, status, sealedBody);
        await finish.ExecuteNonQueryAsync();
    }

    static async Task ForgetAsync(NpgsqlDataSource database, string scope, string key)
    {
        await using var forget = database.Sql("delete from idempotent_call where scope = $1 and key = $2 and status is null", scope, key);
        await forget.ExecuteNonQueryAsync();
    }

    /// <summary>
    /// What <paramref name="result"/> would send, even when the caller has left. Results that write JSON stop silently when the request is
    /// aborted, and an answer without its body would be stored for every repetition.
    /// </summary>
    public static async Task<(int Status, byte[] Body)> CaptureAsync(HttpContext http, IResult result)
    {
        var (target, aborted) = (http.Response.Body, http.RequestAborted);
        using var captured = new MemoryStream();
        http.Response.Body = captured;
        http.RequestAborted = CancellationToken.None;
        try
        {
            await result.ExecuteAsync(http);
            return (http.Response.StatusCode, captured.ToArray());
        }
        finally
        {
            (http.Response.Body, http.RequestAborted) = (target, aborted);
        }
    }

    sealed class Stored(int status, byte[] body) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = status;
            if (body.Length == 0)
                return;
            httpContext.Response.ContentType = "application/json; charset=utf-8";
            await httpContext.Response.Body.WriteAsync(body, httpContext.RequestAborted);
        }
    }
}
