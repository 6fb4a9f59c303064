using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Bounds the request bodies that are in memory at the same time: all together, and those of one credential. A body is counted before it is
/// read, by its <c>Content-Length</c>, or else as it arrives. Small ones count only together: connections bound what one credential can
/// have of them, and most requests pay for nothing more than two interlocked additions.
/// </summary>
public sealed class BodyBudget
{
    public const string Setting = "Proxy:BodyMegabytes", OneSetting = "Proxy:BodyMegabytesPerCredential";
    public const int DefaultMegabytes = 1024, DefaultMegabytesOfOne = 256;

    /// <summary>Bytes up to which a body counts as small.</summary>
    public const int Small = 64 * 1024;

    readonly long _most, _mostOfOne;
    readonly Lock _lock = new();
    readonly Dictionary<Guid, Share> _shares = [];
    readonly Share _small;
    long _held;

    /// <param name="most">Bytes of all bodies.</param>
    /// <param name="mostOfOne">Bytes of the bodies of one credential.</param>
    public BodyBudget(long most, long mostOfOne)
    {
        (_most, _mostOfOne) = (most, mostOfOne);
        _small = new(this, null);
    }

    /// <summary>Bytes of bodies that are in memory or announced.</summary>
    public long Held => Volatile.Read(ref _held);

    /// <summary>Credentials that have bodies which are not small.</summary>
    public int Credentials
    {
        get
        {
            lock (_lock)
                return _shares.Count;
        }
    }

    /// <summary>What a body is to be counted in, until <see cref="Share.Close"/>.</summary>
    /// <param name="length">Null when the caller does not say it.</param>
    public Share Open(Guid credential, long? length)
    {
        if (length <= Small)
            return _small;
        lock (_lock)
        {
            if (!_shares.TryGetValue(credential, out var share))
                _shares[credential] = share = new(this, credential);
            share.Bodies++;
            return share;
        }
    }

    /// <summary>The bodies of one credential, or the small ones of all.</summary>
    public sealed class Share(BodyBudget budget, Guid? credential)
    {
        long _held;

        internal int Bodies { get; set; }

        /// <returns>Why there is no room: 429 when the credential has too much, 503 when all together have.</returns>
        public Problem? Take(long bytes)
        {
            if (credential is not null && Interlocked.Add(ref _held, bytes) > budget._mostOfOne)
            {
                Interlocked.Add(ref _held, -bytes);
                return Problems.TooManyBytes(budget._mostOfOne);
            }
            if (Interlocked.Add(ref budget._held, bytes) <= budget._most)
                return null;
            Return(bytes);
            return Problems.Overloaded;
        }

        /// <param name="bytes">What was taken for the body that ends here.</param>
        public void Close(long bytes)
        {
            Return(bytes);
            if (credential is not { } owner)
                return;
            lock (budget._lock)
                if (--Bodies == 0)
                    budget._shares.Remove(owner);
        }

        void Return(long bytes)
        {
            Interlocked.Add(ref budget._held, -bytes);
            if (credential is not null)
                Interlocked.Add(ref _held, -bytes);
        }
    }
}

public static class BodyBudgetRegistration
{
    const long Megabyte = 1024 * 1024;

    public static void AddBodyBudget(this WebApplicationBuilder builder) => builder.Services.AddSingleton(new BodyBudget(
        Megabyte * builder.Configuration.GetValue(BodyBudget.Setting, BodyBudget.DefaultMegabytes),
        Megabyte * builder.Configuration.GetValue(BodyBudget.OneSetting, BodyBudget.DefaultMegabytesOfOne)));
}
