using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmGateway.Edge;

/// <summary>
/// A provider that costs as little as C# allows, so that the proxies are the bottleneck: sockets without a web server, completions run inline by the
/// one thread that polls (the parent sets the variable for that), answers made once. Understands requests with a Content-Length, which is what proxies send.
/// </summary>
static class MockProvider
{
    /// <summary>Largest request, head included. Pages of the buffer that a connection never reaches cost nothing.</summary>
    const int MaxRequest = 320 * 1024;

    /// <summary>Where <c>"stream":true</c> may stand in a body: near its start, so that large bodies are not searched.</summary>
    const int StreamFlagWithin = 512;

    const int Events = 100, AnswerBytes = 1024;

    static readonly byte[] Whole = WholeAnswer();
    static readonly byte[][] Stream = [.. StreamedAnswer()];

    public static async Task RunAsync(int port)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        listener.Listen(1024);
        for (; ; )
            _ = ServeAsync(await listener.AcceptAsync());
    }

    static async Task ServeAsync(Socket connection)
    {
        using var socket = connection;
        socket.NoDelay = true;
        var buffer = GC.AllocateUninitializedArray<byte>(MaxRequest);
        try
        {
            for (var received = 0; ;)
            {
                var read = await socket.ReceiveAsync(buffer.AsMemory(received));
                if (read == 0)
                    return;
                received += read;
                if (!IsWhole(buffer.AsSpan(0, received), out var body))
                    continue;
                received = 0;
                if (body[..Math.Min(body.Length, StreamFlagWithin)].IndexOf("\"stream\":true"u8) < 0)
                    socket.Send(Whole);
                else
                    foreach (var piece in Stream)
                        socket.Send(piece);
            }
        }
        catch (SocketException)
        {
            // The proxy under test was stopped.
        }
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

    static byte[] WholeAnswer()
    {
        const string start = """{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":" """;
        const string end = """ "},"finish_reason":"stop"}],"usage":{"prompt_tokens":14,"completion_tokens":200,"total_tokens":214}}""";
        var json = start + new string('x', AnswerBytes - start.Length - end.Length) + end;
        return Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {json.Length}\r\n\r\n{json}");
    }

    /// <summary>A burst: every event in a send of its own, as providers write them.</summary>
    static IEnumerable<byte[]> StreamedAnswer()
    {
        yield return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray();
        for (var i = 0; i < Events; i++)
            yield return Chunk("""{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}""");
        yield return Chunk("""{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""");
        yield return Chunk("""{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[],"usage":{"prompt_tokens":14,"completion_tokens":100,"total_tokens":114}}""");
        yield return [.. Chunk("[DONE]"), .. "0\r\n\r\n"u8];
    }

    static byte[] Chunk(string data) => Encoding.ASCII.GetBytes($"{data.Length + "data: \n\n".Length:x}\r\ndata: {data}\n\n\r\n");
}
