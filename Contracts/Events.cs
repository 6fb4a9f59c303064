namespace LlmGateway.Contracts;

/// <summary>A project has a customer that it did not have.</summary>
public sealed record CustomerCreated(Guid Customer, string ExternalId, Guid Organization, Guid Project, bool Test, DateTimeOffset At);

/// <summary>A customer got a long-lived key.</summary>
public sealed record KeyCreated(Guid Key, Guid Customer, Guid Organization, Guid Project, bool Test, DateTimeOffset At);

/// <summary>A customer's key will not be accepted any more.</summary>
public sealed record KeyRevoked(Guid Key, Guid Customer, Guid Organization, Guid Project, bool Test, DateTimeOffset At);
