using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/sessions</c>: a backend gets a short-lived token for one end user, who is created on first sight, with a wallet. A customer
/// that was made without one stays without, and its keys uncharged: <c>walletId</c> is null. Wallet opens a new wallet before the session
/// exists, so that no unusable session is left when Wallet is down. It is not asked for anything else: a spend cap is opened by the first
/// claim on it.
/// </summary>
public static class MintSession
{
    public const int MinTtlSeconds = 60, MaxTtlSeconds = 3600, DefaultTtlSeconds = 900;

    /// <summary>
    /// One try, and others after lost races: for a new customer, which can be lost only once, and with a call that changes its status.
    /// </summary>
    const int MaxAttempts = 3;

    /// <param name="Customer">The external id, or an object with it.</param>
    public sealed record Request(JsonElement Customer, Scope? Scope = null, int? TtlSeconds = null);

    public sealed record Scope(IReadOnlyList<string>? Models = null, Money? MaxSpend = null);

    /// <summary>A request that has been checked.</summary>
    public sealed record Terms(string ExternalId, string? Email, string? Name, List<string>? Models, Money? Cap, int TtlSeconds);

    public static void MapMintSession(this WebApplication app) => app.MapPost("/v1/sessions", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        HttpContext http, SessionsDb db, WalletClient wallet, SessionTokens tokens, OutboxSignal outbox, TimeProvider time,
        CancellationToken token)
    {
        var caller = http.Backend();
        var terms = Read(await Body.ReadAsync<Request>(http));
        var project = await db.Projects.AsNoTracking().SingleAsync(p => p.Id == caller.Project, token);
        if (!project.Active)
            return Problems.ProjectInactive;
        if (!project.EndUserSessions)
            return Problems.SessionsDisabled;

        var family = Ids.New();
        for (var attempt = 1; ; attempt++)
        {
            var now = time.GetUtcNow();
            var known = await CustomerCreation.FindAsync(db, project.Id, caller.Test, terms.ExternalId, token);
            if (known is not null && CredentialStatuses.ProblemOf(known.Status) is { } refusal)
                return refusal;
            var customer = known ?? CustomerCreation.Add(db, project, caller.Test, terms.ExternalId, now);
            customer.Email = terms.Email ?? customer.Email;
            customer.Name = terms.Name ?? customer.Name;

            Failpoint.Hit("sessions.mint.checked");
            if (known is null)
            {
                await wallet.OpenAsync([CustomerCreation.Wallet(customer.Id, project, caller.Test)], token);
                customer.WalletId = Ids.WalletOf(customer.Id);
            }
            Failpoint.Hit("sessions.mint.opened");

            db.Add(new SessionFamily
            {
                Id = family,
                CustomerId = customer.Id,
                Models = terms.Models,
                TtlSeconds = terms.TtlSeconds,
                CapNanos = terms.Cap?.Nanos,
                CreatedAt = now,
                RefreshesSince = now,
            });
            var (session, secret) = tokens.New(family, caller.Test, now, terms.TtlSeconds);
            db.Add(session);
            try
            {
                await db.SaveChangesAsync(CancellationToken.None);
            }
            catch (DbUpdateException e) when (attempt < MaxAttempts && (SessionsDb.IsDuplicate(e) || e is DbUpdateConcurrencyException))
            {
                db.ChangeTracker.Clear();
                continue;
            }
            Failpoint.Hit("sessions.mint.saved");
            outbox.Raise();
            return Created(project, customer, session, secret);
        }
    }

    static IResult Created(Project project, Customer customer, Session session, string secret) => Results.Json(new
    {
        sessionId = Ids.Show(Ids.Session, session.Id),
        sessionToken = secret,
        publishableKey = project.PublishableKey,
        walletId = customer.WalletId is { } wallet ? Ids.Show(Ids.Wallet, wallet) : null,
        endCustomerId = Ids.Show(Ids.Customer, customer.Id),
        expiresAt = session.ExpiresAt,
    }, Defaults.Json, statusCode: 201);

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
