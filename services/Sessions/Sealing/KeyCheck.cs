using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions;

/// <summary>A key of the configuration is not this database's.</summary>
public sealed class WrongKeyException(string setting)
    : Exception($"{setting} is not this database's: {Harm(setting)}. Set it to the key that the database was made with, "
        + $"or list that one in {KeySetting.Accepted(setting)}.")
{
    static string Harm(string setting) =>
        setting == KeySetting.MasterKey ? "no stored secret opens with it" : "no credential would be known with it";
}

/// <summary>
/// Notices at the start that a key is another one than the database's. Otherwise each secret would fail when it is opened, and each
/// credential would get 401. The proofs are written once; <see cref="Reseal"/> renews them.
/// </summary>
public sealed class KeyCheck(NpgsqlDataSource database, Envelope envelope, CredentialSeal seal)
{
    const string Text = "key check";

    /// <summary>Throws <see cref="WrongKeyException"/>.</summary>
    public async Task RunAsync(CancellationToken token)
    {
        if (await ProofAsync(KeySetting.MasterKey, token) is null)
        {
            if (!await AreUnderFirstKeysAsync(token))
                return; // Reseal writes the proofs
            await WriteAsync("do nothing", token); // another instance may have been first
        }
        if (envelope.TryOpen((await ProofAsync(KeySetting.MasterKey, token))!, Text) is null)
            throw new WrongKeyException(KeySetting.MasterKey);
        if (!Proofs().Contains(await ProofAsync(KeySetting.Pepper, token)))
            throw new WrongKeyException(KeySetting.Pepper);
    }

    /// <summary>True while hashes may be under another pepper than the first.</summary>
    public async Task<bool> HasOldHashesAsync(CancellationToken token) => await ProofAsync(KeySetting.Pepper, token) != Proofs().First();

    /// <summary>From now on the first keys alone are enough. To be called when nothing is left under others.</summary>
    public Task RenewAsync(CancellationToken token) => WriteAsync("(setting) do update set proof = excluded.proof", token);

    IEnumerable<string> Proofs() => seal.Hashes(Text).Select(Convert.ToBase64String);

    /// <summary>
    /// A database of an earlier version has no proofs. Its newest credentials are as good: it throws when no key is theirs. False while
    /// they are under keys that are accepted only: proofs of the first keys would let those be removed too early.
    /// </summary>
    async Task<bool> AreUnderFirstKeysAsync(CancellationToken token)
    {
        await using var query = database.Sql("""
            (select id, sealed_fingerprint, hash from secret_key order by created_at desc limit 1)
            union all (select id, sealed_fingerprint, hash from customer_key order by created_at desc limit 1)
            union all (select id, sealed_fingerprint, hash from session order by expires_at desc limit 1)
            """);
        await using var rows = await query.ExecuteReaderAsync(token);
        var (known, opened, hashed, first) = (0, 0, 0, 0);
        for (; await rows.ReadAsync(token); known++)
        {
            var (credential, hash) = (new KnownCredential(rows.GetGuid(0), rows.GetString(1)), rows.GetFieldValue<byte[]>(2));
            if (seal.TryFingerprint(credential) is not { } fingerprint)
                continue;
            opened++;
            hashed += seal.Hashes(fingerprint).Any(hash.SequenceEqual) ? 1 : 0;
            first += seal.IsUnderFirstKeys(credential, fingerprint, hash) ? 1 : 0;
        }
        if (known > 0 && opened == 0)
            throw new WrongKeyException(KeySetting.MasterKey);
        if (opened > 0 && hashed == 0)
            throw new WrongKeyException(KeySetting.Pepper);
        return first == hashed;
    }

    async Task<string?> ProofAsync(string setting, CancellationToken token)
    {
        await using var query = database.Sql("select proof from key_check where setting = $1", setting);
        return (string?)await query.ExecuteScalarAsync(token);
    }

    async Task WriteAsync(string onConflict, CancellationToken token)
    {
        await using var insert = database.Sql(
            $"insert into key_check (setting, proof) values ($1, $2), ($3, $4) on conflict {onConflict}",
            KeySetting.MasterKey, envelope.Seal(Text, Text), KeySetting.Pepper, Proofs().First());
        await insert.ExecuteNonQueryAsync(token);
    }
}
