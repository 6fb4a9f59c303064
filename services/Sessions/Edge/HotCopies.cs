using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// The copies that proxies share in Redis, and the pushes that make them forget. A forgotten copy leaves an empty entry for as long as a
/// copy may live, so that a reader that was slower than the change cannot store the old copy again. Nothing here fails while Redis is down;
/// copies in proxies then end with <see cref="Credential.MaxAge"/>. Pushes are numbered before they are tried, so that proxies notice one
/// that did not go out, too.
/// </summary>
public sealed class HotCopies(RedisClient redis, CredentialSeal seal, TimeProvider time)
{
    /// <summary>Entries forgotten in one go.</summary>
    const int BatchSize = 100;

    /// <summary>Names this process to the proxies.</summary>
    readonly Guid _sender = Ids.New();
    long _told;

    /// <summary>
    /// Keeps a copy until it is <see cref="Credential.MaxAge"/> old. Proxies take what it has lost of that time as its age.
    /// </summary>
    /// <param name="readSince">A timestamp from before the database was read.</param>
    public Task KeepAsync<T>(string key, T copy, long readSince)
    {
        var left = Credential.MaxAge - time.GetElapsedTime(readSince);
        return left <= TimeSpan.Zero ? Task.CompletedTask : redis.KeepAsync(key, copy, left);
    }

    /// <summary>Tells the proxies that this process lives and how many messages it has sent.</summary>
    public Task BeatAsync() => PublishAsync(Invalidation.Beat, "", Interlocked.Read(ref _told));

    /// <summary>To be called after the change was committed.</summary>
    public async Task CredentialsChangedAsync(IEnumerable<KnownCredential> credentials)
    {
        foreach (var batch in credentials.Chunk(BatchSize))
            await Task.WhenAll(batch.Select(async credential =>
            {
                var fingerprint = seal.Fingerprint(credential);
                await ForgetAsync(Invalidation.CredentialKey(fingerprint));
                Failpoint.Hit("sessions.copies.forgotten");
                await TellAsync(Invalidation.CredentialChanged, fingerprint);
                Failpoint.Hit("sessions.copies.told");
            }));
    }

    /// <summary>Forgets every credential of a customer that could still be used. To be called after the change was committed.</summary>
    public async Task CustomerChangedAsync(Guid customer, SessionsDb db)
    {
        // The proxies are told at once, because what follows may take its time or fail. They are told again when the copies in Redis are
        // gone, because a proxy may have read one of them meanwhile.
        await TellAsync(Invalidation.CustomerChanged, customer.ToString("N"));
        var now = time.GetUtcNow();
        var sessions = await db.Sessions.Where(session => session.Family.CustomerId == customer && session.ExpiresAt > now)
            .Select(session => new KnownCredential(session.Id, session.SealedFingerprint)).ToListAsync();
        var keys = await db.CustomerKeys.Where(key => key.CustomerId == customer && (key.ExpiresAt == null || key.ExpiresAt > now))
            .Select(key => new KnownCredential(key.Id, key.SealedFingerprint)).ToListAsync();
        foreach (var batch in sessions.Concat(keys).Chunk(BatchSize))
            await Task.WhenAll(batch.Select(credential => ForgetAsync(Invalidation.CredentialKey(seal.Fingerprint(credential)))));
        await TellAsync(Invalidation.CustomerChanged, customer.ToString("N"));
    }

    /// <summary>To be called after the change was committed.</summary>
    public async Task ProjectChangedAsync(Guid project)
    {
        await ForgetAsync(Invalidation.ProjectKey(project));
        await TellAsync(Invalidation.ProjectChanged, project.ToString("N"));
    }

    /// <summary>To be called after the change was committed. Copies of projects in Redis end by themselves.</summary>
    public Task CatalogueChangedAsync() => TellAsync(Invalidation.CatalogueChanged, "");

    Task ForgetAsync(string key) => redis.ForgetAsync(key, Credential.MaxAge);

    Task TellAsync(string kind, string value) => PublishAsync(kind, value, Interlocked.Increment(ref _told));

    Task PublishAsync(string kind, string value, long number) =>
        redis.PublishAsync(Invalidation.Channel, new Invalidation(kind, value) { Sender = _sender, Number = number });
}
