using System.Text;

namespace LlmGateway.Edge;

/// <summary>
/// What the provider answers, made once, in the pieces in which it is sent. The client of the paced streams compares with the same events.
/// </summary>
static class Answers
{
    /// <summary>Events with content in a stream.</summary>
    public const int Events = 100;

    const int WholeBytes = 1024;

    const string ChunkStart =
        """{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[""";

    public static readonly byte[][] Whole = [WholeAnswer()];

    /// <summary>The data of the events with content, no two alike: one that is lost, doubled or out of order shows.</summary>
    public static readonly byte[][] Contents = [.. Enumerable.Range(0, Events).Select(Content)];

    /// <summary>
    /// Every event in a piece of its own, as providers write them. The head is with the first, what ends a stream is with the last.
    /// </summary>
    public static readonly byte[][] Stream =
    [
        [.. "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"u8, .. Chunk(Contents[0])],
        .. Contents.Skip(1).Select(Chunk),
        Chunk(ChunkStart + """{"index":0,"delta":{},"finish_reason":"stop"}]}"""),
        [
            .. Chunk(ChunkStart + """],"usage":{"prompt_tokens":14,"completion_tokens":100,"total_tokens":114}}"""),
            .. Chunk("[DONE]"),
            .. "0\r\n\r\n"u8,
        ],
    ];

    static byte[] Content(int number) =>
        Encoding.ASCII.GetBytes(ChunkStart + $$"""{"index":0,"delta":{"content":"{{number:D2}} "},"finish_reason":null}]}""");

    static byte[] Chunk(string data) => Chunk(Encoding.ASCII.GetBytes(data));

    static byte[] Chunk(byte[] data) =>
        [.. Encoding.ASCII.GetBytes($"{data.Length + "data: \n\n".Length:x}\r\ndata: "), .. data, .. "\n\n\r\n"u8];

    static byte[] WholeAnswer()
    {
        const string start = """{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench","""
            + """ "choices":[{"index":0,"message":{"role":"assistant","content":" """;
        const string end = """ "},"finish_reason":"stop"}],"usage":{"prompt_tokens":14,"completion_tokens":200,"total_tokens":214}}""";
        var json = start + new string('x', WholeBytes - start.Length - end.Length) + end;
        return Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {json.Length}\r\n\r\n{json}");
    }
}
