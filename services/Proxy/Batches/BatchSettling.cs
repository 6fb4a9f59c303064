using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Batches;

/// <summary>
/// Looks for batches that have ended, sums up their cost, and has the ledger give back what was charged beyond it. Every proxy does so. A
/// proxy that claims a batch has it for a while. A cost that is reported twice is booked once. Failures are repeated until providers delete
/// the results. After that the batch stays charged at its bound.
/// </summary>
public sealed class BatchSettling(
    Identity identity, SessionsClient sessions, WalletClient wallet, ProviderCalls calls, TimeProvider time, ILogger<BatchSettling> log)
    : BackgroundService
{
    /// <summary>Anthropic keeps results this long. OpenAI keeps them one day longer.</summary>
    static readonly TimeSpan ResultsAreKept = TimeSpan.FromDays(29);

    static readonly TimeSpan Tick = TimeSpan.FromSeconds(2), Patience = TimeSpan.FromMinutes(10);

    const int AtOnce = 4, MaxHints = 1000;

    readonly ConcurrentQueue<string> _ended = new();
    readonly WakeSignal _hinted = new();

    /// <summary>A caller has just seen that this batch has ended, so it is looked at next.</summary>
    public void Hint(ProviderObject batch)
    {
        if (batch.Settled || _ended.Count >= MaxHints)
            return;
        _ended.Enqueue(batch.Id);
        _hinted.Raise();
    }

    /// <summary>False when the batch has not ended, or its cost cannot be booked yet.</summary>
    /// <exception cref="Exception">The provider, Sessions or the ledger did not answer.</exception>
    public async Task<bool> SettleAsync(ProviderObject batch, CancellationToken token)
    {
        if (await identity.ProjectAsync(batch.Project) is not { } project || project.FindProvider(batch.Provider) is not { } upstream)
            return false;
        ProviderCall Get(string path) =>
            new(null, BatchWires.Of(batch.Terms!.Endpoint)!, upstream, batch.ProviderKey, HttpMethod.Get, path) { About = batch };
        var state = BatchState.Of(batch, await calls.AskAsync(Get(BatchState.PathOf(batch)), token));
        if (!state.HasEnded)
            return false;
        var tally = new BatchTally(batch.Terms!);
        if (state.ResultsPath is { } path)
        {
            using var response = await calls.SendAsync(Get(path), token);
            await using var results = await InflatedStream.OpenAsync(response, token);
            await ResultLines.ReadAsync(results, tally.Add, token);
        }
        if (tally.Answered < state.Answered)
            throw new IOException($"{state.Answered} requests were answered and {tally.Answered} are in the results");
        // The batch's own settlement travels through the broker and may arrive later than this.
        if (!await wallet.BookAsync(new(batch.RequestId!.Value, new(tally.Cost))))
            return false;
        await sessions.SettledAsync(batch.Id, new(new(tally.Cost), tally.Usage.Units));
        return true;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Loop.RunAsync("batch settling", async token =>
    {
        if (_ended.IsEmpty)
            await _hinted.WaitAsync(Tick, token);
        var claimed = new List<ProviderObject>(AtOnce);
        while (claimed.Count < AtOnce && _ended.TryDequeue(out var id))
            claimed.AddRange(await sessions.ClaimAsync(new(id)));
        if (claimed.Count < AtOnce)
            claimed.AddRange(await sessions.ClaimAsync(new(Limit: AtOnce - claimed.Count)));
        await Task.WhenAll(claimed.Select(batch => TryAsync(batch, token)));
    }, log, time, stoppingToken);

    async Task TryAsync(ProviderObject batch, CancellationToken stopping)
    {
        using var patience = stopping.WithTimeout(Patience);
        try
        {
            if (await SettleAsync(batch, patience.Token))
                return;
        }
        catch (Exception e) when (!stopping.IsCancellationRequested)
        {
            log.LogWarning("batch {Batch} could not be settled yet: {Message}", batch.Id, e.Message);
        }
        if (time.GetUtcNow() - batch.CreatedAt > ResultsAreKept)
            await GiveUpAsync(batch);
    }

    async Task GiveUpAsync(ProviderObject batch)
    {
        log.LogError(
            "the results of batch {Batch} were never found: it stays charged at its bound of {Bound} USD", batch.Id, batch.Terms!.Bound);
        await sessions.SettledAsync(batch.Id, new(null, []));
    }
}

/// <summary>The provider's description of a batch, as far as settling needs it.</summary>
/// <param name="Answered">Number of requests that were answered. Each has a line in the results.</param>
/// <param name="ResultsPath">Null when there are no results.</param>
public sealed record BatchState(bool HasEnded, int Answered, string? ResultsPath)
{
    /// <summary>The batch's path from the provider's root.</summary>
    public static string PathOf(ProviderObject of) => $"{RootOf(of.Kind)}/{Uri.EscapeDataString(of.ProviderId)}";

    static string RootOf(string kind) => kind switch
    {
        ProviderObject.MessageBatch => "/v1/messages/batches",
        ProviderObject.Batch => "/v1/batches",
        _ => "/v1/files",
    };

    public static BatchState Of(ProviderObject batch, JsonObject said)
    {
        if (batch.Kind == ProviderObject.MessageBatch)
            return new(Text(said, "processing_status") == "ended", Count(said, "succeeded"), $"{PathOf(batch)}/results");
        var output = Text(said, "output_file_id");
        return new(
            Text(said, "status") is "completed" or "failed" or "expired" or "cancelled",
            Count(said, "completed"),
            output is null ? null : $"/v1/files/{Uri.EscapeDataString(output)}/content");
    }

    static string? Text(JsonObject said, string member) =>
        said[member] is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    static int Count(JsonObject said, string member) =>
        said["request_counts"] is JsonObject counts && counts[member] is JsonValue value && value.TryGetValue(out int count) ? count : 0;
}
