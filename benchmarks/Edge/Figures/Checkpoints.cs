using System.Diagnostics;
using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Chat;

namespace LlmGateway.Edge;

/// <summary>
/// What a checkpoint of a stream with a long prompt takes, by the proxy's own classes in this process. It runs on a thread that serves
/// other connections, too, so it must not grow with the prompt.
/// </summary>
/// <param name="Each">Microseconds of one, the counting of the prompt shared among those of its stream.</param>
/// <param name="Count">Microseconds to count the prompt once.</param>
readonly record struct Checkpoints(double Each, double Count)
{
    const int PromptBytes = 1_000_000;

    /// <summary>An answer of 32 768 tokens has so many.</summary>
    const int OfStream = 128, TokensEach = 256;

    const int Streams = 31;

    public double ToCount => Each / Count;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"A checkpoint of a stream with a prompt of 1 MB: {Each:F1} µs, {ToCount:F3} of counting that prompt ({Count:F0} µs).");

    public static Checkpoints Measure()
    {
        var prompt = string.Concat(Enumerable.Repeat("one two three ", PromptBytes / "one two three ".Length));
        var body = System.Text.Encoding.UTF8.GetBytes($$"""{"model":"bench","messages":[{"role":"user","content":"{{prompt}}"}]}""");
        var folder = Directory.CreateTempSubdirectory("llmgateway-checkpoints-").FullName;
        try
        {
            using var journal = new CrashJournal(folder);
            return new(
                Median(() => OfOneStream(journal, body)) / OfStream,
                Median(() => new ChatMeter().Estimate(body, "")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    static void OfOneStream(CrashJournal journal, byte[] body)
    {
        var call = NewCall();
        if (!call.TryBegin(journal))
            throw new InvalidOperationException("the journal has no room");
        var meter = new ChatMeter();
        for (var i = 1; i <= OfStream; i++)
            call.Checkpoint(i * TokensEach, meter.Estimate(body, ""));
    }

    static ModelCall NewCall()
    {
        var prices = new Prices { Input = new Rate(1_000_000_000_000), Output = new Rate(2_000_000_000_000) };
        var credential = new Credential(
            Ids.New(), CredentialKind.Session, false, CredentialStatus.Active, Ids.New(), Ids.New(), Ids.New(), null, null, null, null, [],
            null);
        return new(new DefaultHttpContext(), "/v1/chat/completions", new(TimeProvider.System), TimeProvider.System)
        {
            Caller = new(credential, null!, ""),
            Route = new(new("bench", "chat", "mock", "bench", 0, 0, null, prices), null!),
        };
    }

    /// <summary>Of many, because other work of the machine falls on some.</summary>
    static double Median(Action act)
    {
        var times = new double[Streams];
        for (var i = 0; i < Streams; i++)
        {
            var started = Stopwatch.GetTimestamp();
            act();
            times[i] = Stopwatch.GetElapsedTime(started).TotalMicroseconds;
        }
        return times.Order().ElementAt(Streams / 2);
    }
}
