using System.Net;
using System.Net.Sockets;

namespace LlmGateway.Edge;

/// <summary>
/// Counts what clients send to Redis, whoever they are. Redis' own count of commands includes those within scripts, and its count of reads
/// joins commands that arrive together. MONITOR shows each command once and marks those of scripts.
/// </summary>
sealed class RedisTraffic : IDisposable
{
    readonly TcpClient _client;
    readonly StreamReader _lines;

    RedisTraffic(TcpClient client) => (_client, _lines) = (client, new(client.GetStream()));

    /// <param name="connection"><c>host:port,password=…</c></param>
    /// <param name="during">Commands are counted until it returns.</param>
    public static async Task<long> CountAsync(string connection, Func<Task> during)
    {
        var (endpoint, password) = connection.Split(",password=") is [var server, var secret]
            ? (IPEndPoint.Parse(server), secret)
            : throw new FormatException("the Redis connection string has another form");
        var client = new TcpClient();
        await client.ConnectAsync(endpoint);
        using var traffic = new RedisTraffic(client);
        await traffic.AskAsync($"AUTH {password}");
        await traffic.AskAsync("MONITOR");
        var counting = traffic.CountAsync();
        await during();
        // Ends the reading, wherever it is.
        traffic._client.Client.Shutdown(SocketShutdown.Both);
        return await counting;
    }

    public void Dispose()
    {
        _lines.Dispose();
        _client.Dispose();
    }

    async Task AskAsync(string command)
    {
        await _client.GetStream().WriteAsync(System.Text.Encoding.UTF8.GetBytes(command + "\r\n"));
        if (await _lines.ReadLineAsync() is not "+OK" and var answer)
            throw new IOException($"Redis does not take {command.Split(' ')[0]}: {answer}");
    }

    /// <summary>Lines read <c>+TIME [DATABASE ADDRESS] "COMMAND" …</c>, with <c>lua</c> for the address of a script.</summary>
    async Task<long> CountAsync()
    {
        var count = 0L;
        while (await _lines.ReadLineAsync() is { } line)
            if (line.IndexOf(']') is > 0 and var end && !line.AsSpan(0, end).EndsWith(" lua"))
                count++;
        return count;
    }
}
