using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Npgsql;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>What a wallet is topped up with. Of a bank account Stripe shows no brand.</summary>
/// <param name="Holder">Stripe's customer.</param>
/// <param name="Method">Stripe's PaymentMethod.</param>
public sealed record SavedCard(
    string Holder, string Method, string? Brand, string? Last4, int? ExpMonth, int? ExpYear, string? Fingerprint)
{
    public CardView Shown => new(Brand, Last4, ExpMonth, ExpYear);
}

/// <summary>A saved card as its owner and its backend see it.</summary>
public sealed record CardView(string? Brand, string? Last4, int? ExpMonth, int? ExpYear);

/// <summary>
/// Cards that wallets are topped up with. Our row is there before Stripe's customer and its SetupIntent, each with a key of its own for
/// life. A card is taken over as Stripe says it, never from an event.
/// </summary>
public sealed class SavedCards(NpgsqlDataSource database, StripeCalls stripe)
{
    /// <summary>Others may change the wallet's setup meanwhile, and Stripe may have forgotten it.</summary>
    const int MaxAttempts = 4;

    /// <summary>Of one wallet: each setup stays as a row, and each that is done lets its owner begin the next one.</summary>
    const int MaxAnHour = 20;

    /// <summary>In SQL: how many there were of the wallet <c>$1</c> in the mode <c>$2</c> in an hour.</summary>
    const string Recent =
        "(select count(*) from card_setup where wallet = $1 and livemode = $2 and created_at > now() - interval '1 hour')";

    static readonly Problem TooManySetups = Problems.LimitReached(
        "This customer has begun to save a card too often in an hour.",
        new("customer", "card_setups", null, $"{MaxAnHour}", "1", null) { Id = "card_setups_per_hour" }, retryAfter: 600);

    sealed record Holder(Guid Id, string? Customer);

    sealed record Setup(Guid Id, string? Intent);

    /// <summary>The SetupIntent with which the owner's page saves a card: the open one, or a new one.</summary>
    public async Task<SetupIntent> BeginAsync(StripeMode mode, WalletOwner owner, CancellationToken token)
    {
        for (var i = 0; i < MaxAttempts; i++)
        {
            var holder = await HolderAsync(mode, owner, token);
            var setup = await OpenSetupAsync(owner.Wallet, mode.Livemode, token);
            try
            {
                var intent = setup.Intent is { } known
                    ? await stripe.SetupAsync(mode, known, token)
                    : await stripe.CreateSetupAsync(mode, setup.Id, holder, owner.Wallet, token);
                Failpoint.Hit("billing.setup.created");
                if (await TakeAsync(setup.Id, mode, intent, token) == "open")
                    return intent;
            }
            catch (StripeRefusalException e) when (e.Code == StripeRefusalException.NoSuchObject)
            {
                await ForgetAsync(owner.Wallet, mode.Livemode, token);
            }
        }
        throw new ProblemException(Problems.Unavailable);
    }

    /// <summary>Looks at the setup that is open, for who cannot wait for its event.</summary>
    public Task LookAsync(StripeMode mode, Guid wallet, CancellationToken token) =>
        TakeOpenAsync(mode, wallet, known => stripe.SetupAsync(mode, known, token), token);

    /// <summary>Ends the setup that is open: nobody tries further cards on its secret.</summary>
    public Task CancelAsync(StripeMode mode, Guid wallet, CancellationToken token) =>
        TakeOpenAsync(mode, wallet, known => CancelAsync(mode, known, token), token);

    async Task<SetupIntent> CancelAsync(StripeMode mode, string known, CancellationToken token)
    {
        try
        {
            return await stripe.CancelSetupAsync(mode, known, token);
        }
        catch (StripeRefusalException e) when (e.Code == StripeRefusalException.UnexpectedSetup)
        {
            return await stripe.SetupAsync(mode, known, token);
        }
    }

