using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// The copies that proxies share in Redis, and the pushes that make them forget. A forgotten copy leaves an empty entry for as long as a
/// copy may live, so that a reader that was slower than the change cannot store the old copy again. Nothing here fails while Redis is down;
/// copies in proxies then end with <see cref="Credential.MaxAge"/>. Every write that changes what is copied is a <see cref="Change"/>.
/// </summary>
public sealed class HotCopies(RedisClient redis, CredentialSeal seal, TimeProvider time)
{
    /// <summary>Entries forgotten in one go.</summary>
    const int BatchSize = 100;

    /// <summary>Names this process to the proxies.</summary>
    readonly Guid _sender = Ids.New();
    readonly TimeProvider _time = time;
    long _told;

    /// <summary>
    /// Keeps a copy until it is <see cref="Credential.MaxAge"/> old. Proxies take what it has lost of that time as its age.
    /// </summary>
    /// <param name="readSince">A timestamp from before the database was read.</param>
    public Task KeepAsync<T>(string key, T copy, long readSince)
    {
        var left = Credential.MaxAge - _time.GetElapsedTime(readSince);
        return left <= TimeSpan.Zero ? Task.CompletedTask : redis.KeepAsync(key, copy, left);
    }

    /// <summary>Tells the proxies that this process lives and how many messages it has sent.</summary>
    public Task BeatAsync() => PublishAsync(Invalidation.Beat, "", Interlocked.Read(ref _told));

    /// <summary>
    /// To be opened before the change is committed and disposed of after that, also when the commit failed, because its effect is then
    /// unknown. The commit takes no token of the request: a caller that leaves must not make its effect unknown.
    /// </summary>
    public Change CredentialChanging(KnownCredential credential) => new(this, number => CredentialChangedAsync(credential, number));

    /// <inheritdoc cref="CredentialChanging"/>
    /// <param name="named">One of the family's tokens.</param>
    public Change FamilyChanging(Guid family, KnownCredential named, SessionsDb db) => new(this, async number =>
    {
        // The tokens are read after the commit. A token that a parallel refresh adds later is looked up later and found revoked.
        var now = _time.GetUtcNow();
        var others = await db.Sessions.Where(s => s.FamilyId == family && s.ExpiresAt > now && s.Id != named.Id)
            .Select(s => new KnownCredential(s.Id, s.SealedFingerprint)).ToListAsync();
        foreach (var batch in others.Chunk(BatchSize))
            await Task.WhenAll(batch.Select(credential => CredentialChangedAsync(credential, NextNumber())));
        await CredentialChangedAsync(named, number);
    });

    /// <summary>Every secret of the key that could still be used: the one that it has, and those that it had before.</summary>
    /// <inheritdoc cref="CredentialChanging"/>
    public Change KeyChanging(Guid key, SessionsDb db) => new(this, async number =>
    {
        // Read after the commit, because the key may have been rotated since whoever changes it has read it. Secrets that end with the
        // change have ended by then, so some are told of that had ended before.
        var since = _time.GetUtcNow() - Credential.MaxAge;
        var retired = await db.RetiredSecrets.Where(one => one.KeyId == key && one.ExpiresAt > since)
            .Select(one => new KnownCredential(one.Id, one.SealedFingerprint)).ToListAsync();
        var present = await db.CustomerKeys.Where(one => one.Id == key)
            .Select(one => new KnownCredential(one.Id, one.SealedFingerprint)).SingleAsync();
        foreach (var batch in retired.Chunk(BatchSize))
            await Task.WhenAll(batch.Select(credential => CredentialChangedAsync(credential, NextNumber())));
        await CredentialChangedAsync(present, number);
    });

    /// <summary>Every credential of the customer that could still be used.</summary>
    /// <inheritdoc cref="CredentialChanging"/>
    public Change CustomerChanging(Guid customer, SessionsDb db) => new(this, async number =>
    {
        // The proxies are told at once, because what follows may take its time or fail. They are told again when the copies in Redis are
        // gone, because a proxy may have read one of them meanwhile.
        await PublishAsync(Invalidation.CustomerChanged, customer.ToString("N"), NextNumber());
        var now = _time.GetUtcNow();
        var sessions = await db.Sessions.Where(session => session.Family.CustomerId == customer && session.ExpiresAt > now)
            .Select(session => new KnownCredential(session.Id, session.SealedFingerprint)).ToListAsync();
        var keys = await db.CustomerKeys.Where(key => key.CustomerId == customer && (key.ExpiresAt == null || key.ExpiresAt > now))
            .Select(key => new KnownCredential(key.Id, key.SealedFingerprint)).ToListAsync();
        var retired = await db.RetiredSecrets
            .Where(secret => secret.ExpiresAt > now && db.CustomerKeys.Any(key => key.Id == secret.KeyId && key.CustomerId == customer))
            .Select(secret => new KnownCredential(secret.Id, secret.SealedFingerprint)).ToListAsync();
        var clients = await db.MemberTokens
            .Where(one => one.ExpiresAt > now && db.Members.Any(member => member.Id == one.MemberId && member.CustomerId == customer))
            .Select(one => new KnownCredential(one.Id, one.SealedFingerprint)).ToListAsync();
        foreach (var batch in sessions.Concat(keys).Concat(retired).Concat(clients).Chunk(BatchSize))
            await Task.WhenAll(batch.Select(credential => ForgetAsync(Invalidation.CredentialKey(seal.Fingerprint(credential)))));
        await PublishAsync(Invalidation.CustomerChanged, customer.ToString("N"), number);
    });

