namespace LlmGateway.Billing;

/// <summary>
/// How many events of each organization are handled at this moment. Who has <paramref name="most"/> gets no further one, so that many that
/// are slow leave places to others. What is of nobody that we know, such as another program on the same account, has them as one.
/// </summary>
public sealed class OwnerPlaces(int most)
{
    public static readonly Guid Nobody = Guid.Empty;

    readonly Lock _lock = new();
    readonly Dictionary<Guid, int> _taken = [];

    /// <summary>Those that get no further place now.</summary>
    public Guid[] Full
    {
        get
        {
            lock (_lock)
                return [.. _taken.Where(one => one.Value >= most).Select(one => one.Key)];
        }
    }

    public void Take(Guid owner)
    {
        lock (_lock)
            _taken[owner] = _taken.GetValueOrDefault(owner) + 1;
    }

    /// <returns>True when it had all that it may have: what waits of it may go on.</returns>
    public bool GiveBack(Guid owner)
    {
        lock (_lock)
        {
            var taken = _taken[owner];
            if (taken == 1)
                _taken.Remove(owner);
            else
                _taken[owner] = taken - 1;
            return taken == most;
        }
    }
}
