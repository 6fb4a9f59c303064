using System.Net.Sockets;
using System.Text;

namespace LlmGateway.AppHost.Native;

/// <summary>Ways to ask a process whether it works, in its own protocol; an open port alone says little.</summary>
static class Probes
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(4);
    static readonly HttpClient Client = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false }) { Timeout = Limit };

    /// <summary>An AMQP 0-9-1 client's greeting; the broker answers with a method frame when it takes connections.</summary>
    static readonly byte[] AmqpGreeting = [.. "AMQP"u8, 0, 0, 9, 1];

    public static Func<CancellationToken, Task<bool>> Http(string url) => async token =>
    {
        using var answer = await Client.GetAsync(url, HttpCompletionOption.ResponseHeadersRead, token);
        return (int)answer.StatusCode < 400;
    };

    public static Func<CancellationToken, Task<bool>> Port(int port) => async token =>
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, token);
        return true;
    };

    public static Func<CancellationToken, Task<bool>> Redis(int port, string password) => async token =>
        (await AskAsync(port, Encoding.ASCII.GetBytes($"AUTH {password}\r\nPING\r\n"), "+OK\r\n+PONG".Length, token)).EndsWith("+PONG", StringComparison.Ordinal);

    public static Func<CancellationToken, Task<bool>> Amqp(int port) => async token => await AskAsync(port, AmqpGreeting, 1, token) == "\u0001";

    public static Func<CancellationToken, Task<bool>> Postgres(string isReady, int port) => async _ =>
        (await OneShot.RunAsync(isReady, ["-q", "-h", "127.0.0.1", "-p", $"{port}", "-t", "3"], Limit)).ExitCode == 0;

    /// <summary>One try within four seconds; not being able to ask is a no.</summary>
    public static async Task<bool> AnswersAsync(Func<CancellationToken, Task<bool>> probe, CancellationToken token)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        limit.CancelAfter(Limit);
        try
        {
            return await probe(limit.Token);
        }
        catch (Exception e) when (e is SocketException or IOException or HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }

    static async Task<string> AskAsync(int port, byte[] question, int answerBytes, CancellationToken token)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, token);
        await using var stream = client.GetStream();
        await stream.WriteAsync(question, token);
        var answer = new byte[answerBytes];
        await stream.ReadExactlyAsync(answer, token);
        return Encoding.Latin1.GetString(answer);
    }
}
