using System.Text.Json;
using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// Events of payments, for owners' systems: written with what they tell of. They are numbered for each customer, apart from those of the
/// ledger, which has numbers of its own: receivers see another <c>series</c>.
/// </summary>
public static class PaymentEvents
{
    static readonly JsonSerializerOptions Json = new(Defaults.Json) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    /// <summary>Whose events are numbered together: what this service tells of a customer.</summary>
    public static Guid SubjectOf(Guid customer) => Ids.Derive(customer, "payments");

    public static Task TellAsync(
        this NpgsqlConnection connection, Payment of, string type, object data, DateTimeOffset now, CancellationToken token) =>
        connection.TellAsync(SubjectOf(of.Customer), of.Organization, of.Project, of.Test, type, data, now, token);

    /// <param name="subject">Whose events are numbered together.</param>
    public static async Task TellAsync(
        this NpgsqlConnection connection, Guid subject, Guid organization, Guid project, bool test, string type, object data,
        DateTimeOffset now, CancellationToken token)
    {
        var id = Ids.New();
        var told = new PublicEvent(id, type, now, subject, 0, organization, project, test, JsonSerializer.Serialize(data, Json));
        await connection.ChangeAsync("""
            with numbered as (
                insert into event_sequence as s (subject, last) values ($1, 1)
                on conflict (subject) do update set last = s.last + 1 returning last)
            insert into outbox_message (id, type, body, created_at, subject)
            select $2, $3, $4::jsonb || jsonb_build_object('sequence', last), $5, $1 from numbered
            """, token, subject, id, typeof(PublicEvent).FullName!, JsonSerializer.Serialize(told, Defaults.Json), now);
    }
}
