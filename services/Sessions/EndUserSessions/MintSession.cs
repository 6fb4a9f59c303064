using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/sessions</c>: a backend gets a short-lived token for one end user. What the session is made of: <see cref="SessionMint"/>.
/// </summary>
public static class MintSession
{
    public const int MinTtlSeconds = 60, MaxTtlSeconds = 3600, DefaultTtlSeconds = 900;

    /// <param name="Customer">The external id, or an object with it.</param>
    public sealed record Request(JsonElement Customer, Scope? Scope = null, int? TtlSeconds = null);

    public sealed record Scope(IReadOnlyList<string>? Models = null, Money? MaxSpend = null);

    /// <summary>A request that has been checked.</summary>
    public sealed record Terms(string ExternalId, string? Email, string? Name, List<string>? Models, Money? Cap, int TtlSeconds);

    public static void MapMintSession(this WebApplication app) => app.MapPost("/v1/sessions", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(HttpContext http, SessionsDb db, SessionMint sessions, CancellationToken token)
    {
        var caller = http.Backend();
        var terms = Read(await Body.ReadAsync<Request>(http));
        var project = await db.Projects.AsNoTracking().SingleAsync(p => p.Id == caller.Project, token);
        return await sessions.MintAsync(project, caller.Test, terms, claim: null, token);
    }

    /// <summary>The rules of the request; throws a 400 that names the field.</summary>
    public static Terms Read(Request request)
    {
        var (externalId, email, name) = ReadCustomer(request.Customer);
        if (request.TtlSeconds is < MinTtlSeconds or > MaxTtlSeconds)
            throw Fields.Invalid("ttlSeconds", $"must be from {MinTtlSeconds} to {MaxTtlSeconds}");
        if (request.Scope?.MaxSpend is { Nanos: <= 0 })
            throw Fields.Invalid("scope.maxSpend", "must be above 0");
        var models = Fields.Models(request.Scope?.Models, "scope.models");
        return new(externalId, email, name, models, request.Scope?.MaxSpend, request.TtlSeconds ?? DefaultTtlSeconds);
    }

    static (string ExternalId, string? Email, string? Name) ReadCustomer(JsonElement customer)
    {
        if (customer.ValueKind != JsonValueKind.Object)
            return (Fields.Text(customer, "customer") ?? throw new ProblemException(Problems.Missing("customer")), null, null);
        foreach (var member in customer.EnumerateObject())
            if (member.Name is not ("externalId" or "email" or "name"))
                throw Fields.Invalid($"customer.{member.Name}", "is not a member that this call has");
        return (
            Fields.Text(Member(customer, "externalId"), "customer.externalId")
                ?? throw new ProblemException(Problems.Missing("customer.externalId")),
            Fields.Email(Member(customer, "email"), "customer.email"),
            Fields.Text(Member(customer, "name"), "customer.name"));
    }

    static JsonElement? Member(JsonElement json, string name) => json.TryGetProperty(name, out var value) ? value : null;
}
