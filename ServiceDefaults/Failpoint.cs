using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Places between two steps where a test can end, fail or delay the process. The environment switches them on
/// (<c>FAILPOINTS=name:hit:action[,…]</c>). The action happens only at the given passage, counted from 1. <c>kill</c> sends SIGKILL, so
/// nothing is cleaned up. <c>throw</c> throws an <see cref="IOException"/>, as a disk or a peer that is gone would. <c>delay=MS</c> waits.
/// A point that is switched off costs nothing, because the compiler folds the flag away.
/// </summary>
public static class Failpoint
{
    public const string Variable = "FAILPOINTS";

    /// <summary>
    /// The points of this library. Each service lists its own in <c>Failpoints.cs</c>. A test checks that the source has each of them once.
    /// </summary>
    public static readonly IReadOnlyDictionary<string, string> Shared = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["idempotency.claimed"] = "A key is claimed; its call has not run.",
        ["idempotency.executed"] = "The call has run; its answer is not stored.",
        ["idempotency.finished"] = "The answer is stored and not sent.",
        ["outbox.claimed"] = "Events are claimed and not published.",
        ["outbox.published"] = "Events are published and still in the table.",
        ["outbox.finished"] = "They have left the table.",
    };

    static readonly string Spec = Environment.GetEnvironmentVariable(Variable) ?? "";
    static readonly bool On = Spec.Length > 0;
    static readonly Lazy<ILookup<string, Armed>> Points = new(() => Parse(Spec).ToLookup(armed => armed.Name, StringComparer.Ordinal));

    /// <summary>Refuses a start with failpoints that neither the service nor this library has.</summary>
    /// <param name="own">The service's points, each with a sentence on what has happened there.</param>
    public static void RequireKnown(IReadOnlyDictionary<string, string> own) => RequireKnown(Spec, own);

    /// <inheritdoc cref="RequireKnown(IReadOnlyDictionary{string, string})"/>
    public static void RequireKnown(string spec, IReadOnlyDictionary<string, string> own)
    {
        if (Parse(spec).FirstOrDefault(armed => !own.ContainsKey(armed.Name) && !Shared.ContainsKey(armed.Name)) is { } unknown)
            throw new FormatException($"{Variable}: there is no failpoint '{unknown.Name}'");
    }

    public static void Hit(string name)
    {
        if (On)
            foreach (var armed in Points.Value[name])
                armed.Pass();
    }

    /// <summary>Throws <see cref="FormatException"/>, naming what is wrong.</summary>
    public static IReadOnlyList<Armed> Parse(string spec) =>
        [.. spec.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(One)];

    static Armed One(string text)
    {
        if (text.Split(':') is not [var name, var hit, var action])
            throw new FormatException($"{Variable}: '{text}' is not name:hit:action");
        if (!int.TryParse(hit, NumberStyles.None, CultureInfo.InvariantCulture, out var at) || at < 1)
            throw new FormatException($"{Variable}: '{hit}' is not a passage, counted from 1");
        return action switch
        {
            "kill" => new(name, at, action, TimeSpan.Zero),
            "throw" => new(name, at, action, TimeSpan.Zero),
            _ when action.StartsWith("delay=", StringComparison.Ordinal) && TryMilliseconds(action["delay=".Length..], out var delay) =>
                new(name, at, "delay", delay),
            _ => throw new FormatException($"{Variable}: '{action}' is not kill, throw or delay=MS"),
        };
    }

    static bool TryMilliseconds(string text, out TimeSpan span)
    {
        var known = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds);
        span = TimeSpan.FromMilliseconds(milliseconds);
        return known;
    }

    /// <param name="At">The passage that acts.</param>
    public sealed record Armed(string Name, int At, string Action, TimeSpan Delay)
    {
        int _passed;

        internal void Pass()
        {
            if (Interlocked.Increment(ref _passed) != At)
                return;
            // Whoever armed the point looks for this line to know that it was reached.
            Console.Error.WriteLine($"failpoint {Name}: {Action}");
            switch (Action)
            {
                case "kill":
                    Process.GetCurrentProcess().Kill();
                    Thread.Sleep(Timeout.Infinite);
                    break;
                case "throw":
                    throw new IOException($"failpoint {Name}", new SocketException()); // like a connection that broke
                default:
                    Thread.Sleep(Delay);
                    break;
            }
        }
    }
}
