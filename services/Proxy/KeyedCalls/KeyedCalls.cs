using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using LlmGateway.Contracts;
using LlmGateway.Proxy.ResponseState;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// <c>Idempotency-Key</c> on calls to models: a call that is repeated under its key runs once and is charged once, and each repetition gets
/// the same bytes. Only calls with the header come here.
/// <code>
///   begin: the ledger takes the key ─ run ─ end: the ledger books charge and answer in one transaction ─ spool, as always
///     └── taken: stored answer, 409 or 422      └── no whole answer: the key is free
/// </code>
/// </summary>
public sealed class KeyedCalls(
    KeyedCallsClient ledger, Envelope envelope, BodyBudget bodies, Spool spool, TimeProvider time, ILogger<KeyedCalls> log)
    : BackgroundService
{
    /// <summary>
    /// Requests whose keys must stay taken: they run, or they have ended and the ledger has not booked them yet. While the ledger is away
    /// none is added, so there are never more than requests that ran at that moment.
    /// </summary>
    readonly ConcurrentDictionary<Guid, bool> _taken = new();

    /// <summary>
    /// Requests whose keys are free, and the ledger may not know it: it did not answer when it was told, or when they wanted to begin. It
    /// is told again until it answers. Beyond the bound it finds out by the silence about them.
    /// </summary>
    readonly ConcurrentDictionary<Guid, bool> _free = new();
    const int MaxFree = 10_000;

    /// <summary>Those that run wait for it with their next renewal.</summary>
    const int MaxFreedAtOnce = 100;

    /// <summary>
    /// Takes the key. Otherwise nothing is to run: the caller has its answer now, or there is a problem.
    /// </summary>
    public async Task<(bool IsAnswered, Problem? Problem)> BeginAsync(
        ModelCall call, string endpoint, string key, RequestTarget target, ReadOnlyMemory<byte> body)
    {
        var keyed = new KeyedCall(KeyedCall.IdOf(call.Caller, endpoint, key), call.Id);
        var (status, answer) = await AskAsync(
            new(keyed.Call, call.Caller.Owner, call.Id, spool.Holder, KeyedCall.HashOf(target, body.Span)));
        switch (status)
        {
            case HttpStatusCode.NoContent:
                _taken[call.Id] = true;
                call.Keyed = keyed;
                Failpoint.Hit("proxy.call.keyed");
                return (false, null);
            case HttpStatusCode.OK:
                return await ReplayAsync(call, keyed.Call, answer);
            case HttpStatusCode.Gone:
                return (false, Problems.IdempotencyNotKept);
            case HttpStatusCode.UnprocessableEntity:
                return (false, Problems.IdempotencyReused);
            default:
                return (false, Problems.IdempotencyInUse);
        }
    }

    async Task<(HttpStatusCode, byte[])> AskAsync(KeyRequest asked)
    {
        try
        {
            return await ledger.TakeAsync(asked);
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            TellLater(asked.Request);
            throw new ProblemException(Problems.Unavailable);
        }
    }

    async Task<(bool, Problem?)> ReplayAsync(ModelCall call, Guid of, byte[] answer)
    {
        ReadOnlyMemory<byte> body;
        try
        {
            body = KeptAnswer.Unpack(SealOf(call.Caller).Open(answer, of), call.Http.Response);
        }
        catch (Exception e) when (e is CryptographicException or InvalidDataException or IOException)
        {
            log.LogError("the answer of a repeated call does not open: {Message}", e.Message);
            return (false, Problems.IdempotencyUnreadable);
        }
        call.Http.Response.Headers[Idempotency.ReplayedHeader] = "true";
        if (body.Length > 0)
            call.Http.Response.ContentLength = body.Length;
        await call.Http.Response.BodyWriter.WriteAsync(body, call.Http.RequestAborted);
        return (true, null);
    }

    /// <summary>Room for the record of a stream that is to be kept.</summary>
    public BodyBudget.Room OpenRoom(ModelCall call) => bodies.OpenRoom(call.Caller.Owner);

    /// <summary>
    /// Has the ledger book the call together with its answer. When it does not answer, the caller gets the answer all the same, and the
    /// settlement in the spool says that the key is used.
    /// </summary>
    /// <param name="record">The call's settlement.</param>
    /// <param name="answer">Null when it is too large.</param>
    public async Task EndAsync(ModelCall call, byte[] record, ReadOnlyMemory<byte>? answer)
    {
        try
        {
            var kept = answer is { } body ? Seal(call, body.Span) : [];
            Failpoint.Hit("proxy.call.recorded");
            await ledger.EndAsync(call.Id, record, kept);
            _taken.TryRemove(call.Id, out _);
            Failpoint.Hit("proxy.call.kept");
        }
        catch (Exception e)
        {
            log.LogWarning("the answer of {Request} is not kept: {Message}", call.Http.RequestId(), e.Message);
        }
    }

    /// <summary>Empty when it is too large.</summary>
    byte[] Seal(ModelCall call, ReadOnlySpan<byte> body)
    {
        if (body.Length > KeyTerms.MaxAnswerBytes)
            return [];
        var packed = KeptAnswer.Pack(call.Http.Response, body);
        return packed.Length + StateSeal.Overhead > KeyTerms.MaxAnswerBytes
            ? []
            : SealOf(call.Caller).Seal(packed, call.Keyed!.Call);
    }

    /// <summary>The caller got no whole answer: its key is free at once, or as soon as the ledger answers again.</summary>
    public async ValueTask FreeAsync(ModelCall call)
    {
        if (call.Keyed!.IsWhole || !_taken.TryRemove(call.Id, out _))
            return;
        try
        {
            await ledger.FreeAsync(call.Id);
            Failpoint.Hit("proxy.call.freed");
        }
        catch (Exception e)
        {
            TellLater(call.Id);
            log.LogWarning("the key of {Request} is not free yet: {Message}", call.Http.RequestId(), e.Message);
        }
    }

    void TellLater(Guid request)
    {
        if (_free.Count < MaxFree)
            _free[request] = true;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Loop.RunAsync("keyed calls", KeyTerms.RenewEvery, _ => RenewAsync(), log, time, stoppingToken);

    /// <summary>Tells the ledger of the keys that must stay taken, and forgets those whose calls it has booked.</summary>
    public async Task RenewAsync()
    {
        try
        {
            foreach (var requests in _taken.Keys.Chunk(KeyRenewal.MaxAtOnce))
                foreach (var ended in requests.Except(await ledger.RenewAsync(requests)))
                    _taken.TryRemove(ended, out _);
            foreach (var request in _free.Select(free => free.Key).Take(MaxFreedAtOnce))
            {
                await ledger.FreeAsync(request);
                _free.TryRemove(request, out _);
            }
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            log.LogWarning("keys of {Count} calls are not renewed: {Message}", _taken.Count, e.Message);
        }
    }

    StateSeal SealOf(Caller caller) =>
        new(envelope, caller.Credential.Project, caller.Credential.Test, caller.Owner, "paid calls");
}
