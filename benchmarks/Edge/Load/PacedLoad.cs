using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmGateway.Edge;

/// <summary>
/// Many streams at the pace of a model: each connection asks for the next stream when one has ended, until the time is up and the last have
/// ended. Their starts are spread over the length of a stream, so that the provider's clock does not tick for all at once. Prints one line,
/// as <c>request.lua</c> does, with two numbers more: events received and events lost, which did not come, or not with the bytes that were
/// to come next. Times are to the first event.
/// </summary>
sealed class PacedLoad(byte[] request, TimeSpan time) : IDisposable
{
    /// <summary>Without any news for this long, what is missing is lost.</summary>
    const int SilenceMilliseconds = 10_000;

    static readonly TimeSpan StreamTime = MockProvider.Pace * Answers.Events;

    readonly Epoll _epoll = new();
    readonly List<Socket> _opened = [];
    readonly Dictionary<int, PacedStream> _streams = [];
    readonly List<long> _firsts = [];
    readonly byte[] _buffer = new byte[64 * 1024];
    readonly long _start = Stopwatch.GetTimestamp();
    int _running;

    public static void Run(int port, int connections, int seconds, string bodyFile, string key)
    {
        var body = File.ReadAllBytes(bodyFile);
        var head = $"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            + $"Authorization: Bearer {key}\r\nContent-Length: {body.Length}\r\n\r\n";
        byte[] request = [.. Encoding.ASCII.GetBytes(head), .. body];
        using var load = new PacedLoad(request, TimeSpan.FromSeconds(seconds));
        for (var i = 0; i < connections; i++)
            load.Connect(port);
        load.Run();
        load.Print();
    }

    public void Dispose() => _opened.ForEach(socket => socket.Dispose());

    void Connect(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        _opened.Add(socket);
        socket.Connect(IPAddress.Loopback, port);
        socket.Blocking = false;
        _streams[(int)socket.Handle] = new();
        _epoll.Watch((int)socket.Handle);
    }

    void Run()
    {
        var waiting = new Queue<int>(_streams.Keys);
        var (between, started, clock) = (StreamTime / waiting.Count, 0, Stopwatch.StartNew());
        Span<int> ready = stackalloc int[256];
        while (waiting.Count > 0 || _running > 0)
        {
            for (; waiting.Count > 0 && clock.Elapsed >= between * started; started++)
                Begin(waiting.Dequeue());
            var count = _epoll.Wait(ready, waiting.Count > 0 ? 1 : SilenceMilliseconds);
            if (count == 0 && waiting.Count == 0)
                return;
            foreach (var socket in ready[..count])
                Read(socket);
        }
    }

    void Begin(int socket)
    {
        _streams[socket].Begin();
        _running++;
        // A few hundred bytes always fit into the buffer of a socket that was idle.
        if (Epoll.Send(socket, request) != request.Length)
            throw new IOException("the proxy does not take a request");
    }

    void Read(int socket)
    {
        var stream = _streams[socket];
        var read = Epoll.Receive(socket, _buffer);
        if (read == Epoll.TryAgain)
            return;
        if (read <= 0)
            throw new IOException("the proxy closed a connection");
        if (!stream.Take(_buffer.AsSpan(0, read)))
            return;
        _firsts.Add(stream.FirstAfter);
        _running--;
        if (Stopwatch.GetElapsedTime(_start) < time)
            Begin(socket);
    }

    void Print()
    {
        var elapsed = Stopwatch.GetElapsedTime(_start);
        _firsts.Sort();
        var (begun, received) = (_streams.Values.Sum(stream => stream.Begun), _streams.Values.Sum(stream => stream.Received));
        var lost = begun * Answers.Events - received;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"RESULT {_firsts.Count} {(long)elapsed.TotalMicroseconds} {At(50)} {At(99)} 0 {received} {lost}"));

        long At(int percent) => _firsts.Count == 0 ? 0 : _firsts[(_firsts.Count - 1) * percent / 100];
    }
}
