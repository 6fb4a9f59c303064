using System.Threading.Channels;

namespace LlmGateway.ServiceDefaults;

/// <summary>Wakes the one loop that waits for work. Signals that come while it works are kept as one.</summary>
public sealed class WakeSignal
{
    readonly Channel<bool> _signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Raise() => _signal.Writer.TryWrite(true);

    public ValueTask<bool> WaitAsync(CancellationToken token) => _signal.Reader.ReadAsync(token);

    /// <summary>Returns after <paramref name="atMost"/> without a signal, too.</summary>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken token)
    {
        using var limit = token.WithTimeout(atMost);
        try
        {
            await _signal.Reader.ReadAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            // No signal came in time.
        }
    }
}
