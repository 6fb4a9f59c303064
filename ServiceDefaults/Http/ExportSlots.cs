namespace LlmGateway.ServiceDefaults;

/// <summary>
/// How many files are sent at the same time. Each keeps a page in memory for as long as its reader takes, so that they are bounded, and
/// those of one project so that they leave room for others.
/// </summary>
public sealed class ExportSlots
{
    public const int OfProject = 2, OfAll = 32;

    /// <summary>When too many run.</summary>
    const int RetrySeconds = 10;

    readonly Lock _lock = new();
    readonly Dictionary<Guid, int> _running = [];
    int _all;

    /// <summary>To be disposed when the export is over.</summary>
    /// <exception cref="ProblemException">429 when too many run.</exception>
    public IDisposable Take(Guid project) => TryTake(project) ?? throw new ProblemException(
        Problems.RateLimited("Too many exports are running. Wait until one of them has ended.", RetrySeconds));

    /// <summary>Null when too many run. To be disposed when the export is over.</summary>
    public IDisposable? TryTake(Guid project)
    {
        lock (_lock)
        {
            var running = _running.GetValueOrDefault(project);
            if (running == OfProject || _all == OfAll)
                return null;
            _running[project] = running + 1;
            _all++;
        }
        return new Slot(this, project);
    }

    void GiveBack(Guid project)
    {
        lock (_lock)
        {
            _all--;
            if (_running[project] == 1)
                _running.Remove(project);
            else
                _running[project]--;
        }
    }

    sealed class Slot(ExportSlots slots, Guid project) : IDisposable
    {
        bool _isGivenBack;

        public void Dispose()
        {
            if (!_isGivenBack)
                slots.GiveBack(project);
            _isGivenBack = true;
        }
    }
}
