using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>
/// Each attempt is one row, written after the receiver was asked and never before: what did not reach the wire is none. Delivery and
/// endpoint change with it. The number of attempts that were there before is its fence.
/// </summary>
public sealed class Attempts(NpgsqlDataSource database, EndpointSecrets secrets, TimeProvider time)
{
    /// <summary>An endpoint of which every attempt has failed for so long, and often enough, is disabled.</summary>
    public static readonly TimeSpan DisabledAfter = TimeSpan.FromDays(5);

    public const int DisabledAfterFailures = 10;

    /// <summary>So many failures, one after the other, and nothing is sent for a while; then one probe.</summary>
    const int FailuresThatPause = 5;

    static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(30), LongestPause = TimeSpan.FromMinutes(5);

    const int Gone = 410;

    /// <summary>How the endpoint is after an attempt.</summary>
    /// <param name="Paused">Nothing may be sent to it now.</param>
    public sealed record Health(int Failures, bool Paused, bool WasDisabled);

    /// <summary>
    /// What is to be sent, with the address and the secrets of this moment. Null when it is not to be sent any more: another worker has the
    /// endpoint, its owner has disabled it, somebody has tried meanwhile.
    /// </summary>
    public async Task<SignedEvent?> BeginAsync(Held endpoint, Due due, CancellationToken token)
    {
        await using var query = database.Sql("""
            select e.url, v.id, v.type, v.body,
                array(select sealed_secret from endpoint_secret s where s.endpoint = e.id and (expires_at is null or expires_at > now())
                    order by expires_at desc nulls first)
            from delivery d join endpoint e on e.id = d.endpoint join event v on v.id = d.event
            where d.id = $1 and d.attempts = $2 and d.state = 0 and e.status = 0 and e.holder = $3
            """, due.Delivery, due.Attempts, endpoint.Holder);
        await using var row = await query.ExecuteReaderAsync(token);
        return !await row.ReadAsync(token) ? null : SignedEvent.Of(
            row.GetString(0), row.GetGuid(1), row.GetString(2), row.GetString(3), time.GetUtcNow(),
            Array.ConvertAll(row.GetFieldValue<string[]>(4), secret => secrets.Open(endpoint.Id, secret)));
    }

    /// <summary>Null when somebody else has recorded this attempt's number: both have asked, and one counts.</summary>
    public async Task<Health?> RecordAsync(Held endpoint, Due due, Outcome outcome, CancellationToken token)
    {
        var next = outcome.IsSuccess ? null : Schedule.After(due.Tries + 1, outcome.RetryAfter, Random.Shared.NextDouble());
        var state = outcome.IsSuccess ? DeliveryState.Delivered : next is null ? DeliveryState.Failed : DeliveryState.Pending;
        await using var record = database.Sql($"""
            with tried as (
                update delivery set attempts = attempts + 1, tries = tries + 1, state = $3, next_at = now() + $4::interval,
                    finished_at = case when $4::interval is null then now() end
                where id = $1 and attempts = $2 and state = 0 returning id, attempts, next_at),
            logged as (
                insert into attempt (delivery, number, at, latency_ms, status, error, address, answer, next_at)
                select id, attempts, now() - $5::interval, extract(epoch from $5::interval) * 1000, $6::integer, $7::text, $8::text,
                    $9::text, next_at from tried)
            {(outcome.IsSuccess ? Recovered : Failed)}
            """,
            due.Delivery, due.Attempts, (short)state, next, outcome.Latency, outcome.Status, outcome.Error, outcome.Address,
            outcome.Answer, endpoint.Id);
        if (!outcome.IsSuccess)
            foreach (var value in (object[])
            [
                FailuresThatPause, FirstPause, LongestPause,
                outcome.IsThrottled ? Schedule.Min(outcome.RetryAfter ?? TimeSpan.Zero, Schedule.LongestPause) : TimeSpan.Zero,
                outcome.Status is Gone, DisabledAfter, DisabledAfterFailures,
                Ids.New(), typeof(PublicEvent).FullName!, Ids.Derive(endpoint.Id, EventTypes.WebhookEndpointDisabled),
                Ids.Show(Ids.WebhookEndpoint, endpoint.Id),
            ])
                record.Parameters.Add(new() { Value = value });
        await using var row = await record.ExecuteReaderAsync(token);
        return await row.ReadAsync(token) ? new(row.GetInt32(0), row.GetBoolean(1), row.GetBoolean(2)) : null;
    }

    /// <summary>
    /// The endpoint's row is written only when it changes: requests that run side by side would wait for it. A pause that is not over began
    /// after this request did, and stays.
    /// </summary>
    const string Recovered = """
        , recovered as (
            update endpoint set failures = 0, failing_since = null,
                paused_until = case when paused_until > now() then paused_until else '-infinity' end
            where id = $10 and failures > 0 and exists (select from tried))
        select 0, false, false from tried
        """;

    /// <summary>The one rule by which an endpoint is disabled. Its owner is told with that, and so once.</summary>
    const string Disables = "status = 0 and ($15 or failing_since < now() - $16::interval and failures + 1 >= $17)";

    /// <summary>The others are told the host alone: what follows it may be what lets its bearer in.</summary>
    const string Host = "substring(url from '^[^:]+:/*([^/?]+)')";

    const string Failed = $$"""
        , failed as (
            update endpoint set
            failures = failures + 1,
            failing_since = coalesce(failing_since, now()),
            paused_until = greatest(
                paused_until,
                now() + $14,
                case when failures + 1 >= $11
                    then now() + least($13::interval, $12::interval * power(2, least(failures + 1 - $11, 10))) end),
            status = case when {{Disables}} then 1 else status end,
            disabled_at = case when {{Disables}} then now() else disabled_at end,
            disabled_reason = case when {{Disables}} then case when $15 then 'gone' else 'failing' end else disabled_reason end,
            disablings = case when {{Disables}} then disablings + 1 else disablings end
            where id = $10 and exists (select from tried) returning *),
        told as (
            insert into outbox_message (id, type, body, created_at, subject)
            select $18, $19, jsonb_build_object(
                'id', $18::uuid, 'type', '{{EventTypes.WebhookEndpointDisabled}}', 'created', now(), 'subject', $20::uuid,
                'sequence', disablings, 'organization', organization, 'project', project, 'test', test, 'data', jsonb_build_object(
                    'endpointId', $21::text, 'host', {{Host}}, 'reason', disabled_reason, 'failures', failures)::text), now(), $20
            from failed where status = 1 and disabled_at = now())
        select failures, paused_until > now(), status = 1 and disabled_reason is not null from failed
        """;
}
