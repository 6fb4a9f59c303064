using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /internal/reseal</c>: brings everything under the first master key and the first pepper, so that the accepted ones can be
/// removed from the configuration. May be repeated, and interrupted: what is done stays done. A row that changes meanwhile is left alone,
/// because whoever changed it has sealed it with the first key.
/// </summary>
public static class Reseal
{
    /// <summary>Rows of one statement.</summary>
    const int AtOnce = 500;

    /// <param name="Unreadable">What opens with no key that is configured. It stays as it is.</param>
    public sealed record Report(int Secrets, int Credentials, int Unreadable)
    {
        public Report Plus(int secrets = 0, int credentials = 0, int unreadable = 0) =>
            new(Secrets + secrets, Credentials + credentials, Unreadable + unreadable);
    }

    public static void MapReseal(this WebApplication app) => app.MapPost("/internal/reseal", HandleAsync);

    static async Task<IResult> HandleAsync(
        HttpContext http, NpgsqlDataSource database, Envelope envelope, CredentialSeal seal, KeyCheck check, CancellationToken token)
    {
        var report = await ResealSecretsAsync(database, envelope, token);
        report = await ResealSeedsAsync(report, database, envelope, token);
        var everything = seal.HasOtherPeppers || await check.HasOldHashesAsync(token);
        foreach (var table in (string[])["secret_key", "customer_key", "retired_secret", "session", "member_token"])
            report = await ResealCredentialsAsync(report, table, everything, database, envelope, seal, token);
        await check.RenewAsync(token);
        return http.WantsText() ? PlainText.Of(true, Lines(report)) : Results.Json(report, Defaults.Json);
    }

    static IEnumerable<string> Lines(Report report)
    {
        yield return $"{report.Secrets} secrets of providers and {report.Credentials} credentials were brought under the first keys.";
        yield return "Accepted master keys and peppers are not needed any more.";
        if (report.Unreadable > 0)
            yield return $"{report.Unreadable} open with no key that is configured, and stay as they are.";
    }

    /// <summary>Sealed texts differ from each other, so they also say where a round has ended.</summary>
    static async Task<Report> ResealSecretsAsync(NpgsqlDataSource database, Envelope envelope, CancellationToken token)
    {
        var (report, last) = (new Report(0, 0, 0), "");
        await Rounds.UntilNotFullAsync(AtOnce, async () =>
        {
            var (found, was, now) = (0, new List<string>(), new List<string>());
            await using (var query = database.Sql("""
                select sealed_secret, project_id, provider_id from provider_key
                where sealed_secret collate "C" > $1 and not starts_with(sealed_secret, $2) order by sealed_secret collate "C" limit $3
                """, last, envelope.CurrentMark, AtOnce))
            await using (var rows = await query.ExecuteReaderAsync(token))
                for (; await rows.ReadAsync(token); found++)
                {
                    last = rows.GetString(0);
                    var owner = ProviderConnection.SecretOwner(rows.GetGuid(1), rows.GetString(2));
                    if (envelope.TryOpen(last, owner) is not { } secret)
                        continue;
                    was.Add(last);
                    now.Add(envelope.Seal(secret, owner));
                }
            await using var update = database.Sql("""
                update provider_key set sealed_secret = new.now from unnest($1, $2) new (was, now) where sealed_secret = new.was
                """, was, now);
            report = report.Plus(secrets: await update.ExecuteNonQueryAsync(token), unreadable: found - was.Count);
            return found;
        });
        return report;
    }

    /// <summary>
    /// What seed files said of projects, which is no secret of its own and not counted. Where it does not open, the files are applied
    /// again.
    /// </summary>
    static async Task<Report> ResealSeedsAsync(Report report, NpgsqlDataSource database, Envelope envelope, CancellationToken token)
    {
        var last = Guid.Empty;
        await Rounds.UntilNotFullAsync(AtOnce, async () =>
        {
            var (found, was, now) = (0, new List<string>(), new List<string>());
            await using (var query = database.Sql("""
                select id, sealed_seed from project where id > $1 and not starts_with(sealed_seed, $2) order by id limit $3
                """, last, envelope.CurrentMark, AtOnce))
            await using (var rows = await query.ExecuteReaderAsync(token))
                for (; await rows.ReadAsync(token); found++)
                {
                    last = rows.GetGuid(0);
                    var (before, owner) = (rows.GetString(1), SeedHashes.Owner(last));
                    if (envelope.TryOpen(before, owner) is not { } said)
                        continue;
                    was.Add(before);
                    now.Add(envelope.Seal(said, owner));
                }
            await using var update = database.Sql("""
                update project set sealed_seed = new.now from unnest($1, $2) new (was, now) where sealed_seed = new.was
                """, was, now);
            await update.ExecuteNonQueryAsync(token);
            report = report.Plus(unreadable: found - was.Count);
            return found;
        });
        return report;
    }

    /// <param name="everything">Hashes do not show their pepper, so all rows are read while there may be some of another one.</param>
    static async Task<Report> ResealCredentialsAsync(
        Report report, string table, bool everything, NpgsqlDataSource database, Envelope envelope, CredentialSeal seal,
        CancellationToken token)
    {
        var last = Guid.Empty;
        await Rounds.UntilNotFullAsync(AtOnce, async () =>
        {
            var (found, unreadable) = (0, 0);
            var (ids, was, now, hashes) = (new List<Guid>(), new List<string>(), new List<string>(), new List<byte[]>());
            await using (var query = database.Sql($"""
                select id, sealed_fingerprint, hash from {table}
                where id > $1 and ($2 or not starts_with(sealed_fingerprint, $3)) order by id limit $4
                """, last, everything, envelope.CurrentMark, AtOnce))
            await using (var rows = await query.ExecuteReaderAsync(token))
                for (; await rows.ReadAsync(token); found++)
                {
                    last = rows.GetGuid(0);
                    var credential = new KnownCredential(last, rows.GetString(1));
                    if (seal.TryFingerprint(credential) is not { } fingerprint)
                        unreadable++;
                    else if (!credential.SealedFingerprint.StartsWith(envelope.CurrentMark, StringComparison.Ordinal)
                        || !seal.Hash(fingerprint).AsSpan().SequenceEqual(rows.GetFieldValue<byte[]>(2)))
                    {
                        ids.Add(last);
                        was.Add(credential.SealedFingerprint);
                        now.Add(seal.Seal(fingerprint, last));
                        hashes.Add(seal.Hash(fingerprint));
                    }
                }
            await using var update = database.Sql($"""
                update {table} set sealed_fingerprint = new.now, hash = new.hash
                from unnest($1, $2, $3, $4) new (id, was, now, hash) where {table}.id = new.id and sealed_fingerprint = new.was
                """, ids, was, now, hashes);
            report = report.Plus(credentials: await update.ExecuteNonQueryAsync(token), unreadable: unreadable);
            return found;
        });
        return report;
    }
}
