using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmGateway.Faults;

/// <summary>
/// Streams through one proxy that wait at the sandbox's barrier. Each has a connection to the provider, and a connection of its caller as
/// far as the system lets the proxy have so many files; the other callers speak HTTP/2, where a hundred share one.
/// </summary>
sealed partial class HeldStreams : IAsyncDisposable
{
    /// <summary>Files that the proxy has for everything else, and connections of so many streams that are being opened at once.</summary>
    const int OtherFiles = 1_500, Wave = 250;

    static readonly TimeSpan Opening = TimeSpan.FromSeconds(60);

    readonly HttpClient _callers = new(new SocketsHttpHandler { UseProxy = false, EnableMultipleHttp2Connections = true })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };
    readonly string _group = Sandbox.NewTag();
    readonly List<Task<Reply>> _replies = [];

    HeldStreams()
    {
    }

    public static async Task<HeldStreams> OpenAsync(Person[] people)
    {
        var streams = new HeldStreams();
        var files = MaxFiles("proxy");
        Assert.True(
            files >= people.Length + OtherFiles,
            $"{people.Length} streams need as many files and {OtherFiles} more; a process may have {files} here (ulimit -Hn)");
        var overHttp1 = files - OtherFiles - people.Length;
        foreach (var wave in people.Index().Chunk(Wave))
        {
            foreach (var (i, person) in wave)
                streams._replies.Add(streams.AskAsync(person, overHttp2: i >= overHttp1));
            await Eventually.GetAsync(streams.WaitingAsync, waiting => waiting == streams._replies.Count, "the streams' arrival", Opening);
        }
        return streams;
    }

    /// <summary>Lets the provider answer, and counts the streams that came whole.</summary>
    public async Task<int> ReleaseAsync()
    {
        await Sandbox.ReleaseAsync(_group);
        var replies = await Task.WhenAll(_replies.Select(WholeAsync));
        return replies.Count(isWhole => isWhole);

        static async Task<bool> WholeAsync(Task<Reply> reply)
        {
            try
            {
                return (await reply).MustBe(200).Text.EndsWith("data: [DONE]\n\n", StringComparison.Ordinal);
            }
            catch (HttpRequestException)
            {
                return false; // cut off in the middle
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Sandbox.ReleaseAsync(_group);
        _callers.Dispose();
    }

    async Task<int> WaitingAsync()
    {
        if (_replies.Find(reply => reply.IsCompleted) is { } early)
            Assert.Fail($"a stream ended that should be held: {await early}");
        return await Sandbox.WaitingAsync(_group);
    }

    async Task<Reply> AskAsync(Person person, bool overHttp2)
    {
        // Three words, as the usual question has.
        var body = Chat.Body("held", $"[[group:{_group}]] two three", "\"stream\":true");
        using var request = Gateway.Request("POST", Chat.Path, person.Token, body, overHttp2 ? ScaleApp.ProxyOverHttp2 : Stack.Proxy);
        if (overHttp2)
            (request.Version, request.VersionPolicy) = (new(2, 0), HttpVersionPolicy.RequestVersionExact);
        return await Reply.ReadAsync(await _callers.SendAsync(request));
    }

    static int MaxFiles(string service)
    {
        var limits = File.ReadAllText($"/proc/{Stack.ProcessId(service)}/limits");
        return int.Parse(Limit().Match(limits).Groups[1].Value, CultureInfo.InvariantCulture);
    }

    /// <summary>The soft and the hard one; .NET raises the first to the second.</summary>
    [GeneratedRegex(@"Max open files\s+\d+\s+(\d+)")]
    private static partial Regex Limit();
}
