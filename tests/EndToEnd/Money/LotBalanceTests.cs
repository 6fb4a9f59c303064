using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>Lots of a wallet as its backend and its user see them: what is spent first, what expires.</summary>
public sealed class LotBalanceTests
{
    const long Dollar = Money.NanosPerUsd, Half = Money.NanosPerUsd / 2;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_promotion_that_expires_is_spent_first_and_is_gone_for_everybody_at_its_end()
    {
        var user = await Backend.App.NewUserAsync("1");
        var wallet = $"/v1/wallets/{user.WalletId}";
        (await Backend.App.PostAsync($"{wallet}/credit", """
            {"amount":"0.5","kind":"promotion","reason":"spring","expiresAt":"2999-01-01T00:00:00Z"}
            """)).MustBe(200);
        Assert.Equal(
            [("promotion", Half, "2999-01-01T00:00:00+00:00", false), ("grant", Dollar, null, false)], await LotsAsync(wallet));

        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        await user.BalanceAfterAsync(1);
        Assert.Equal(
            [("promotion", Half - 43_000, "2999-01-01T00:00:00+00:00", false), ("grant", Dollar, null, false)], await LotsAsync(wallet));

        await RunAsync("update lot set expires_at = now() where wallet = (select id from account where owner = $1 and kind = 0)", user);
        Assert.Equal(Dollar, await user.BalanceAsync());
        Assert.Equal(Dollar, Gateway.Nanos((await Backend.App.GetAsync(wallet)).MustBe(200).Json.GetProperty("balance")));
        Assert.Equal([("grant", Dollar, null, false)], await LotsAsync(wallet));

        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        await user.BalanceAfterAsync(2);
        var entries = (await Backend.App.GetAsync($"{wallet}/ledger")).MustBe(200).Json.Items("entries");
        Assert.Equal(["usage", "expiry", "usage", "bonus", "grant"], entries.Select(entry => entry.Text("type")));
        Assert.Equal(
            [-43_000, -(Half - 43_000), -43_000, Half, Dollar],
            entries.Select(entry => Gateway.Nanos(entry.GetProperty("amount"))));
        Assert.Equal(Dollar - 43_000, await user.BalanceAsync());
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task What_has_expired_is_booked_by_the_next_look_at_the_statement_whose_sum_is_the_balance()
    {
        var user = await Backend.App.NewUserAsync("1");
        var wallet = $"/v1/wallets/{user.WalletId}";
        (await Backend.App.PostAsync($"{wallet}/credit", """{"amount":"0.5","kind":"promotion","expiresAt":"2999-01-01T00:00:00Z"}"""))
            .MustBe(200);
        await RunAsync("update lot set expires_at = now() where wallet = (select id from account where owner = $1 and kind = 0)", user);

        var entries = (await Backend.App.GetAsync($"{wallet}/ledger")).MustBe(200).Json.Items("entries").ToList();

        Assert.Equal(["expiry", "bonus", "grant"], entries.Select(entry => entry.Text("type")));
        Assert.Equal(Dollar, entries.Sum(entry => Gateway.Nanos(entry.GetProperty("amount"))));
        Assert.Equal(Dollar, await user.BalanceAsync());
    }

    [Theory]
    [InlineData("credit", """{"amount":"1","expiresAt":"2020-01-01T00:00:00Z"}""", "expiresAt")]
    [InlineData("credit", """{"amount":"1","kind":"topup"}""", "kind")]
    [InlineData("debit", """{"amount":"1","kind":"grant"}""", "kind")]
    [InlineData("debit", """{"amount":"1","expiresAt":"2999-01-01T00:00:00Z"}""", "expiresAt")]
    public async Task A_lot_that_cannot_be_is_refused_by_name_and_moves_nothing(string what, string body, string param)
    {
        var user = await Backend.App.NewUserAsync("1");

        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/{what}", body)).MustBeProblem(400, "invalid_value", param);

        Assert.Equal(Dollar, await user.BalanceAsync());
    }

    static async Task<IEnumerable<(string?, long, string?, bool)>> LotsAsync(string wallet) =>
        (await Backend.App.GetAsync(wallet)).MustBe(200).Json.Items("lots").Select(lot => (
            (string?)lot.Text("kind"), Gateway.Nanos(lot.GetProperty("remaining")), (string?)lot.Text("expiresAt"),
            lot.GetProperty("refundable").GetBoolean()));

    static async Task RunAsync(string sql, User user)
    {
        await using var command = Books.Wallet.CreateCommand(sql);
        command.Parameters.Add(new() { Value = user.Customer });
        Assert.Equal(1, await command.ExecuteNonQueryAsync(Token));
    }
}
