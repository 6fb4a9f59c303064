namespace LlmGateway.Proxy;

/// <summary>
/// How many requests of one key, and of all keys together, may run at the same time at this proxy. As <see cref="LocalRate{TKey}"/>, it
/// protects the gateway; the places that customers have are slots of their claims.
/// </summary>
public sealed class LocalPlaces<TKey>(int ofOne, int ofAll)
    where TKey : notnull
{
    readonly Lock _lock = new();
    readonly Dictionary<TKey, int> _taken = [];
    int _all;

    /// <summary>A place, until it is disposed of. Null while none is free.</summary>
    public Place? Take(TKey key)
    {
        lock (_lock)
        {
            var taken = _taken.GetValueOrDefault(key);
            if (taken >= ofOne || _all >= ofAll)
                return null;
            _taken[key] = taken + 1;
            _all++;
            return new(this, key);
        }
    }

    void GiveBack(TKey key)
    {
        lock (_lock)
        {
            _all--;
            if (_taken[key] == 1)
                _taken.Remove(key);
            else
                _taken[key]--;
        }
    }

    public sealed class Place : IDisposable
    {
        readonly LocalPlaces<TKey> _of;
        readonly TKey _key;
        int _isFree;

        internal Place(LocalPlaces<TKey> of, TKey key) => (_of, _key) = (of, key);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isFree, 1) == 0)
                _of.GiveBack(_key);
        }
    }
}
