using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/customers/{id}/balances</c> <c>{type, amount, op: credit|debit, reason?, kind?: grant|promotion, expiresAt?}</c>: adds call
/// credits or takes them. The first credit of a type opens the customer's balance of it. The answer is that of <c>GET</c>. A debit takes
/// all of its amount, or is refused with 402 <c>not_enough_queries</c>.
/// </summary>
public static class AdjustBalance
{
    const int MaxReason = 500;

    public sealed record Request(
        string Type, long Amount, string Op, string? Reason = null, string? Kind = null, DateTimeOffset? ExpiresAt = null);

    public static void MapAdjustBalance(this WebApplication app) =>
        app.MapPost("/v1/customers/{id}/balances", HandleAsync).WithIdempotency();

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, SessionsDb db, WalletClient wallet, HotCopies copies, CancellationToken token)
    {
        var caller = http.Backend();
        var request = await Body.ReadAsync<Request>(http);
        MustBeRight(request);
        if (await CustomerView.FindAsync(db, caller, id, token) is not { } customer)
            return CustomerView.NotFound;
        if (customer.Status == CustomerStatus.Deleted)
            return CustomerView.Deleted;

        var isDebit = request.Op == "debit";
        var types = await CreditTypes.OfAsync(db, customer.Id, token);
        var balance = CreditTypes.Balance(customer, customer.Project, request.Type);
        if (!types.Contains(request.Type))
        {
            if (isDebit)
                return await NotEnoughAsync(0);
            if (types.Count >= CallCredits.MaxTypes)
                return TooManyTypes;
            await wallet.OpenAsync([balance], token);
            Failpoint.Hit("sessions.credits.opened");
            db.Add(new CustomerCredits { CustomerId = customer.Id, QueryType = request.Type });
        }
        if (!isDebit && await TellAsync(customer, db, copies) is { } refusal)
            return refusal;
        var adjusted = await wallet.AdjustCreditsAsync(
            new(
                Idempotency.EffectId(http, caller, $"/v1/customers/{Ids.Show(Ids.Customer, customer.Id)}/balances"), balance, isDebit,
                request.Amount, caller.Actor(), request.Reason, request.Kind,
                request.ExpiresAt is { } end ? DateTimeOffset.FromUnixTimeMilliseconds(end.ToUnixTimeMilliseconds()) : null),
            token);
        return adjusted.Outcome switch
        {
            CreditsOutcome.NotEnough => await NotEnoughAsync(adjusted.Available),
            CreditsOutcome.IdUsed => Problems.IdempotencyReused,
            CreditsOutcome.Expired => Problems.Invalid("expiresAt", "'expiresAt' must be in the future."),
            CreditsOutcome.TooManyLots => Problems.Conflict(
                "too_many_lots", "The balance has as many lots as it may have: spend or let expire some first.", "expiresAt"),
            _ => await CreditTypes.ShowAsync(db, wallet, customer.Id, token),
        };

        async Task<Problem> NotEnoughAsync(long available)
        {
            var left = await wallet.CreditsLeftAsync([.. types.Select(type => CallCredits.BalanceOf(customer.Id, type))], token);
            return Problems.NotEnoughCredits(
                $"'amount' is {request.Amount}, and the customer has {available} call credits of the type '{request.Type}' available.",
                CreditState.Of(
                    request.Type,
                    types.Select(type => new CreditBalance(type, left.GetValueOrDefault(CallCredits.BalanceOf(customer.Id, type)))))) with
            {
                Param = "amount",
            };
        }
    }

    /// <summary>
    /// Also when nothing is different: the call that changed it may have ended before it told anybody. Refused when calls that ran at the
    /// same time have deleted the customer or added as many types as there may be. Then nothing is written, and the balance that is open
    /// stays empty.
    /// </summary>
    static async Task<Problem?> TellAsync(Customer customer, SessionsDb db, HotCopies copies)
    {
        await using (copies.CustomerChanging(customer.Id, db))
        await using (var transaction = await db.Database.BeginTransactionAsync())
        {
            await db.LockAsync(customer, CancellationToken.None);
            if (customer.Status == CustomerStatus.Deleted)
                return CustomerView.Deleted;
            var types = await CreditTypes.OfAsync(db, customer.Id, CancellationToken.None);
            foreach (var added in db.ChangeTracker.Entries<CustomerCredits>().ToList())
                if (types.Contains(added.Entity.QueryType))
                    added.State = EntityState.Detached;
                else if (types.Count >= CallCredits.MaxTypes)
                    return TooManyTypes;
            await db.SaveChangesAsync(CancellationToken.None);
            await transaction.CommitAsync(CancellationToken.None);
        }
        Failpoint.Hit("sessions.credits.known");
        return null;
    }

    static Problem TooManyTypes =>
        Problems.Conflict("too_many_types", $"A customer may have {CallCredits.MaxTypes} types of call credits.", "type");

    /// <summary>Throws a 400 that names the field.</summary>
    public static void MustBeRight(Request request)
    {
        if (CreditTypes.Error(request.Type) is { } reason)
            throw Fields.Invalid("type", reason);
        if (request.Amount is <= 0 or > CallCredits.MaxAmount)
            throw Fields.Invalid("amount", $"must be from 1 to {CallCredits.MaxAmount}");
        if (request.Op is not ("credit" or "debit"))
            throw Fields.Invalid("op", "must be credit or debit");
        if (request.Reason is { Length: > MaxReason })
            throw Fields.Invalid("reason", $"may have at most {MaxReason} characters");
        if (request.Op == "debit" && (request.Kind is not null || request.ExpiresAt is not null))
            throw Fields.Invalid(request.Kind is null ? "expiresAt" : "kind", "is for credits only");
        if (request.Kind is not (null or "grant" or "promotion"))
            throw Fields.Invalid("kind", "must be grant or promotion");
    }
}
