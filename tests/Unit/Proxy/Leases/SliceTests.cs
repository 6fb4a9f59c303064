using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>
/// Slices against the real ledger core. Answers are lost, late and repeated; recalls, returns, renewals, freezes and expiry come at any
/// moment.
/// </summary>
public sealed class SliceTests
{
    const int Blocks = 8, SeedsOfBlock = 500;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, Blocks)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Whatever_happens_to_calls_slices_never_promise_more_than_the_ledger_holds_for_them(int block)
    {
        var admitted = 0;
        for (var seed = block * SeedsOfBlock; seed < (block + 1) * SeedsOfBlock; seed++)
            admitted += SliceRun.Of(seed);
        Assert.True(admitted > SeedsOfBlock, "the histories admit too few requests to say anything");
    }
}
