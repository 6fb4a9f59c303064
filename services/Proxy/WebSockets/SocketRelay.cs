using System.Buffers;
using System.Net.WebSockets;

namespace LlmGateway.Proxy;

/// <summary>
/// Passes messages between two WebSockets, piece by piece: a side that does not take what it is sent holds up the other, and no more than a
/// piece waits. Each piece is counted before it passes. The close of one side is told to the other, and so is an end of ours to both.
/// </summary>
/// <param name="look">Is asked often whether it must end.</param>
sealed class SocketRelay(
    WebSocket caller, WebSocket provider, SocketLedger ledger, UpstreamSecrets secrets, Action moved, Func<ValueTask<SocketEnd?>> look,
    TimeProvider time, ILogger log) : IDisposable
{
    /// <summary>Longest message. It is not kept, but counted with what it is the beginning of.</summary>
    public const long MaxMessageBytes = 16 * 1024 * 1024;

    /// <summary>Most bytes that pass at once, and so that are counted at once.</summary>
    public const int PieceBytes = 16 * 1024;

    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250), CloseWithin = TimeSpan.FromSeconds(2);

    readonly CancellationTokenSource _stop = new();

    /// <summary>Returns when nothing passes any more. Never throws.</summary>
    public async Task<SocketEnd> RunAsync()
    {
        var (up, down, watch) = (PassAsync(caller, provider, isAnswer: false), PassAsync(provider, caller, isAnswer: true), WatchAsync());
        var first = await Task.WhenAny(up, down, watch);
        var end = await first;
        using (var late = new CancellationTokenSource(CloseWithin, time))
            await (end.IsClosed && first == up ? CloseAsync(caller, provider, down, end, late.Token)
                : end.IsClosed && first == down ? CloseAsync(provider, caller, up, end, late.Token)
                : CloseBothAsync(up, down, end, late.Token));
        await _stop.CancelAsync();
        caller.Abort();
        provider.Abort();
        await Task.WhenAll(up, down, watch);
        return end;
    }

    public void Dispose() => _stop.Dispose();

    async Task<SocketEnd> PassAsync(WebSocket from, WebSocket to, bool isAnswer)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        var (isSending, begins, length) = (false, true, 0L);
        try
        {
            while (true)
            {
                var got = await from.ReceiveAsync(buffer.AsMemory(0, PieceBytes), _stop.Token);
                if (got.MessageType == WebSocketMessageType.Close)
                    return SocketEnd.Closed(
                        from.CloseStatus, isAnswer ? secrets.Hide(from.CloseStatusDescription ?? "") : from.CloseStatusDescription);
                length += got.Count;
                if (length > MaxMessageBytes)
                    return SocketEnd.TooLarge;
                var piece = buffer.AsMemory(0, got.Count);
                if (await ledger.TakeAsync(isAnswer, piece, begins) is { } end)
                    return end;
                isSending = true;
                await to.SendAsync(piece, got.MessageType, got.EndOfMessage, _stop.Token);
                isSending = false;
                begins = got.EndOfMessage;
                length = begins ? 0 : length;
                moved();
            }
        }
        catch (Exception e) when (IsBroken(e))
        {
            return isAnswer == isSending ? SocketEnd.Left : SocketEnd.Interrupted;
        }
        catch (Exception e)
        {
            log.LogError(e, "a WebSocket failed");
            return SocketEnd.Failed;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    async Task<SocketEnd> WatchAsync()
    {
        using var tick = new PeriodicTimer(LookEvery, time);
        try
        {
            while (await tick.WaitForNextTickAsync(_stop.Token))
                if (await look() is { } end)
                    return end;
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // It has ended otherwise.
        }
        catch (Exception e)
        {
            log.LogError(e, "a WebSocket failed");
            return SocketEnd.Failed;
        }
        return SocketEnd.Left;
    }

    /// <summary>What one side has closed is closed at the other, which may still say what it had begun to say.</summary>
    async Task CloseAsync(WebSocket by, WebSocket other, Task<SocketEnd> rest, SocketEnd end, CancellationToken late)
    {
        await TellAsync(other, end);
        try
        {
            end = await rest.WaitAsync(late);
        }
        catch (OperationCanceledException)
        {
            // The other side does not answer. It is told to the first side all the same.
        }
        await TellAsync(by, end);
    }

    async Task CloseBothAsync(Task up, Task down, SocketEnd end, CancellationToken late)
    {
        await ledger.StopAsync(end);
        await Task.WhenAll(TellAsync(caller, end), TellAsync(provider, end));
        await Task.WhenAll(ReadToEndAsync(caller, up, late), ReadToEndAsync(provider, down, late));
    }

    async Task TellAsync(WebSocket side, SocketEnd end)
    {
        using var late = new CancellationTokenSource(CloseWithin, time);
        try
        {
            if (side.State is WebSocketState.Open or WebSocketState.CloseReceived)
                await side.CloseOutputAsync(end.Code, end.Words, late.Token);
        }
        catch (Exception e) when (IsBroken(e))
        {
            // It is gone, or does not take it in time.
        }
    }

    /// <summary>A connection that is ended while bytes of the other side are unread may take the closing frame with it.</summary>
    static async Task ReadToEndAsync(WebSocket side, Task pass, CancellationToken late)
    {
        try
        {
            await pass.WaitAsync(late);
            var nothing = new byte[1024];
            while (side.State is WebSocketState.Open or WebSocketState.CloseSent)
                await side.ReceiveAsync(nothing.AsMemory(), late);
        }
        catch (Exception e) when (IsBroken(e))
        {
            // It is gone, or has not closed in time.
        }
    }

    static bool IsBroken(Exception e) =>
        e is WebSocketException or IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException;
}
