using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>What customers owe, because more was taken back of a payment than their wallets had, as everybody sees it.</summary>
public sealed class DebtTests
{
    [Fact]
    public async Task What_a_customer_owes_is_shown_with_its_wallet_and_a_top_up_says_what_of_it_has_paid_that()
    {
        var purchase = await Purchase.PaidAsync();
        await purchase.MustHaveAsync("8.333333333");
        await purchase.SpendAsync("8");
        Assert.Equal(["0", "0", "0"], await ShownDebtAsync(purchase.User));
        (await purchase.RefundAsync("\"force\":true")).MustBe(201);
        Assert.Equal(["8", "8", "8"], await ShownDebtAsync(purchase.User));

        var next = await Purchase.BeginAsync(purchase.User, "10");
        Assert.Equal(("0.333333333", "8"), (next.Reply.Json.Text("netCredited"), next.Reply.Json.Text("owedPaid")));
        (await next.PayAsync()).MustBe(200);
        await next.MustHaveAsync("0.333333333");

        var shown = await Eventually.GetAsync(next.ShownAsync, one => one.Text("owedPaid") == "8", "what has paid the debt");
        Assert.Equal("0.333333333", shown.Text("netCredited"));
        Assert.Equal(["0", "0", "0"], await ShownDebtAsync(purchase.User));
        Assert.Equal(
            ["topup 0.333333333 paid 8", "refund -0.333333333 owed 8", "adjustment -8", "topup 8.333333333"],
            await LinesAsync(purchase.User, limit: 100));
    }

    [Fact]
    public async Task What_has_moved_a_debt_alone_is_in_the_statement_once_whatever_its_pages_are()
    {
        var purchase = await Purchase.PaidAsync("20");
        await purchase.MustHaveAsync("16.666666666");
        await purchase.SpendAsync("16.666666666");
        (await purchase.RefundAsync("\"force\":true")).MustBe(201);
        var next = await Purchase.BeginAsync(purchase.User, "10");
        Assert.Equal("0", next.Reply.Json.Text("netCredited"));
        (await next.PayAsync()).MustBe(200);
        await Eventually.HoldsAsync(async () => await purchase.OwedAsync() == -8_333_333_333, "the debt that is left");
        await Backend.App.CreditAsync(purchase.User.WalletId, "1");

        string[] lines =
        [
            "grant 1", "topup 0 paid 8.333333333", "refund 0 owed 16.666666666", "adjustment -16.666666666", "topup 16.666666666",
        ];
        foreach (var limit in (int[])[1, 2, 100])
            Assert.Equal(lines, await LinesAsync(purchase.User, limit));
        Assert.Equal(
            ["grant", "adjustment", "topup"],
            (await Backend.App.GetAsync($"/v1/customers/{purchase.User.CustomerId}")).MustBe(200).Json.Items("recentLedger")
                .Select(line => line.Text("type")));
        var csv = (await Backend.App.GetAsync($"/v1/wallets/{purchase.User.WalletId}/ledger?format=csv")).MustBe(200).Text.Split('\n');
        Assert.EndsWith(",,8.333333333", csv[2]);
        Assert.EndsWith(",16.666666666,", csv[3]);
        Assert.Equal("8.333333333", (await ShownDebtAsync(purchase.User))[0]);
    }

    /// <summary>As the wallet's backend, its owner and whoever looks at the customer see it.</summary>
    static async Task<string[]> ShownDebtAsync(User user) =>
    [
        (await Backend.App.GetAsync($"/v1/wallets/{user.WalletId}")).MustBe(200).Json.Text("owed"),
        (await user.OwnBalanceAsync()).MustBe(200).Json.Text("owed"),
        (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}")).MustBe(200).Json.GetProperty("wallet").Text("owed"),
    ];

    /// <summary>The whole statement, newest first: types, amounts, and what was owed or paid.</summary>
    static async Task<string[]> LinesAsync(User user, int limit)
    {
        var lines = new List<string>();
        for (string? cursor = null, next = ""; next is not null; cursor = next)
        {
            var page = (await Backend.App.GetAsync(
                $"/v1/wallets/{user.WalletId}/ledger?limit={limit}{(cursor is null ? "" : $"&cursor={cursor}")}")).MustBe(200).Json;
            lines.AddRange(page.Items("entries").Select(line => $"{line.Text("type")} {line.Text("amount")}{Debt(line)}"));
            next = page.Text("nextCursor");
        }
        return [.. lines];

        static string Debt(JsonElement line) =>
            line.TryGetProperty("owed", out var owed) ? $" owed {owed.GetString()}"
            : line.TryGetProperty("owedPaid", out var paid) ? $" paid {paid.GetString()}"
            : "";
    }
}
