namespace LlmGateway.Contracts;

/// <summary>A project has a new customer.</summary>
public sealed record CustomerCreated(Guid Customer, string ExternalId, Guid Organization, Guid Project, bool Test, DateTimeOffset At);

/// <summary>A customer was deleted: what others know of the person is to be forgotten. Told again when the deletion is repeated.</summary>
public sealed record CustomerDeleted(Guid Customer, Guid Wallet, DateTimeOffset At);

/// <summary>A customer got a long-lived key.</summary>
public sealed record KeyCreated(Guid Key, Guid Customer, Guid Organization, Guid Project, bool Test, DateTimeOffset At);

/// <summary>A customer's key is no longer accepted.</summary>
public sealed record KeyRevoked(Guid Key, Guid Customer, Guid Organization, Guid Project, bool Test, DateTimeOffset At);

/// <summary>A credential has changed something that is not Sessions': it stands in the audit. An entry has the message's id.</summary>
/// <param name="Customer">Whose it is, if it is one's. What entries say of a customer is erased with it.</param>
/// <param name="Actor">The credential's or the member's id as it is shown, or the name of a service.</param>
/// <param name="Before">A JSON object as text: the members that differ, as callers see them. Null: there was nothing.</param>
/// <param name="After">Null: nothing is left.</param>
public sealed record Changed(
    Guid Id, Guid Project, bool Test, Guid? Customer, string Actor, string Action, string Subject, string? Before, string? After,
    string? RequestId, DateTimeOffset At);
