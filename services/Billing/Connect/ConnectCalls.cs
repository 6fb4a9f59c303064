using System.Text.Json;
using LlmGateway.Contracts;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>What we ask of Stripe about accounts and transfers. Keys and errors as in <see cref="StripeCalls"/>.</summary>
public sealed class ConnectCalls(ILogger<ConnectCalls> log)
{
    /// <summary>Members of our objects' metadata. Whoever reads an object finds our row by them.</summary>
    public const string AccountKey = "llmgateway_account", PayoutKey = "llmgateway_payout";

    /// <summary>
    /// An account that gets transfers and nothing else. In another country than ours it needs the terms of a recipient: with the full ones
    /// it could be opened and never be paid.
    /// </summary>
    public async Task<Account> CreateAccountAsync(StripeMode mode, ConnectAccount row, CancellationToken token)
    {
        var options = new AccountCreateOptions
        {
            Country = row.Country,
            Controller = new()
            {
                Fees = new() { Payer = "application" },
                Losses = new() { Payments = "application" },
                StripeDashboard = new() { Type = "express" },
            },
            Capabilities = new() { Transfers = new() { Requested = true } },
            Metadata = new()
            {
                [AccountKey] = Ids.Show(Ids.ConnectAccount, row.Id), ["llmgateway_project"] = row.Project.ToString("N"),
            },
        };
        if (row.Country is { } country && country != await OwnCountryAsync(mode, token))
            options.TosAcceptance = new() { ServiceAgreement = "recipient" };
        return await StripeErrors.CallAsync(
            () => mode.Client.V1.Accounts.CreateAsync(options, StripeCalls.Keyed("account", row.Id), token), log);
    }

    public Task<Account> AccountAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(() => mode.Client.V1.Accounts.GetAsync(id, cancellationToken: token), log);

    /// <summary>The account that names the row, of the newest hundred since it was made; null when there is none.</summary>
    public async Task<Account?> FindAccountAsync(StripeMode mode, ConnectAccount row, CancellationToken token)
    {
        var options = new AccountListOptions
        {
            Limit = StripeCalls.PageSize, Created = new DateRangeOptions { GreaterThanOrEqual = row.CreatedAt.UtcDateTime.AddMinutes(-5) },
        };
        var found = await StripeErrors.CallAsync(() => mode.Client.V1.Accounts.ListAsync(options, cancellationToken: token), log);
        return found.Data.FirstOrDefault(one => StripeCalls.Says(one.Metadata, AccountKey, Ids.Show(Ids.ConnectAccount, row.Id)));
    }

    /// <summary>Each is opened once and lives for minutes, so each call is one of its own.</summary>
    public Task<AccountLink> LinkAsync(StripeMode mode, string account, string refreshUrl, string returnUrl, CancellationToken token)
    {
        var options = new AccountLinkCreateOptions
        {
            Account = account, Type = "account_onboarding", RefreshUrl = refreshUrl, ReturnUrl = returnUrl,
        };
        return StripeErrors.CallAsync(
            () => mode.Client.V1.AccountLinks.CreateAsync(options, StripeCalls.Keyed("link", Ids.New()), token), log);
    }

    public Task<Transfer> CreateTransferAsync(StripeMode mode, Payout payout, CancellationToken token)
    {
        var options = new TransferCreateOptions
        {
            Amount = payout.Cents,
            Currency = StripeCalls.Currency,
            Destination = payout.Destination,
            Description = "Payout",
            TransferGroup = Ids.Show(Ids.Payout, payout.Id),
            Metadata = new()
            {
                [PayoutKey] = Ids.Show(Ids.Payout, payout.Id), ["llmgateway_project"] = payout.Project.ToString("N"),
            },
        };
        return StripeErrors.CallAsync(
            () => mode.Client.V1.Transfers.CreateAsync(options, StripeCalls.Keyed("payout", payout.Id), token), log);
    }

    public Task<Transfer> TransferAsync(StripeMode mode, string id, CancellationToken token) =>
        StripeErrors.CallAsync(() => mode.Client.V1.Transfers.GetAsync(id, cancellationToken: token), log);

    /// <summary>The transfer of a payout; null when Stripe has none.</summary>
    public async Task<Transfer?> FindTransferAsync(StripeMode mode, Payout payout, CancellationToken token)
    {
        var options = new TransferListOptions { TransferGroup = Ids.Show(Ids.Payout, payout.Id), Limit = StripeCalls.PageSize };
        var found = await StripeErrors.CallAsync(() => mode.Client.V1.Transfers.ListAsync(options, cancellationToken: token), log);
        return found.Data.FirstOrDefault(one => StripeCalls.Says(one.Metadata, PayoutKey, Ids.Show(Ids.Payout, payout.Id)));
    }

    /// <summary>The newest hundred.</summary>
    public async Task<IReadOnlyList<TransferReversal>> ReversalsAsync(StripeMode mode, string transfer, CancellationToken token) =>
        (await StripeErrors.CallAsync(
            () => mode.Client.V1.Transfers.Reversals.ListAsync(
                transfer, new() { Limit = StripeCalls.PageSize }, cancellationToken: token),
            log)).Data;

    async Task<string?> OwnCountryAsync(StripeMode mode, CancellationToken token)
    {
        var own = await StripeErrors.CallAsync(
            () => mode.Client.RawRequestAsync(HttpMethod.Get, "/v1/account", cancellationToken: token), log);
        using var json = JsonDocument.Parse(own.Content);
        return json.RootElement.TryGetProperty("country", out var country) ? country.GetString() : null;
    }
}
