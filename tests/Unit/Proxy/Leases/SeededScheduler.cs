namespace LlmGateway.UnitTests.Proxy;

/// <summary>Runs tasks on the caller's thread, one at a time, in an order that the seed decides.</summary>
sealed class SeededScheduler(Random dice) : TaskScheduler
{
    readonly List<Task> _ready = [];
    int _step;

    /// <summary>Runs an action as a task of this scheduler, so that everything it starts comes here, too.</summary>
    public void Do(Action action)
    {
        var step = new Task(action);
        _step = step.Id;
        step.RunSynchronously(this);
        step.GetAwaiter().GetResult();
    }

    /// <summary>False when nothing is ready.</summary>
    public bool RunOne()
    {
        if (_ready.Count == 0)
            return false;
        var chosen = dice.Next(_ready.Count);
        var task = _ready[chosen];
        _ready.RemoveAt(chosen);
        return TryExecuteTask(task);
    }

    public void RunAll()
    {
        while (RunOne())
        {
            // Each may make others ready.
        }
    }

    protected override void QueueTask(Task task) => _ready.Add(task);

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
        task.Id == _step && TryExecuteTask(task);

    protected override IEnumerable<Task> GetScheduledTasks() => _ready;
}