    async Task TakeOpenAsync(StripeMode mode, Guid wallet, Func<string, Task<SetupIntent>> ask, CancellationToken token)
    {
        await using var query = database.Sql(
            "select id, intent from card_setup where wallet = $1 and livemode = $2 and status = 'open'", wallet, mode.Livemode);
        if (await OneSetupAsync(query, token) is not { Intent: { } known } setup)
            return;
        try
        {
            await TakeAsync(setup.Id, mode, await ask(known), token);
        }
        catch (StripeRefusalException e) when (e.Code == StripeRefusalException.NoSuchObject)
        {
            await ForgetAsync(wallet, mode.Livemode, token);
        }
    }

    /// <summary>What an event makes us look at.</summary>
    /// <returns>Whose wallet it is for. Null: it is of no setup of ours.</returns>
    public async Task<Guid?> TakeAsync(StripeMode mode, string intent, CancellationToken token)
    {
        var said = await stripe.SetupAsync(mode, intent, token);
        if (said.Metadata?.GetValueOrDefault(StripeCalls.SetupKey) is not { } name || !Guid.TryParseExact(name, "N", out var id))
            return null;
        await using var query = database.Sql("select wallet from card_setup where id = $1", id);
        // Our row is there before the intent, so without one this is another deployment's on the same account.
        if (await query.ExecuteScalarAsync(token) is not Guid wallet)
            return null;
        await TakeAsync(id, mode, said, token);
        return wallet;
    }

    /// <summary>The card that was saved last; null when there is none.</summary>
    public async Task<SavedCard?> CardAsync(Guid wallet, bool livemode, CancellationToken token)
    {
        await using var query = database.Sql("""
            select customer, method, brand, last4, exp_month, exp_year, fingerprint from card_holder
            where wallet = $1 and livemode = $2 and customer is not null and method is not null
            """, wallet, livemode);
        await using var row = await query.ExecuteReaderAsync(token);
        return await row.ReadAsync(token)
            ? new(row.GetString(0), row.GetString(1), Text(2), Text(3), Number(4), Number(5), Text(6))
            : null;

        string? Text(int column) => row.IsDBNull(column) ? null : row.GetString(column);
        int? Number(int column) => row.IsDBNull(column) ? null : row.GetInt32(column);
    }

    /// <summary>
    /// Nobody can charge the card any more, nor one that it has replaced, and nothing is known of it here but which setup has saved it:
    /// what is told of that later saves it no more. The setup that is open ends first, or a page could save the next card meanwhile.
    /// Repeatable. Nor has the audit anything of the card but that there was one.
    /// </summary>
    public async Task RemoveAsync(StripeMode mode, WalletOwner owner, HttpContext http, CancellationToken token)
    {
        await CancelAsync(mode, owner.Wallet, token);
        if (await StripeCustomerAsync(owner.Wallet, mode.Livemode, token) is not { } holder)
            return;
        var card = await CardAsync(owner.Wallet, mode.Livemode, token);
        var attached = await stripe.MethodsAsync(mode, holder, token);
        string[] gone = card is null ? [.. attached] : [.. attached.Append(card.Method).Distinct()];
        foreach (var method in gone)
            await stripe.DetachAsync(mode, method, token);
        var thing = owner.Thing("payment_method", "payment-method");
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        var forgotten = await connection.ChangeAsync("""
            update card_holder set method = null, brand = null, last4 = null, exp_month = null, exp_year = null, fingerprint = null
            where wallet = $1 and livemode = $2 and method = any($3)
            """, token, owner.Wallet, mode.Livemode, gone);
        if (forgotten == 1)
            await connection.AuditAsync(
                http,
                new($"{thing.Kind}.deleted", thing.Subject, new { Card = AuditedChange.Hidden }, null) { Customer = thing.Customer },
                token);
        await transaction.CommitAsync(CancellationToken.None);
    }

    async Task<string?> StripeCustomerAsync(Guid wallet, bool livemode, CancellationToken token)
    {
        await using var query = database.Sql("select customer from card_holder where wallet = $1 and livemode = $2", wallet, livemode);
        return await query.ExecuteScalarAsync(token) as string;
    }

