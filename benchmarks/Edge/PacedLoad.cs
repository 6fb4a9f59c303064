using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmGateway.Edge;

/// <summary>
/// Many streams at the pace of a model: each connection asks for the next stream when one has ended, until the time is up and the last have ended. Their
/// starts are spread over the length of a stream, so that the provider's clock does not tick for all at once. Prints one line, as <c>post.lua</c> does, with
/// two numbers more: events received, and events lost: those that did not come, or not with the bytes that were to come next. Times are to the first event.
/// </summary>
static class PacedLoad
{
    /// <summary>Without any news for this long, what is missing is lost.</summary>
    const int SilenceMilliseconds = 10_000;

    static readonly TimeSpan StreamTime = MockProvider.Pace * Answers.Events;

    public static void Run(int port, int connections, int seconds, string bodyFile, string key)
    {
        var body = File.ReadAllBytes(bodyFile);
        byte[] request = [.. Encoding.ASCII.GetBytes(
            $"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nAuthorization: Bearer {key}\r\nContent-Length: {body.Length}\r\n\r\n"), .. body];
        var epoll = new Epoll();
        var streams = new Dictionary<int, PacedStream>();
        var opened = Enumerable.Range(0, connections).Select(_ => Connect(port)).ToList();
        foreach (var socket in opened)
        {
            streams[(int)socket.Handle] = new();
            epoll.Watch((int)socket.Handle);
        }
        var waiting = new Queue<int>(streams.Keys);
        var between = StreamTime / connections;
        var (start, started, running) = (Stopwatch.GetTimestamp(), 0, 0);
        var firsts = new List<long>();
        Span<int> ready = stackalloc int[256];
        var buffer = new byte[64 * 1024];
        while (waiting.Count > 0 || running > 0)
        {
            for (; waiting.Count > 0 && Stopwatch.GetElapsedTime(start) >= between * started; started++)
                Begin(waiting.Dequeue());
            var count = epoll.Wait(ready, waiting.Count > 0 ? 1 : SilenceMilliseconds);
            if (count == 0 && waiting.Count == 0)
                break;
            foreach (var socket in ready[..count])
                Read(socket);
        }
        Report();
        foreach (var socket in opened)
            socket.Dispose();

        void Begin(int socket)
        {
            streams[socket].Begin();
            running++;
            // A few hundred bytes always fit into the buffer of a socket that was idle.
            if (Epoll.Send(socket, request) != request.Length)
                throw new IOException("the proxy does not take a request");
        }

        void Read(int socket)
        {
            var stream = streams[socket];
            var read = Epoll.Receive(socket, buffer);
            if (read == Epoll.TryAgain)
                return;
            if (read <= 0)
                throw new IOException("the proxy closed a connection");
            if (!stream.Take(buffer.AsSpan(0, read)))
                return;
            firsts.Add(stream.FirstAfter);
            running--;
            if (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds)
                Begin(socket);
        }

        void Report()
        {
            var elapsed = Stopwatch.GetElapsedTime(start);
            firsts.Sort();
            var (begun, received) = (streams.Values.Sum(stream => stream.Begun), streams.Values.Sum(stream => stream.Received));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"RESULT {firsts.Count} {(long)elapsed.TotalMicroseconds} {At(50)} {At(99)} 0 {received} {(begun * Answers.Events) - received}"));

            long At(int percent) => firsts.Count == 0 ? 0 : firsts[(firsts.Count - 1) * percent / 100];
        }
    }

    static Socket Connect(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(IPAddress.Loopback, port);
        socket.Blocking = false;
        return socket;
    }
}
