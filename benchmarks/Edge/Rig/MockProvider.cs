using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace LlmGateway.Edge;

/// <summary>
/// A provider that costs as little as C# allows, so that the proxies are the bottleneck: one thread, no web server, answers made once. It
/// understands requests with a Content-Length, one at a time per connection, which is what proxies send. A stream is a burst, or one event
/// every 20 ms when the request says so.
/// </summary>
static class MockProvider
{
    public static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);

    /// <summary>Largest request, head included. Pages of the buffer that a connection never reaches cost nothing.</summary>
    const int MaxRequest = 320 * 1024;

    /// <summary>Where the wish for a stream may stand in a body: near its start, so that large bodies are not searched.</summary>
    const int WishesWithin = 512;

    const int MaxSockets = 16 * 1024;

    static readonly long Gap = (long)(Pace.TotalSeconds * Stopwatch.Frequency);
    static readonly Epoll Sockets = new();
    static readonly Connection?[] Connections = new Connection?[MaxSockets];

    /// <summary>Paced streams by the time of their next event: all have the same pace, so who was served last waits longest.</summary>
    static readonly Queue<(Connection Connection, long Due)> Waiting = new();

    sealed class Connection(int socket)
    {
        public readonly int Socket = socket;
        public readonly byte[] Request = GC.AllocateUninitializedArray<byte>(MaxRequest);
        public int Received;
        public byte[][] Pieces = [];

        // What of the answer is sent: whole pieces, bytes of the next one; and what may be sent now.
        public int Piece, Offset, Released;

        public bool WaitsForRoom, Closed;
    }

    public static void Run(int port)
    {
        using var listening = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
        listening.Bind(new IPEndPoint(IPAddress.Loopback, port));
        listening.Listen(1024);
        var listener = (int)listening.Handle;
        Sockets.Watch(listener);
        Span<int> ready = stackalloc int[256];
        for (; ; )
        {
            var count = Sockets.Wait(ready, SendWhatIsDue());
            foreach (var socket in ready[..count])
                if (socket == listener)
                    Accept(listener);
                else
                    Serve(Connections[socket]!);
        }
    }

    static void Accept(int listener)
    {
        for (int socket; (socket = Epoll.Accept(listener)) != Epoll.TryAgain;)
        {
            Connections[socket] = new(socket);
            Sockets.Watch(socket);
        }
    }

    static void Serve(Connection connection)
    {
        if (connection.WaitsForRoom)
            Send(connection);
        for (; !connection.Closed;)
        {
            var read = Epoll.Receive(connection.Socket, connection.Request.AsSpan(connection.Received));
            if (read == Epoll.TryAgain)
                return;
            if (read <= 0)
            {
                Close(connection);
                return;
            }
            connection.Received += read;
            if (!IsWhole(connection.Request.AsSpan(0, connection.Received), out var body))
                continue;
            connection.Received = 0;
            Answer(connection, body[..Math.Min(body.Length, WishesWithin)]);
            return;
        }
    }

    static void Answer(Connection connection, ReadOnlySpan<byte> wishes)
    {
        var stream = wishes.IndexOf("\"stream\":true"u8) >= 0;
        var paced = stream && wishes.IndexOf("\"user\":\"paced\""u8) >= 0;
        connection.Pieces = stream ? Answers.Stream : Answers.Whole;
        (connection.Piece, connection.Offset, connection.Released) = (0, 0, paced ? 1 : connection.Pieces.Length);
        if (paced)
            Waiting.Enqueue((connection, Stopwatch.GetTimestamp() + Gap));
        Send(connection);
    }

    /// <returns>Milliseconds until the next event of a paced stream; -1 when there is none.</returns>
    static int SendWhatIsDue()
    {
        while (Waiting.TryPeek(out var next))
        {
            var wait = next.Due - Stopwatch.GetTimestamp();
            if (wait > 0)
                return (int)(wait * 1000 / Stopwatch.Frequency) + 1;
            Waiting.Dequeue();
            if (next.Connection.Closed)
                continue;
            next.Connection.Released++;
            if (next.Connection.Released < next.Connection.Pieces.Length)
                Waiting.Enqueue((next.Connection, next.Due + Gap));
            Send(next.Connection);
        }
        return -1;
    }

    /// <summary>A reader that is slower than its stream is not waited for; the rest follows when there is room.</summary>
    static void Send(Connection connection)
    {
        while (connection.Piece < connection.Released)
        {
            var piece = connection.Pieces[connection.Piece];
            var sent = Epoll.Send(connection.Socket, piece.AsSpan(connection.Offset));
            if (sent == Epoll.Broken)
            {
                Close(connection);
                return;
            }
            if (sent == Epoll.TryAgain)
            {
                Expect(connection, room: true);
                return;
            }
            connection.Offset += sent;
            if (connection.Offset == piece.Length)
                (connection.Piece, connection.Offset) = (connection.Piece + 1, 0);
        }
        Expect(connection, room: false);
    }

    static void Expect(Connection connection, bool room)
    {
        if (connection.WaitsForRoom == room)
            return;
        connection.WaitsForRoom = room;
        Sockets.WatchWrites(connection.Socket, room);
    }

    static void Close(Connection connection)
    {
        connection.Closed = true;
        Connections[connection.Socket] = null;
        Epoll.Close(connection.Socket);
    }

    static bool IsWhole(ReadOnlySpan<byte> request, out ReadOnlySpan<byte> body)
    {
        body = default;
        var headEnd = request.IndexOf("\r\n\r\n"u8);
        if (headEnd < 0)
            return false;
        body = request[(headEnd + 4)..];
        return body.Length >= ContentLength(request[..headEnd]);
    }

    static int ContentLength(ReadOnlySpan<byte> head)
    {
        var name = head.IndexOf("ontent-"u8);
        while (name >= 0)
        {
            head = head[(name + "ontent-".Length)..];
            // Content-Type stands beside it, and HTTP leaves the case to the sender.
            if (head.Length > 8 && (head[0] | 0x20) == 'l' && Utf8Parser.TryParse(head["length: ".Length..], out int length, out _))
                return length;
            name = head.IndexOf("ontent-"u8);
        }
        return 0;
    }
}
