namespace LlmGateway.Wallet;

/// <summary>What a row of the roll-ups sums up, see <see cref="BookedUsage"/>. Money is in nano-dollars and follows corrections.</summary>
public readonly record struct RollupSums(
    long Requests, long Failed, long Attempts, long Input, long Output, long Cost, long Charged, long Absorbed, long Covered, long Late)
{
    public static RollupSums operator +(RollupSums a, RollupSums b) => checked(new(
        a.Requests + b.Requests, a.Failed + b.Failed, a.Attempts + b.Attempts, a.Input + b.Input, a.Output + b.Output, a.Cost + b.Cost,
        a.Charged + b.Charged, a.Absorbed + b.Absorbed, a.Covered + b.Covered, a.Late + b.Late));

    public static RollupSums operator -(RollupSums a, RollupSums b) => checked(new(
        a.Requests - b.Requests, a.Failed - b.Failed, a.Attempts - b.Attempts, a.Input - b.Input, a.Output - b.Output, a.Cost - b.Cost,
        a.Charged - b.Charged, a.Absorbed - b.Absorbed, a.Covered - b.Covered, a.Late - b.Late));
}
