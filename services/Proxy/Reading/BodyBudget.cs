using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// Bounds the request bodies that are in memory at the same time: all together, and those of one customer. A body whose
/// <c>Content-Length</c> does not fit is refused before it is read. It counts as it arrives: whoever only announced much would take room
/// from all others. Small ones count only together, so that most requests pay for nothing more than two interlocked additions.
/// </summary>
public sealed class BodyBudget
{
    public const string Setting = "Proxy:BodyMegabytes", OneSetting = "Proxy:BodyMegabytesPerCustomer";
    public const int DefaultMegabytes = 1024, DefaultMegabytesOfOne = 256;

    /// <summary>Bytes up to which a body counts as small.</summary>
    public const int Small = 64 * 1024;

    readonly long _most, _mostOfOne;
    readonly Lock _lock = new();
    readonly Dictionary<Guid, Share> _shares = [];
    readonly Share _small;
    long _held;

    /// <param name="most">Bytes of all bodies.</param>
    /// <param name="mostOfOne">Bytes of the bodies of one customer, or of one backend.</param>
    public BodyBudget(long most, long mostOfOne)
    {
        (_most, _mostOfOne) = (most, mostOfOne);
        _small = new(this, null);
    }

    /// <summary>Bytes of bodies that are in memory.</summary>
    public long Held => Volatile.Read(ref _held);

    /// <summary>Owners that have bodies which are not small.</summary>
    public int Owners
    {
        get
        {
            lock (_lock)
                return _shares.Count;
        }
    }

    /// <summary>What a body is to be counted in, until <see cref="Share.Close"/>.</summary>
    /// <param name="length">Null when the caller does not say it.</param>
    public Share Open(Guid owner, long? length)
    {
        if (length <= Small)
            return _small;
        lock (_lock)
        {
            if (!_shares.TryGetValue(owner, out var share))
                _shares[owner] = share = new(this, owner);
            share.Bodies++;
            return share;
        }
    }

    /// <summary>Room for what a request has in memory beside its body.</summary>
    public Room OpenRoom(Guid owner) => new(this, owner);

    /// <summary>Bytes that count for an owner like those of its bodies, until this is disposed of.</summary>
    public sealed class Room(BodyBudget budget, Guid owner) : IDisposable
    {
        readonly List<(Share Share, long Bytes)> _taken = [];

        /// <summary>Counts what is about to be made or fetched.</summary>
        /// <exception cref="ProblemException">There is no room for it; see <see cref="Share.Take"/>.</exception>
        public void Take(long bytes)
        {
            var share = budget.Open(owner, bytes);
            var problem = share.Take(bytes);
            if (problem is null)
                _taken.Add((share, bytes));
            else
            {
                share.Close(0);
                throw new ProblemException(problem);
            }
        }

        public void Dispose()
        {
            foreach (var (share, bytes) in _taken)
                share.Close(bytes);
            _taken.Clear();
        }
    }

    /// <summary>The bodies of one owner, or the small ones of all.</summary>
    public sealed class Share(BodyBudget budget, Guid? of)
    {
        long _held;

        internal int Bodies { get; set; }

        /// <returns>Why there is no room now for so much; see <see cref="Take"/>.</returns>
        public Problem? Check(long bytes) =>
            of is not null && Volatile.Read(ref _held) + bytes > budget._mostOfOne ? Problems.TooManyBytes(budget._mostOfOne)
            : budget.Held + bytes > budget._most ? Problems.Overloaded
            : null;

        /// <returns>Why there is no room: 429 when the owner has too much, 503 when all together have.</returns>
        public Problem? Take(long bytes)
        {
            if (of is not null && Interlocked.Add(ref _held, bytes) > budget._mostOfOne)
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
            if (of is not { } owner)
                return;
            lock (budget._lock)
                if (--Bodies == 0)
                    budget._shares.Remove(owner);
        }

        void Return(long bytes)
        {
            Interlocked.Add(ref budget._held, -bytes);
            if (of is not null)
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
