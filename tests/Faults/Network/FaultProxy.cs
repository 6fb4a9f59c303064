using System.Net;
using System.Net.Sockets;

namespace LlmGateway.Faults;

/// <summary>
/// A faulty network in front of one server: passes bytes both ways and does to them what <see cref="Fault"/> says, which may be changed at
/// any time. A change also counts for connections that are open already; what a fault counts, it counts from then on, for each connection
/// by itself.
/// </summary>
sealed class FaultProxy : IAsyncDisposable
{
    const int MaxPiece = 16 * 1024;

    readonly int _target;
    readonly CancellationTokenSource _stop = new();
    readonly Lock _lock = new();
    readonly HashSet<Connection> _open = [];
    TcpListener? _listener;
    Fault _fault = Fault.None;
    int _breaks, _accepted;
    long _swallowed;

    /// <param name="port">Where to listen; 0 for any free port.</param>
    public FaultProxy(int target, int port = 0)
    {
        _target = target;
        Port = port;
        Listen();
    }

    public int Port { get; private set; }

    /// <summary>Connections that came in so far.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>Bytes that were taken and not passed on.</summary>
    public long Swallowed => Interlocked.Read(ref _swallowed);

    /// <summary>Connections that this fault has broken.</summary>
    public int Breaks => Volatile.Read(ref _breaks);

    public Fault Fault
    {
        get => Volatile.Read(ref _fault);
        set
        {
            Volatile.Write(ref _breaks, 0);
            Volatile.Write(ref _fault, value);
            if (value.Refuses)
                Refuse();
            else
                Listen();
        }
    }

    public ValueTask DisposeAsync()
    {
        Refuse();
        _stop.Cancel();
        foreach (var connection in Open())
            connection.Break(reset: true);
        _stop.Dispose();
        return ValueTask.CompletedTask;
    }

    void Listen()
    {
        lock (_lock)
        {
            if (_listener is not null)
                return;
            _listener = new TcpListener(IPAddress.Loopback, Port);
            _listener.Start();
            Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
            _ = AcceptAsync(_listener);
        }
    }

    void Refuse()
    {
        lock (_lock)
        {
            _listener?.Dispose();
            _listener = null;
        }
    }

    async Task AcceptAsync(TcpListener listener)
    {
        try
        {
            for (; ; )
            {
                var client = await listener.AcceptSocketAsync(_stop.Token);
                Interlocked.Increment(ref _accepted);
                _ = ServeAsync(client);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // Nobody is let in any more.
        }
    }

    async Task ServeAsync(Socket client)
    {
        using var connection = new Connection(this, client);
        lock (_lock)
            _open.Add(connection);
        try
        {
            await connection.RunAsync(_target, _stop.Token);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // A side is gone; so is the other.
            connection.Break(reset: true);
        }
        finally
        {
            lock (_lock)
                _open.Remove(connection);
        }
    }

    Connection[] Open()
    {
        lock (_lock)
            return [.. _open];
    }

    /// <summary>Whether the fault may break one more connection.</summary>
    bool TryTakeBreak(Fault fault)
    {
        lock (_lock)
        {
            if (fault != Fault || _breaks >= fault.Times)
                return false;
            _breaks++;
            return true;
        }
    }

    sealed class Connection(FaultProxy owner, Socket client) : IDisposable
    {
        readonly Socket _server = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        readonly Progress _toServer = new(Way.ToServer), _toClient = new(Way.ToClient);
        volatile bool _breaking, _broken;

        public async Task RunAsync(int target, CancellationToken token)
        {
            client.NoDelay = true;
            if (owner.Fault is { ResetsOnAccept: true } fault && owner.TryTakeBreak(fault))
            {
                Break(fault.Resets);
                return;
            }
            await _server.ConnectAsync(IPAddress.Loopback, target, token);
            await Task.WhenAll(PumpAsync(client, _server, _toServer, token), PumpAsync(_server, client, _toClient, token));
        }

        async Task PumpAsync(Socket from, Socket to, Progress progress, CancellationToken token)
        {
            var buffer = new byte[MaxPiece];
            for (int read; (read = await from.ReceiveAsync(buffer, token)) > 0;)
            {
                var fault = owner.Fault;
                if (_breaking || fault.Swallows.HasFlag(progress.Way))
                {
                    progress.Swallowed = true;
                    Interlocked.Add(ref owner._swallowed, read);
                    continue;
                }
                if (progress.Swallowed)
                {
                    // What it has lost cannot be given back: the connection is of no use any more.
                    Break(reset: true);
                    return;
                }
                var (passes, breaks) = progress.Count(fault, buffer.AsSpan(0, read));
                breaks = breaks && owner.TryTakeBreak(fault);
                if (breaks)
                    _breaking = true; // before the server hears it: what it answers must not get past the break
                await SendAsync(to, buffer.AsMemory(0, breaks ? passes : read), fault, token);
                if (!breaks)
                    continue;
                Break(fault.Resets);
            }
            if (!_broken)
                to.Shutdown(SocketShutdown.Send);
        }

        static async Task SendAsync(Socket to, ReadOnlyMemory<byte> bytes, Fault fault, CancellationToken token)
        {
            while (bytes.Length > 0)
            {
                var piece = bytes[..Math.Min(bytes.Length, fault.PieceBytes)];
                if (fault.Latency > TimeSpan.Zero)
                    await Task.Delay(fault.Latency, token);
                await to.SendAsync(piece, token);
                bytes = bytes[piece.Length..];
            }
        }

        /// <summary>The client loses its connection; the server reads what has been sent to it, and then an end.</summary>
        public void Break(bool reset)
        {
            if (_broken)
                return;
            _breaking = _broken = true;
            try
            {
                if (reset)
                {
                    client.LingerState = new(true, 0);
                    client.Close();
                }
                else
                    client.Shutdown(SocketShutdown.Both); // closing while a read waits would be a reset, too
                _server.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Gone already.
            }
        }

        public void Dispose()
        {
            client.Dispose();
            _server.Dispose();
        }
    }

    /// <summary>What one direction of one connection has seen since the fault was set.</summary>
    sealed class Progress(Way way)
    {
        Fault? _fault;
        long _bytes;
        int _found, _matched;

        public Way Way => way;
        public bool Swallowed { get; set; }

        /// <summary>How many of these bytes pass, and whether the connection breaks after them.</summary>
        public (int Passes, bool Breaks) Count(Fault fault, ReadOnlySpan<byte> bytes)
        {
            if (fault != _fault)
                (_fault, _bytes, _found, _matched) = (fault, 0, 0, 0);
            if (fault.BreaksIn != way)
                return (bytes.Length, false);
            if (fault.Pattern.Length == 0)
            {
                var left = fault.AfterBytes - _bytes;
                _bytes += bytes.Length;
                return bytes.Length < left ? (bytes.Length, false) : ((int)Math.Max(0, left), true);
            }
            for (var i = 0; i < bytes.Length; i++)
            {
                // Enough for patterns whose first byte does not occur in them again; ours do not.
                _matched = bytes[i] == fault.Pattern[_matched] ? _matched + 1 : bytes[i] == fault.Pattern[0] ? 1 : 0;
                if (_matched < fault.Pattern.Length)
                    continue;
                _matched = 0;
                if (++_found == fault.Occurrence)
                    return (i + 1, true);
            }
            return (bytes.Length, false);
        }
    }
}
