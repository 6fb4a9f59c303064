using System.Globalization;
using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>A wallet's statement, as JSON and as CSV.</summary>
public sealed class LedgerTests
{
    [Fact]
    public async Task Pages_show_every_entry_once_newest_first_and_every_balance_follows_from_the_one_before()
    {
        var user = await Backend.App.NewUserAsync(null);
        for (var i = 1; i <= 5; i++)
            await Backend.App.CreditAsync(user.WalletId, $"{i}");
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/debit", """{"amount":"2.5","reason":"mistake"}""")).MustBe(200);
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        await user.BalanceAfterAsync(1);

        var entries = new List<JsonElement>();
        for (string? cursor = null, next = ""; next is not null; cursor = next)
        {
            var page = (await Backend.App.GetAsync(
                $"/v1/wallets/{user.WalletId}/ledger?limit=3{(cursor is null ? "" : $"&cursor={cursor}")}")).MustBe(200).Json;
            entries.AddRange(page.Items("entries"));
            next = page.Text("nextCursor");
        }

        Assert.Equal(["usage", "adjustment", "grant", "grant", "grant", "grant", "grant"], entries.Select(entry => entry.Text("type")));
        Assert.Equal(
            [-43_000, -2_500_000_000, 5_000_000_000, 4_000_000_000, 3_000_000_000, 2_000_000_000, 1_000_000_000],
            entries.Select(entry => Gateway.Nanos(entry.GetProperty("amount"))));
        var balance = 0L;
        foreach (var entry in Enumerable.Reverse(entries))
            Assert.Equal(balance += Gateway.Nanos(entry.GetProperty("amount")), Gateway.Nanos(entry.GetProperty("balanceAfter")));
        Assert.Equal(balance, await user.BalanceAsync());
        Assert.Equal(("small", "mistake"), (entries[0].Text("description"), entries[1].Text("description")));
    }

    [Theory]
    [InlineData("from=2020-01-01", 1)]
    [InlineData("to=2020-01-01", 0)]
    [InlineData("from=2999-01-01T00:00:00Z", 0)]
    [InlineData("from=2020-01-01&to=2999-01-01", 1)]
    public async Task A_time_range_cuts_the_statement(string range, int count)
    {
        var user = await Backend.App.NewUserAsync("1");
        Assert.Equal(count, (await Backend.App.GetAsync($"/v1/wallets/{user.WalletId}/ledger?{range}"))
            .MustBe(200).Json
            .GetProperty("entries")
            .GetArrayLength());
    }

    [Theory]
    [InlineData("entry")]
    [InlineData("transfer")]
    [InlineData("usage_record")]
    [InlineData("correction")]
    public async Task What_is_booked_cannot_be_changed_even_with_the_ledger_s_own_password(string table)
    {
        foreach (var attempt in (string[])[$"update {table} set created_at = now()", $"delete from {table}", $"truncate {table} cascade"])
        {
            await using var command = Books.Wallet.CreateCommand(attempt);
            var refused = await Assert.ThrowsAsync<Npgsql.PostgresException>(() =>
                command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken));
            Assert.Contains("are never changed or deleted", refused.MessageText);
        }
    }

    [Fact]
    public async Task The_CSV_has_plain_decimals_and_nothing_that_a_spreadsheet_would_run()
    {
        var user = await Backend.App.NewUserAsync(null);
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/credit", """{"amount":"0.000000001","reason":"=HYPERLINK(\"x\")"}"""))
            .MustBe(200);

        var reply = (await Backend.App.GetAsync($"/v1/wallets/{user.WalletId}/ledger?format=csv")).MustBe(200);

        Assert.StartsWith("text/csv", reply["Content-Type"]);
        var lines = reply.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith($"attachment; filename=ledger-{user.WalletId}.csv", reply["Content-Disposition"]);
        Assert.Equal("id,type,amount,balanceAfter,createdAt,description,reference,owed,owedPaid", lines[0]);
        var line = Assert.Single(lines[1..]);
        Assert.Contains(",grant,0.000000001,0.000000001,", line);
        Assert.EndsWith("""
            ,"'=HYPERLINK(""x"")",,,
            """, line);
        var asked = await Gateway.SendAsync(
            "GET", $"/v1/wallets/{user.WalletId}/ledger", Backend.App.Key, headers: [("Accept", "text/csv")]);
        Assert.Equal(reply.Text, asked.MustBe(200).Text);
    }

    /// <summary>To the nano-dollar and the millisecond, whatever the amounts are.</summary>
    [Fact]
    public async Task The_CSV_says_of_each_entry_what_the_JSON_says()
    {
        var user = await Backend.App.NewUserAsync(null);
        foreach (var amount in (string[])["0.000000001", "0.1", "0.123456789", "9999999.999999999"])
            await Backend.App.CreditAsync(user.WalletId, amount);
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/debit", """{"amount":"7654321.000000009","reason":"a, \"b\" c"}"""))
            .MustBe(200);
        (await user.ChatAsync("odd", Price.Question)).MustBe(200);
        await user.BalanceAfterAsync(1);

        var path = $"/v1/wallets/{user.WalletId}/ledger";
        var entries = (await Backend.App.GetAsync($"{path}?limit=100")).MustBe(200).Json.Items("entries").ToList();
        var lines = (await Backend.App.GetAsync($"{path}?format=csv")).MustBe(200).Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal((6, 7), (entries.Count, lines.Length));
        foreach (var (entry, line) in entries.Zip(lines[1..]))
        {
            var fields = line.Split(',', 6);
            Assert.Equal(
                (entry.Text("id"), entry.Text("type"), entry.Text("amount"), entry.Text("balanceAfter")),
                (fields[0], fields[1], fields[2], fields[3]));
            Assert.Equal(entry.GetProperty("createdAt").GetDateTimeOffset(), DateTimeOffset.Parse(fields[4], CultureInfo.InvariantCulture));
            Assert.Null(entry.Text("reference"));
            Assert.EndsWith(",,,", fields[5]); // it stands for nothing outside, and nothing is owed
            Assert.Equal(
                entry.Text("description") ?? "", fields[5][..^3].Trim('"').Replace("\"\"", "\"", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=201", "limit")]
    [InlineData("cursor=-1", "cursor")]
    [InlineData("cursor=x", "cursor")]
    [InlineData("from=yesterday", "from")]
    [InlineData("to=2020-13-01", "to")]
    [InlineData("from=01.12.2026", "from")]
    [InlineData("form=csv", "form")]
    [InlineData("format=pdf", "format")]
    public async Task A_bad_query_is_refused_by_name(string query, string param)
    {
        var user = await Backend.App.NewUserAsync(null);
        (await Backend.App.GetAsync($"/v1/wallets/{user.WalletId}/ledger?{query}")).MustBeProblem(400, "invalid_value", param);
    }
}
