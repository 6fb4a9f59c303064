using System.Text.Json;
using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using MimeKit;
using Npgsql;

namespace LlmGateway.Billing;

/// <summary>
/// <c>PUT /v1/invoices/seller {name, address, taxId?, email?, timeZone?}</c>, <c>GET</c>: who sells, of a backend's project and mode.
/// Documents that are made from then on say so; those that are there do not change. Until it is said, no document is made.
/// </summary>
public static class PutSeller
{
    const int MaxName = 200, MaxAddress = 500, MaxAddressLines = 8, MaxTaxId = 50;

    public sealed record Request(string Name, string Address, string? TaxId = null, string? Email = null, string? TimeZone = null);

    sealed record View(string Name, string Address, string? TaxId, string? Email, string TimeZone)
    {
        /// <summary>Absent: nothing is to be thought over.</summary>
        [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        public string? Warning { get; init; }
    }

    const string TwoSellers =
        "Another project of this organization has another seller. Both take their numbers from the one series of the organization, so the "
        + "list of each has gaps. A seller whose numbers must have none needs an organization of its own.";

    public static void MapSeller(this WebApplication app)
    {
        app.MapPut("/v1/invoices/seller", PutAsync);
        app.MapGet("/v1/invoices/seller", GetAsync).WithQuery();
    }

    static async Task<IResult> PutAsync(HttpContext http, NpgsqlDataSource database, Invoicing invoicing, CancellationToken token)
    {
        var caller = http.Backend();
        var input = await Body.ReadAsync<Request>(http);
        if (Refuse(input) is { } refused)
            return refused;
        var seller = new Seller(input.Name.Trim(), input.Address.Trim(), input.TaxId, input.Email, input.TimeZone ?? "Etc/UTC");
        await database.ChangeAuditedAsync(
            http, new("seller", "invoices/seller"), connection => FindAsync(connection, caller, token), known => known,
            connection => connection.ChangeAsync("""
                insert into seller (project, test, organization, content) values ($1, $2, $3, $4::jsonb)
                on conflict (project, test) do update set content = excluded.content, changed_at = now()
                """, token, caller.Project, caller.Test, caller.Organization, JsonSerializer.Serialize(seller, Defaults.Json)),
            token);
        invoicing.Wake();
        return await ShowAsync(seller, caller, database, token);
    }

    static async Task<IResult> GetAsync(HttpContext http, NpgsqlDataSource database, CancellationToken token)
    {
        var caller = http.Backend();
        Seller? seller;
        await using (var connection = await database.OpenConnectionAsync(token))
            seller = await FindAsync(connection, caller, token);
        return seller is null ? Problems.NotFound("seller") : await ShowAsync(seller, caller, database, token);
    }

    static async Task<Seller?> FindAsync(NpgsqlConnection connection, Principal caller, CancellationToken token)
    {
        await using var query = connection.Sql(
            "select content from seller where project = $1 and test = $2", caller.Project, caller.Test);
        return await query.ExecuteScalarAsync(token) is string content
            ? JsonSerializer.Deserialize<Seller>(content, Defaults.Json)
            : null;
    }

    /// <summary>Another mail address or time zone makes no other seller.</summary>
    static async Task<IResult> ShowAsync(Seller seller, Principal caller, NpgsqlDataSource database, CancellationToken token)
    {
        await using var others = database.Sql("""
            select exists (
                select from seller where organization = $1 and test = $2 and project <> $3
                    and (content - '{email,timeZone}'::text[]) <> ($4::jsonb - '{email,timeZone}'::text[]))
            """, caller.Organization, caller.Test, caller.Project, JsonSerializer.Serialize(seller, Defaults.Json));
        return Results.Json(
            new View(seller.Name, seller.Address, seller.TaxId, seller.Email, seller.TimeZone)
            {
                Warning = await others.ExecuteScalarAsync(token) is true ? TwoSellers : null,
            },
            Defaults.Json);
    }

    /// <summary>What is wrong with it; null when nothing is. What is printed has one line, an address some.</summary>
    public static Problem? Refuse(Request input) =>
        Text("name", input.Name, MaxName)
        ?? Text("address", input.Address.Replace("\n", "", StringComparison.Ordinal), MaxAddress)
        ?? (input.Address.Trim().Split('\n').Length > MaxAddressLines
            ? Problems.Invalid("address", $"'address' may have at most {MaxAddressLines} lines.") : null)
        ?? (input.TaxId is { } id ? Text("taxId", id, MaxTaxId) : null)
        ?? (input.Email is { } email && !IsAddress(email) ? Problems.Invalid("email", "'email' must be one mail address.") : null)
        ?? (input.TimeZone is { } zone && !Cycles.IsZone(zone)
            ? Problems.Invalid("timeZone", "'timeZone' must be an IANA name, as in Europe/Berlin.") : null);

    static Problem? Text(string name, string value, int most) =>
        string.IsNullOrWhiteSpace(value) || value.Length > most || value.Any(char.IsControl)
            ? Problems.Invalid(name, $"'{name}' must have 1 to {most} characters, and none that controls a printer.")
            : null;

    /// <summary>An address alone, without a name beside it, as the sender of mail reads it: others would take more.</summary>
    public static bool IsAddress(string text) =>
        text.Length <= 254 && !text.Any(char.IsControl) && MailboxAddress.TryParse(text, out var address) && address.Address == text
            && address.Domain.Length > 0;
}
