using LlmGateway.Contracts;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>Records of requests of which a test needs nothing but what they cost, and whom.</summary>
static class UsageRecords
{
    public static UsageRecord Of(long cost, Guid organization, Guid project, DateTimeOffset startedAt = default) => new(
        organization, project, null, Ids.New(), null, false, "/v1/chat/completions", "m", "p", "m", null, false, startedAt, 1, null, 200,
        RequestOutcome.Completed, new Usage().ToArray(), new Money(cost), false, null, null);
}
