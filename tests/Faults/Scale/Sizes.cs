using System.Globalization;

namespace LlmGateway.Faults;

/// <summary>
/// How large the scenarios of <see cref="ScaleTests"/> are. <c>./dev test</c> runs the short form, <c>./dev bench scale</c> the long one;
/// the bounds are the same, see docs/benchmarks.md.
/// </summary>
/// <param name="Sessions">End users that are active at once on both proxies.</param>
/// <param name="Rounds">How often each of them calls each proxy.</param>
/// <param name="Streams">Streams that one proxy has at once.</param>
/// <param name="Held">How long they are held at least. A lease that nobody renews lives for a minute.</param>
/// <param name="SpoolMegabytes">What a proxy's spool may take. Settlements are made until it refuses more.</param>
/// <param name="Settlements">Which are at least so many.</param>
/// <param name="LeaseRounds">How often leases are opened and ended.</param>
/// <param name="Leases">In each round.</param>
sealed record Sizes(
    int Sessions, int Rounds, int Streams, TimeSpan Held, int SpoolMegabytes, int Settlements, int LeaseRounds, int Leases)
{
    /// <summary>What orders the long form, in the environment.</summary>
    const string Variable = "SCALE";

    static readonly Sizes
        Short = new(4_000, 3, 10_001, TimeSpan.Zero, 4, 7_000, 4, 5_000),
        Long = new(20_000, 10, 12_000, TimeSpan.FromMinutes(3), 192, 360_000, 20, 50_000);

    public static Sizes Now => Environment.GetEnvironmentVariable(Variable) == "long" ? Long : Short;

    /// <summary>Tells a figure as a row of a table, and fails when it is above its bound.</summary>
    public static void AtMost(double bound, double figure, string what)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {what} | {figure:#,0.##} | ≤ {bound:#,0.##} |"));
        Assert.InRange(figure, double.NegativeInfinity, bound);
    }
}