    /// <summary>
    /// Stripe's customer. An answer that did not come is asked for again under its key, and after a while under another one: Stripe keeps
    /// errors for a day. A customer that nobody knows of costs nothing.
    /// </summary>
    async Task<string> HolderAsync(StripeMode mode, WalletOwner owner, CancellationToken token)
    {
        await using var insert = database.Sql("""
            insert into card_holder as h (wallet, livemode, id) values ($1, $2, $3)
            on conflict (wallet, livemode) do update set
                id = case when h.customer is null and h.keyed_at < now() - $4 then excluded.id else h.id end,
                keyed_at = case when h.customer is null and h.keyed_at < now() - $4 then now() else h.keyed_at end
            returning id, customer
            """, owner.Wallet, mode.Livemode, Ids.New(), StripeHttp.CallTimeout);
        Holder holder;
        await using (var row = await insert.ExecuteReaderAsync(token))
        {
            await row.ReadAsync(token);
            holder = new(row.GetGuid(0), row.IsDBNull(1) ? null : row.GetString(1));
        }
        if (holder.Customer is { } known)
            return known;
        Failpoint.Hit("billing.holder.added");
        var made = await stripe.CreateCustomerAsync(mode, holder.Id, owner, token);
        Failpoint.Hit("billing.holder.created");
        await using var note = database.Sql("update card_holder set customer = $2 where id = $1 and customer is null", holder.Id, made.Id);
        await note.ExecuteNonQueryAsync(token);
        return made.Id;
    }

    async Task<Setup> OpenSetupAsync(Guid wallet, bool livemode, CancellationToken token)
    {
        await using (var end = database.Sql("""
            update card_setup set status = 'canceled'
            where wallet = $1 and livemode = $2 and status = 'new' and created_at < now() - $3
            """, wallet, livemode, StripeHttp.CallTimeout))
            await end.ExecuteNonQueryAsync(token);
        await using (var add = database.Sql($"""
            insert into card_setup (wallet, livemode, id) select $1, $2, $4 where {Recent} < $3
            on conflict (wallet, livemode) where status in ('new', 'open') do nothing
            """, wallet, livemode, MaxAnHour, Ids.New()))
            await add.ExecuteNonQueryAsync(token);
        await using var query = database.Sql(
            "select id, intent from card_setup where wallet = $1 and livemode = $2 and status in ('new', 'open')", wallet, livemode);
        return await OneSetupAsync(query, token)
            ?? throw new ProblemException(await AreManyAsync(wallet, livemode, token) ? TooManySetups : Problems.Unavailable);
    }

    async Task<bool> AreManyAsync(Guid wallet, bool livemode, CancellationToken token)
    {
        await using var query = database.Sql($"select {Recent} >= $3", wallet, livemode, MaxAnHour);
        return await query.ExecuteScalarAsync(token) is true;
    }

    static async Task<Setup?> OneSetupAsync(NpgsqlCommand query, CancellationToken token)
    {
        await using var row = await query.ExecuteReaderAsync(token);
        return await row.ReadAsync(token) ? new(row.GetGuid(0), row.IsDBNull(1) ? null : row.GetString(1)) : null;
    }

    /// <summary>
    /// What Stripe says of a setup. The card of a later setup stays, whatever comes of an earlier one. A new card ends a pause: its owner
    /// has done what there was to do. What the card before has met is forgotten, also where nothing is charged by itself now.
    /// </summary>
    /// <returns>The setup's status.</returns>
    async Task<string> TakeAsync(Guid id, StripeMode mode, SetupIntent said, CancellationToken token)
    {
        if (await IsErasedAsync(id, token))
        {
            if (said.PaymentMethod is { CustomerId: not null } saved)
                await stripe.DetachAsync(mode, saved.Id, token);
            return "canceled";
        }
        await using var connection = await database.OpenConnectionAsync(token);
        await using var transaction = await connection.BeginTransactionAsync(token);
        await connection.RunAsync(Database.FreeWhenIdle, token);
        var wallet = await RequireSameAsync(connection, id, mode, said, token);
        var status = said.Status switch { "succeeded" => "succeeded", "canceled" => "canceled", _ => "open" };
        await connection.ChangeAsync("""
            update card_setup set intent = $2, status = case when status = 'canceled' and $3 = 'open' then status else $3 end
            where id = $1 and status <> 'succeeded'
            """, token, id, said.Id, status);
        if (status == "succeeded" && await SaveAsync(connection, id, wallet, mode.Livemode, said.PaymentMethod, token))
            await connection.ChangeAsync("""
                update auto_top_up set status = case when status = 'off' then 'off' else 'active' end, reason = null, failures = 0,
                    not_before = null, payment = null, due_at = now()
                where wallet = $1
                """, token, wallet);
        await transaction.CommitAsync(CancellationToken.None);
        Failpoint.Hit("billing.setup.taken");
        return status;
    }

