using static LlmGateway.ServiceDefaults.Retention;

namespace LlmGateway.Webhooks;

/// <summary>How long this service keeps the rows of each of its tables.</summary>
public static class TableRetention
{
    public static readonly IReadOnlyList<ServiceDefaults.Retention> All =
    [
        Deleted("event", "created < now() - interval '30 days'", "nobody asks for an event that is older"),
        Kept("forgotten", "one row per customer: the numbers of events that were deleted are not missing"),
    ];
}
