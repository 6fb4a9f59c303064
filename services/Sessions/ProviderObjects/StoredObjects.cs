using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions;

/// <summary>Provider objects as the database keeps them.</summary>
static class StoredObjects
{
    /// <summary>What <see cref="ReadAsync"/> reads.</summary>
    public const string Columns =
        "id, kind, project_id, test, customer_id, provider_id, provider_key, upstream_id, created_at, terms, "
        + "input_file, request_id, settled_at is not null";

    public static async Task<List<ProviderObject>> ReadAsync(NpgsqlCommand query, CancellationToken token)
    {
        var found = new List<ProviderObject>();
        await using var row = await query.ExecuteReaderAsync(token);
        while (await row.ReadAsync(token))
            found.Add(new(
                row.GetString(0),
                row.GetString(1),
                row.GetGuid(2),
                row.GetBoolean(3),
                row.GetGuid(4),
                row.GetString(5),
                row.GetString(6),
                row.GetString(7),
                row.GetFieldValue<DateTimeOffset>(8))
            {
                Terms = row.IsDBNull(9) ? null : JsonSerializer.Deserialize<BatchTerms>(row.GetString(9), Defaults.Json),
                InputFile = row.IsDBNull(10) ? null : row.GetString(10),
                RequestId = row.IsDBNull(11) ? null : row.GetGuid(11),
                Settled = row.GetBoolean(12),
            });
        return found;
    }
}
