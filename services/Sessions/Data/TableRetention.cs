using static LlmGateway.ServiceDefaults.Retention;

namespace LlmGateway.Sessions;

/// <summary>How long this service keeps the rows of each of its tables.</summary>
public static class TableRetention
{
    public static readonly IReadOnlyList<ServiceDefaults.Retention> All =
    [
        IdempotentCalls,
        // A token that expired stays known for a while, so that its owner is told that and not that it is wrong.
        Deleted("session", "expires_at < now() - interval '7 days'", "a token is refused from its expiry on"),
        Deleted(
            "session_family",
            "created_at < now() - interval '7 days' and not exists (select 1 from session where family_id = session_family.id)",
            "without a token it cannot be refreshed"),
        Deleted(
            "provider_object",
            """
            next_check_at is null
            and (deleted_at < now() - interval '30 days' or kind <> 'file' and created_at < now() - interval '90 days')
            """,
            "providers forget a batch's results after 30 days; a file stays until it is deleted"),
        Deleted("kept_response", "expires_at < now()", "nobody is given it from then on"),
        Deleted("kept_response_count", "level = 0 and rows = 0", "a customer of whom nothing is kept counts as one without a row"),
        Deleted("customer_key", "revoked_at < now() - interval '365 days'", "a revoked key is shown for a year"),
        Deleted("retired_secret", "expires_at < now() - interval '365 days'", "as a revoked key"),
        Deleted(
            "secret_key", "least(revoked_at, expires_at) < now() - interval '365 days'",
            "its holder is told for a year why it is refused"),
        Deleted(
            "member_token", "expires_at < now() - interval '7 days'", "as a session: its holder is told for a week that it has ended"),
        Deleted(
            "member", "removed_at < now() - interval '730 days'", "entries of the audit name it for as long", TimeSpan.FromDays(1)),
        Deleted("audit_entry", "at < now() - interval '730 days'", "two years are long enough to ask who changed something"),
        Deleted("limit_raise", "ends_at < now() - interval '7 days'", "it says nothing about any instant after its end"),
        Kept("outbox_message", "the relay deletes each row after the broker's confirm"),
        Kept("customer", "external ids must keep their wallets; also those of deleted customers, whose usage records stay"),
        Kept("key_check", "without it the next start would take any key for the database's"),
        Kept("organization", "configuration"),
        Kept("project", "configuration"),
        Kept("customer_limit", "configuration"),
        Kept("customer_plan", "configuration"),
        Kept("customer_credits", "the ledger keeps the balances that it names"),
        Kept("plan", "configuration"),
        Kept("provider", "configuration"),
        Kept("project_route", "configuration"),
        Kept("provider_key", "configuration"),
        Kept("model", "configuration"),
        Kept("model_provider", "configuration"),
        Kept("price_version", "usage records refer to prices for ever"),
        Kept("catalogue_model", "configuration"),
        Kept("catalogue_price", "usage records refer to prices for ever"),
    ];
}
