using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;
using NpgsqlTypes;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /internal/provider-objects</c>: records an object that a provider made for a customer. A repetition under the same id changes
/// nothing.
/// </summary>
public static class RegisterObject
{
    /// <summary>When a batch is first asked whether it has ended.</summary>
    static readonly TimeSpan FirstCheck = TimeSpan.FromSeconds(2);

    public static void MapRegisterObject(this WebApplication app) =>
        app.MapPost("/internal/provider-objects", async (HttpContext http, NpgsqlDataSource database) =>
        {
            var made = await Body.ReadAsync<ProviderObject>(http);
            await using var insert = database.Sql(
                """
                insert into provider_object (id, kind, project_id, test, customer_id, provider_id, provider_key, upstream_id,
                    created_at, terms, input_file, request_id, next_check_at)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, case when $2 = 'file' then null else now() + $13 end)
                on conflict do nothing
                """,
                made.Id,
                made.Kind,
                made.Project,
                made.Test,
                made.Customer,
                made.Provider,
                made.ProviderKey,
                made.ProviderId,
                made.CreatedAt);
            insert.Parameters.Add(new()
            {
                Value = made.Terms is null ? DBNull.Value : JsonSerializer.Serialize(made.Terms, Defaults.Json),
                NpgsqlDbType = NpgsqlDbType.Jsonb,
            });
            insert.Parameters.Add(new() { Value = (object?)made.InputFile ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
            insert.Parameters.Add(new() { Value = (object?)made.RequestId ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid });
            insert.Parameters.Add(new() { Value = FirstCheck });
            await insert.ExecuteNonQueryAsync(http.RequestAborted);
            return Results.NoContent();
        });
}
