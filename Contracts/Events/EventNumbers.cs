namespace LlmGateway.Contracts;

/// <summary>
/// <c>GET /internal/event-numbers?after=</c>: how many events were decided for each subject, in the order of subjects, at most
/// <see cref="MaxAtOnce"/> behind <c>after</c>.
/// </summary>
public sealed record EventNumbers(IReadOnlyList<EventNumber> Subjects)
{
    public const int MaxAtOnce = 1_000;
}

/// <param name="Last">The number of its latest event.</param>
public sealed record EventNumber(Guid Subject, long Last);
