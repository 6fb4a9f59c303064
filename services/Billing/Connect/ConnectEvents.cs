using LlmGateway.Contracts;
using Npgsql;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>
/// What an event of a connected account, or of a transfer, makes us do: look. Such an account's events have a version of their own, and
/// may be of an account of somebody else on the same platform: whose it is says our row.
/// </summary>
public sealed class ConnectEvents(
    NpgsqlDataSource database, StripeModes modes, ConnectAccounts accounts, ConnectCalls stripe, Payouts payouts)
{
    /// <summary>Its owner has let go of us.</summary>
    const string CutOff = "account.application.deauthorized";

    /// <summary>Families after which an account may be another: a bank that sends a payout back may end its account's payouts.</summary>
    static readonly string[] OfAccounts = ["account.", "capability.", "payout.", "person."];

    public static bool Concerns(StripeEvent told) => told.Account is not null || IsTransfer(told);

    static bool IsTransfer(StripeEvent told) => told.Type.StartsWith("transfer.", StringComparison.Ordinal);

    public async Task<Handled> HandleAsync(StripeEvent told, CancellationToken token) =>
        told.Account is { } account ? await LookAtAccountAsync(told, account, token) : await LookAtTransferAsync(told, token);

    async Task<Handled> LookAtAccountAsync(StripeEvent told, string id, CancellationToken token)
    {
        if (!Array.Exists(OfAccounts, family => told.Type.StartsWith(family, StringComparison.Ordinal)))
            return new("nothing follows from this type of a connected account");
        if (await database.ConnectAccountOfAsync(id, token) is not { } account)
            return new("it is of no account of ours");
        var fresh = await accounts.FreshAsync(ModeOf(account.Test, account.Livemode, told), account, token);
        if (fresh is null && told.Type == CutOff)
            await accounts.ForgetAsync(account, token);
        return Handled.Done;
    }

    async Task<Handled> LookAtTransferAsync(StripeEvent told, CancellationToken token)
    {
        if (told.About is not { } id)
            return new("it is of no transfer");
        var mode = modes.OfLivemode(told.Livemode) ?? throw new NotYetException("this mode is not set up");
        var transfer = await ReadAsync(mode, id, token);
        if (transfer.Metadata is null || !transfer.Metadata.TryGetValue(ConnectCalls.PayoutKey, out var name))
            return new("it is of no payout of ours");
        // Our row is there before the transfer, so this is another deployment's on the same account.
        if (!Ids.TryParse(Ids.Payout, name, out var named) || await database.PayoutAsync(named, token) is not { } payout)
            return new("it is of no payout of ours");
        await payouts.TakeAsync(ModeOf(payout.Test, payout.Livemode, told), payout, transfer, token);
        return Handled.Done;
    }

    async Task<Transfer> ReadAsync(StripeMode mode, string id, CancellationToken token)
    {
        try
        {
            return await stripe.TransferAsync(mode, id, token);
        }
        catch (StripeRefusalException e) when (e.Code == StripeRefusalException.NoSuchObject)
        {
            throw new NotYetException("Stripe does not know its transfer");
        }
    }

    StripeMode ModeOf(bool test, bool livemode, StripeEvent told) =>
        livemode == told.Livemode && modes.Of(test, livemode) is { } mode
            ? mode
            : throw new NotOursException("our row is of the other mode");
}
