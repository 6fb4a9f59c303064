using FsCheck;
using FsCheck.Fluent;

namespace LlmGateway.UnitTests.Wallet;

enum StepKind { Open, Post, Freeze, Extend, Return, Expire, Settle, Rerate, FreeSlots, OpenWindows, Repeat, Commit, Crash }

/// <param name="Choices">All choices of the step in one number, see <see cref="Dice"/>: a smaller number is a simpler step.</param>
readonly record struct Step(StepKind Kind, int Choices)
{
    public override string ToString() => $"{Kind}({Choices})";
}

/// <summary>Reads choices out of one number, one after the other, like digits of changing bases.</summary>
sealed class Dice(int number)
{
    int _left = number;

    public int Next(int count)
    {
        var choice = _left % count;
        _left /= count;
        return choice;
    }

    public T Pick<T>(IReadOnlyList<T> from) => from[Next(from.Count)];
}

/// <summary>What happens to a small ledger: commands, the commits that write those that wait, and the crashes that lose them.</summary>
sealed record LedgerHistory(Step[] Steps)
{
    static readonly Gen<StepKind> Kinds = Gen.Frequency(new (int Weight, StepKind Kind)[]
    {
        (2, StepKind.Open), (5, StepKind.Post), (2, StepKind.Freeze), (14, StepKind.Extend),
        (6, StepKind.Return), (2, StepKind.Expire), (10, StepKind.Settle), (2, StepKind.Rerate),
        (2, StepKind.FreeSlots), (3, StepKind.OpenWindows),
        (10, StepKind.Repeat), (4, StepKind.Commit), (1, StepKind.Crash),
    }.Select(kind => (kind.Weight, Gen.Constant(kind.Kind))));

    public static Arbitrary<LedgerHistory> OfLength(int steps) => Arb.From(
        Kinds.SelectMany(_ => Gen.Choose(0, int.MaxValue - 1), (kind, choices) => new Step(kind, choices))
            .ArrayOf(steps)
            .Select(all => new LedgerHistory(all)),
        history => history.Simpler());

    /// <summary>Without a part, the largest parts first; then with one step simpler.</summary>
    IEnumerable<LedgerHistory> Simpler()
    {
        for (var length = Steps.Length / 2; length > 0; length /= 2)
            for (var start = 0; start < Steps.Length; start += length)
                yield return new([.. Steps[..start], .. Steps[Math.Min(start + length, Steps.Length)..]]);
        // Only when little is left: before that, it would be many runs for nothing that a reader needs.
        for (var i = 0; i < Steps.Length && Steps.Length < 30; i++)
            foreach (var choices in (int[])[0, Steps[i].Choices / 2, Steps[i].Choices - 1])
                if (choices >= 0 && choices < Steps[i].Choices)
                    yield return new([.. Steps[..i], Steps[i] with { Choices = choices }, .. Steps[(i + 1)..]]);
    }

    /// <summary>Only what is left after shrinking is worth reading.</summary>
    public override string ToString() => Steps.Length > 200 ? $"{Steps.Length} steps" : string.Join(", ", Steps);
}
