using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>POST /webhook/stripe</c> and its other names: an event of Stripe's, verified over its bytes, stored, and answered 200. What follows
/// from it is done afterwards, from the table (<see cref="EventWorker"/>): Stripe repeats an event that it got no 200 for, and no other.
/// </summary>
public static class ReceiveEvent
{
    public static readonly string[] Paths = ["/webhook/stripe", "/stripe/webhook", "/webhooks/stripe", "/payment-webhooks/stripe"];

    /// <summary>Stripe's events have some ten kilobytes.</summary>
    public const int MaxBytes = 1024 * 1024;

    /// <summary>Bodies that are read at once, and for how long: nobody has shown yet that they are Stripe.</summary>
    const int MaxReaders = 64;

    static readonly TimeSpan ReadLimit = TimeSpan.FromSeconds(10);

    static readonly SemaphoreSlim Readers = new(MaxReaders);

    static readonly Problem BadSignature = Problems.Invalid(
        StripeSignature.Header, "'Stripe-Signature' is not a signature of ours, or the event was signed more than five minutes ago.");

    public static void MapReceiveEvent(this WebApplication app)
    {
        foreach (var path in Paths)
            app.MapPost(path, HandleAsync);
    }

    static async Task<IResult> HandleAsync(
        HttpContext http, StripeModes modes, NpgsqlDataSource database, EventWorker worker, TimeProvider time, CancellationToken token)
    {
        var header = http.Request.Headers[StripeSignature.Header].ToString();
        if (!StripeSignature.IsOfNow(header, time.GetUtcNow()))
            return BadSignature;
        if (!Readers.Wait(0, CancellationToken.None))
            return Problems.Unavailable;
        byte[]? body;
        try
        {
            using var limit = token.WithTimeout(ReadLimit);
            body = await ReadAsync(http, limit.Token);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            return Problems.BodyTooSlow;
        }
        finally
        {
            Readers.Release();
        }
        if (body is null)
            return Problems.TooLarge(MaxBytes);
        var (told, problem) = Verify(header, body, modes.All, time.GetUtcNow());
        if (problem is not null)
            return problem;
        await KeepAsync(database, told!, body, token);
        Failpoint.Hit("billing.event.kept");
        worker.Wake();
        return Results.Json(new { received = true }, Defaults.Json);
    }

    /// <summary>An event must be of the mode whose secret has signed it.</summary>
    public static (StripeEvent? Event, Problem? Problem) Verify(
        string header, byte[] body, IReadOnlyList<StripeMode> modes, DateTimeOffset now)
    {
        var signedBy = modes.Where(mode => StripeSignature.IsValid(header, body, mode.WebhookSecrets, now)).ToList();
        if (signedBy.Count == 0)
            return (null, BadSignature);
        if (StripeEvent.Read(body) is not { } told)
            return (null, Problems.Malformed("The body is not an event of Stripe's."));
        return signedBy.Exists(mode => mode.Livemode == told.Livemode)
            ? (told, null)
            : (null, Problems.Invalid("livemode", "'livemode' of the event is not the mode whose secret has signed it."));
    }

    /// <summary>The first to bring an event is the one that counts, whatever comes under its id later.</summary>
    /// <returns>False when it was here.</returns>
    public static async Task<bool> KeepAsync(NpgsqlDataSource database, StripeEvent told, byte[] body, CancellationToken token)
    {
        return await database.ChangeAsync("""
            insert into stripe_event (id, livemode, account, type, api_version, created, body, about, intent, holder, owner)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $11, coalesce(
                (select organization from payment where intent = $9),
                (select organization from connect_account where stripe = $3),
                (select organization from subscriber where stripe = $11),
                $10))
            on conflict (id, livemode) do nothing
            """, token,
            told.Id, told.Livemode, told.Account, told.Type, told.ApiVersion, told.Created, body, told.About, told.Intent,
            OwnerPlaces.Nobody, told.Holder) == 1;
    }

    /// <summary>The bytes as they came; null when there are too many.</summary>
    static async Task<byte[]?> ReadAsync(HttpContext http, CancellationToken token)
    {
        if (http.Request.ContentLength > MaxBytes)
            return null;
        using var buffer = new MemoryStream();
        var chunk = new byte[16 * 1024];
        for (int read; (read = await http.Request.Body.ReadAsync(chunk, token)) > 0;)
        {
            if (buffer.Length + read > MaxBytes)
                return null;
            buffer.Write(chunk, 0, read);
        }
        return buffer.ToArray();
    }
}
