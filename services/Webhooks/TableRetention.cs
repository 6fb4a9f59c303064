using LlmGateway.ServiceDefaults;
using static LlmGateway.ServiceDefaults.Retention;

namespace LlmGateway.Webhooks;

/// <summary>How long events and deliveries are kept.</summary>
/// <param name="Kept">Of an event since it happened, of a delivery since it is over.</param>
public sealed record EventRetention(TimeSpan Kept)
{
    public const string Setting = "Webhooks:Retention";

    /// <summary>A replay may go back for so long.</summary>
    public const int LeastDays = 30;

    public static EventRetention Read(WebApplicationBuilder builder) =>
        new(builder.Days(Setting, LeastDays) ?? TimeSpan.FromDays(LeastDays));
}

/// <summary>How long this service keeps the rows of each of its tables.</summary>
public static class TableRetention
{
    public static readonly IReadOnlyList<ServiceDefaults.Retention> All = For(new(TimeSpan.FromDays(EventRetention.LeastDays)));

    public static IReadOnlyList<ServiceDefaults.Retention> For(EventRetention retention)
    {
        var kept = $"now() - interval '{(int)retention.Kept.TotalDays} days'";
        return
        [
            IdempotentCalls,
            Deleted(
                "delivery",
                $"(state <> 0 and finished_at < {kept}) or endpoint = any(array(select id from endpoint where status = 2))",
                "nobody asks for a delivery that was over so long ago, or whose endpoint was deleted"),
            Deleted(
                "endpoint",
                "status = 2 and not exists (select from delivery where delivery.endpoint = endpoint.id)",
                "it was deleted"),
            Deleted("endpoint_secret", "expires_at < now() - interval '1 day'", "it signs nothing any more"),
            Kept("attempt", "as long as its delivery"),
            Deleted(
                "event",
                $"created < {kept} and not exists (select from delivery where delivery.event = event.id)",
                "nobody asks for an event that is older"),
            Kept("outbox_message", "rows leave when the broker has them"),
            Kept("forgotten", "one row per series of customers: the numbers of events that were deleted are not missing"),
        ];
    }
}
