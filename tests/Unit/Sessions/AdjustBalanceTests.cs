using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>What a backend may write to add and take call credits.</summary>
public sealed class AdjustBalanceTests
{
    static readonly AdjustBalance.Request Right = new("standard", 1, "credit");

    public static TheoryData<AdjustBalance.Request, string> Wrong => new()
    {
        { Right with { Type = "" }, "type" },
        { Right with { Type = "Standard" }, "type" },
        { Right with { Type = "a b" }, "type" },
        { Right with { Type = "free" }, "type" },
        { Right with { Type = new('a', 65) }, "type" },
        { Right with { Amount = 0 }, "amount" },
        { Right with { Amount = -1 }, "amount" },
        { Right with { Amount = 1_000_000_001 }, "amount" },
        { Right with { Op = "Credit" }, "op" },
        { Right with { Reason = new('a', 501) }, "reason" },
        { Right with { Kind = "topup" }, "kind" },
        { Right with { Op = "debit", Kind = "grant" }, "kind" },
        { Right with { Op = "debit", ExpiresAt = DateTimeOffset.UnixEpoch }, "expiresAt" },
    };

    [Theory, MemberData(nameof(Wrong))]
    public void A_mistake_is_named_by_its_field(AdjustBalance.Request request, string field)
    {
        var problem = Assert.Throws<ProblemException>(() => AdjustBalance.MustBeRight(request)).Problem;
        Assert.Equal((400, field), (problem.Status, problem.Param));
    }

    [Fact]
    public void What_is_right_is_taken()
    {
        AdjustBalance.MustBeRight(Right with { Type = "premium_2-x", Amount = 1_000_000_000, Kind = "promotion" });
        AdjustBalance.MustBeRight(Right with { Op = "debit", Reason = "a mistake" });
    }
}