    /// <summary>Every token of the member that could still be used.</summary>
    /// <inheritdoc cref="CredentialChanging"/>
    public Change MemberChanging(Guid member, SessionsDb db) => new(this, async number =>
    {
        // Told before and after, as for one customer.
        await PublishAsync(Invalidation.MemberChanged, member.ToString("N"), NextNumber());
        var now = _time.GetUtcNow();
        var tokens = await db.MemberTokens.Where(one => one.MemberId == member && one.ExpiresAt > now)
            .Select(one => new KnownCredential(one.Id, one.SealedFingerprint)).ToListAsync();
        foreach (var batch in tokens.Chunk(BatchSize))
            await Task.WhenAll(batch.Select(credential => ForgetAsync(Invalidation.CredentialKey(seal.Fingerprint(credential)))));
        await PublishAsync(Invalidation.MemberChanged, member.ToString("N"), number);
    });

    /// <summary>The catalogue, and these projects. Copies of other projects in Redis end by themselves.</summary>
    /// <inheritdoc cref="CredentialChanging"/>
    public Change CatalogueChanging(params IReadOnlyCollection<Guid> projects) => new(this, async number =>
    {
        foreach (var project in projects)
        {
            await ForgetAsync(Invalidation.ProjectKey(project));
            await PublishAsync(Invalidation.ProjectChanged, project.ToString("N"), NextNumber());
        }
        await PublishAsync(Invalidation.CatalogueChanged, "", number);
    });

    /// <summary>What a project is and sells.</summary>
    /// <inheritdoc cref="CredentialChanging"/>
    public Change ProjectChanging(Guid project) => new(this, async number =>
    {
        await ForgetAsync(Invalidation.ProjectKey(project));
        await PublishAsync(Invalidation.ProjectChanged, project.ToString("N"), number);
    });

    /// <summary>What the customers of a plan have. Proxies know it by the credentials of each.</summary>
    /// <inheritdoc cref="CredentialChanging"/>
    public Change PlanChanging(Guid project, string plan, SessionsDb db) => new(this, async number =>
    {
        // Told before and after, as for one customer.
        await PublishAsync(Invalidation.ProjectChanged, project.ToString("N"), NextNumber());
        var now = _time.GetUtcNow();
        var customers = db.CustomerPlans.Where(had => had.ProjectId == project && had.PlanId == plan).Select(had => had.CustomerId);
        var sessions = await db.Sessions.Where(session => customers.Contains(session.Family.CustomerId) && session.ExpiresAt > now)
            .Select(session => new KnownCredential(session.Id, session.SealedFingerprint)).ToListAsync();
        var keys = await db.CustomerKeys.Where(key => customers.Contains(key.CustomerId) && (key.ExpiresAt == null || key.ExpiresAt > now))
            .Select(key => new KnownCredential(key.Id, key.SealedFingerprint)).ToListAsync();
        var retired = await db.RetiredSecrets
            .Where(secret => secret.ExpiresAt > now
                && db.CustomerKeys.Any(key => key.Id == secret.KeyId && customers.Contains(key.CustomerId)))
            .Select(secret => new KnownCredential(secret.Id, secret.SealedFingerprint)).ToListAsync();
        foreach (var batch in sessions.Concat(keys).Concat(retired).Chunk(BatchSize))
            await Task.WhenAll(batch.Select(credential => ForgetAsync(Invalidation.CredentialKey(seal.Fingerprint(credential)))));
        await PublishAsync(Invalidation.ProjectChanged, project.ToString("N"), number);
    });

    async Task CredentialChangedAsync(KnownCredential credential, long number)
    {
        var fingerprint = seal.Fingerprint(credential);
        await ForgetAsync(Invalidation.CredentialKey(fingerprint));
        Failpoint.Hit("sessions.copies.forgotten");
        await PublishAsync(Invalidation.CredentialChanged, fingerprint, number);
        Failpoint.Hit("sessions.copies.told");
    }

    Task ForgetAsync(string key) => redis.ForgetAsync(key, Credential.MaxAge);

    long NextNumber() => Interlocked.Increment(ref _told);

    Task PublishAsync(string kind, string value, long number) =>
        redis.PublishAsync(Invalidation.Channel, new Invalidation(kind, value) { Sender = _sender, Number = number });

    /// <summary>
    /// A change between the moment before its commit and the last push of it. That push's number is taken first. If it never goes out,
    /// proxies miss it, and what they have is as short-lived as without pushes.
    /// </summary>
    public sealed class Change : IAsyncDisposable
    {
        readonly HotCopies _copies;
        readonly Func<long, Task> _tell;
        readonly long _number, _begun;

        internal Change(HotCopies copies, Func<long, Task> tell) =>
            (_copies, _tell, _number, _begun) = (copies, tell, copies.NextNumber(), copies._time.GetTimestamp());

        /// <summary>
        /// After a slow commit proxies have missed the number already, and would not miss it again if the push were lost. Then the push has
        /// a new one.
        /// </summary>
        public async ValueTask DisposeAsync() =>
            await _tell(_copies._time.GetElapsedTime(_begun) < Invalidation.BeatEvery ? _number : _copies.NextNumber());
    }
}
