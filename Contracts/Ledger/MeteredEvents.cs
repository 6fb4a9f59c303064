namespace LlmGateway.Contracts;

/// <summary>
/// Something that a backend has counted itself, told by <c>POST /v1/meter</c>. It counts once, for ever: the ledger keeps its id, and books
/// what it costs under one request's id, however often it is told.
/// </summary>
public static class MeteredEvent
{
    /// <summary>What usage records name as its endpoint.</summary>
    public const string Endpoint = "/v1/meter";

    /// <summary>Events of one call.</summary>
    public const int MaxAtOnce = 500;
}

/// <summary><c>POST /internal/metered-events</c>: under which requests these events are booked, or were. Each id once.</summary>
public sealed record EventClaims(Guid Project, bool Test, IReadOnlyList<EventClaim> Events);

/// <param name="InputHash">Of all that was told of it besides its id.</param>
/// <param name="Request">The id of its request if it is new.</param>
public sealed record EventClaim(string Event, byte[] InputHash, Guid Request);

/// <summary>The answer, in the order of the question.</summary>
public sealed record ClaimedEvents(IReadOnlyList<ClaimedEvent> Events);

/// <param name="Request">Of this event for ever, or as long as its month is open and it is not booked.</param>
/// <param name="IsBooked">It has been charged.</param>
/// <param name="IsSame">What was told of it at first is what is told now.</param>
public sealed record ClaimedEvent(Guid Request, bool IsBooked, bool IsSame);

/// <summary>
/// <c>POST /internal/customers/credentials</c>: customers as callers, whose usage is told by their backend. The answer has a member for
/// each that exists.
/// </summary>
/// <param name="Customers">Each by its id or its external id.</param>
public sealed record CustomersQuestion(Guid Project, bool Test, IReadOnlyList<string> Customers);
