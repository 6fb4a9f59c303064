namespace LlmGateway.Contracts;

/// <summary>A project has a new customer.</summary>
public sealed record CustomerCreated(Guid Customer, string ExternalId, Guid Organization, Guid Project, bool Test, DateTimeOffset At);

/// <summary>A customer was deleted: what others know of the person is to be forgotten. Told again when the deletion is repeated.</summary>
public sealed record CustomerDeleted(Guid Customer, Guid Wallet, DateTimeOffset At);

/// <summary>A customer got a long-lived key.</summary>
public sealed record KeyCreated(Guid Key, Guid Customer, Guid Organization, Guid Project, bool Test, DateTimeOffset At);

/// <summary>A customer's key is no longer accepted.</summary>
public sealed record KeyRevoked(Guid Key, Guid Customer, Guid Organization, Guid Project, bool Test, DateTimeOffset At);
