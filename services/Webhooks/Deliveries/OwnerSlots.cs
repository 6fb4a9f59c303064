namespace LlmGateway.Webhooks;

/// <summary>
/// Requests that the endpoints of one organization may have open beyond the one that each has anyway, so that many endpoints of one owner
/// do not take the place of others', and a dead one not that of a healthy one.
/// </summary>
public sealed class OwnerSlots
{
    public const int PerOwner = 32;

    readonly Lock _lock = new();
    readonly Dictionary<Guid, int> _taken = [];

    /// <returns>How many there were, at most as many as are wanted.</returns>
    public int Take(Guid organization, int wanted)
    {
        lock (_lock)
        {
            var taken = _taken.GetValueOrDefault(organization);
            var got = Math.Clamp(wanted, 0, PerOwner - taken);
            if (got > 0)
                _taken[organization] = taken + got;
            return got;
        }
    }

    public void GiveBack(Guid organization, int count)
    {
        if (count == 0)
            return;
        lock (_lock)
            if ((_taken[organization] -= count) == 0)
                _taken.Remove(organization);
    }
}