    /// <summary>Whether the customer whose card was to be saved is deleted. A page that was open then may save it all the same.</summary>
    async Task<bool> IsErasedAsync(Guid setup, CancellationToken token)
    {
        await using var query = database.Sql(
            "select exists (select from card_setup join erasure using (wallet) where id = $1 and done_at is not null)", setup);
        return await query.ExecuteScalarAsync(token) is true;
    }

    /// <summary>Whoever has our account's keys can write our ids onto an object of their own.</summary>
    static async Task<Guid> RequireSameAsync(
        NpgsqlConnection connection, Guid id, StripeMode mode, SetupIntent said, CancellationToken token)
    {
        await using var query = connection.Sql("""
            select s.wallet, s.intent, h.customer, s.livemode from card_setup s join card_holder h using (wallet, livemode)
            where s.id = $1 for update of h
            """, id);
        await using var row = await query.ExecuteReaderAsync(token);
        if (!await row.ReadAsync(token))
            throw new InvalidOperationException($"there is no setup {id:N}");
        var wallet = row.GetGuid(0);
        return (row.IsDBNull(1) || row.GetString(1) == said.Id) && !row.IsDBNull(2) && row.GetString(2) == said.CustomerId
            && row.GetBoolean(3) == mode.Livemode && said.Livemode == mode.Livemode
            && said.Metadata?.GetValueOrDefault(StripeCalls.WalletKey) == Ids.Show(Ids.Wallet, wallet)
                ? wallet
                : throw new NotOursException($"setup {said.Id} is not the one of {id:N}");
    }

    static async Task<bool> SaveAsync(
        NpgsqlConnection connection, Guid setup, Guid wallet, bool livemode, PaymentMethod method, CancellationToken token) =>
        await connection.ChangeAsync("""
            update card_holder h
            set method = $4, brand = $5, last4 = $6, exp_month = $7, exp_year = $8, fingerprint = $9, setup = $3
            where wallet = $1 and livemode = $2 and not exists (
                select from card_setup saved, card_setup this
                where saved.id = h.setup and this.id = $3 and saved.created_at >= this.created_at)
            """, token,
            wallet, livemode, setup, method.Id, method.Card?.Brand,
            method.Card?.Last4 ?? method.UsBankAccount?.Last4, (int?)method.Card?.ExpMonth,
            (int?)method.Card?.ExpYear,
            method.Card?.Fingerprint ?? method.UsBankAccount?.Fingerprint) == 1;

    /// <summary>Stripe knows it no more, as a sandbox that has started anew: its customer and its card are gone with it.</summary>
    async Task ForgetAsync(Guid wallet, bool livemode, CancellationToken token)
    {
        await using var forget = database.Sql("""
            with ended as (
                update card_setup set status = 'canceled' where wallet = $1 and livemode = $2 and status in ('new', 'open'))
            update card_holder set id = $3, keyed_at = now(), customer = null, method = null, brand = null, last4 = null,
                exp_month = null, exp_year = null, fingerprint = null, setup = null
            where wallet = $1 and livemode = $2
            """, wallet, livemode, Ids.New());
        await forget.ExecuteNonQueryAsync(token);
    }
}
