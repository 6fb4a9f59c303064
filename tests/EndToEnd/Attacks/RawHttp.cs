using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace LlmGateway.EndToEnd;

/// <summary>HTTP as bytes, for request lines that no client library would write.</summary>
static class RawHttp
{
    /// <summary>Sends one request on a connection of its own.</summary>
    /// <param name="target">Of the request line, as it stands.</param>
    /// <returns>The answer's status, 0 when the connection ended without one, and everything behind its first line.</returns>
    public static async Task<(int Status, string Text)> PostAsync(string target, string credential, string json, string? host = null)
    {
        var head = string.Create(
            CultureInfo.InvariantCulture,
            $"POST {target} HTTP/1.1\r\nHost: {host ?? Stack.Proxy.Authority}\r\nConnection: close\r\n"
                + $"Authorization: Bearer {credential}\r\n")
            + string.Create(
                CultureInfo.InvariantCulture,
                $"Content-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(json)}\r\n\r\n");
        var text = await SendAsync(head + json);
        var line = text.Split("\r\n", 2);
        return line[0].Split(' ') is ["HTTP/1.1", var status, ..] ? (int.Parse(status, CultureInfo.InvariantCulture), line[1]) : (0, text);
    }

    /// <summary>Sends bytes on a connection of its own, and reads until the server closes it.</summary>
    public static async Task<string> SendAsync(string sent)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(Stack.Proxy.Host, Stack.Proxy.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.UTF8.GetBytes(sent));
        return await new StreamReader(stream).ReadToEndAsync(TestContext.Current.CancellationToken);
    }
}
