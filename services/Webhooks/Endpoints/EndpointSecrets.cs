using System.Security.Cryptography;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Webhooks;

/// <summary>What deliveries are signed with: <c>whsec_</c> and 32 random bytes in base64, sealed for their endpoint.</summary>
public sealed class EndpointSecrets(Envelope envelope)
{
    public const string Prefix = "whsec_";

    const int Bytes = 32;

    static string Owner(Guid endpoint) => $"webhook endpoint:{endpoint:N}";

    public string Open(Guid endpoint, string sealedSecret) => envelope.Open(sealedSecret, Owner(endpoint));

    /// <summary>The same secret under the first master key; null when it opens with none.</summary>
    public string? Reseal(Guid endpoint, string sealedSecret) =>
        envelope.TryOpen(sealedSecret, Owner(endpoint)) is { } secret ? envelope.Seal(secret, Owner(endpoint)) : null;

    /// <summary>Of what need not be sealed again.</summary>
    public string CurrentMark => envelope.CurrentMark;

    /// <summary>A new secret, which is written with the caller's transaction and shown this once.</summary>
    /// <param name="id">Of the call that makes it: see <see cref="MadeAsync"/>.</param>
    public async Task<string> AddAsync(NpgsqlConnection connection, Guid endpoint, Guid id, CancellationToken token)
    {
        var secret = Prefix + Convert.ToBase64String(RandomNumberGenerator.GetBytes(Bytes));
        await connection.RunAsync(
            "insert into endpoint_secret (id, endpoint, sealed_secret) values ($1, $2, $3)",
            token, id, endpoint, envelope.Seal(secret, Owner(endpoint)));
        return secret;
    }

    /// <summary>
    /// What a call has made whose process died before anybody knew: its repetition shows it. Null when it has made none, or so long ago
    /// that the call was answered.
    /// </summary>
    public async Task<string?> MadeAsync(NpgsqlConnection connection, Guid endpoint, Guid id, CancellationToken token)
    {
        await using var query = connection.Sql(
            "select sealed_secret from endpoint_secret where id = $1 and endpoint = $2 and created > now() - $3",
            id, endpoint, Idempotency.Retention);
        return await query.ExecuteScalarAsync(token) is string made ? Open(endpoint, made) : null;
    }
}
