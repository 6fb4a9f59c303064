using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>Disputes as a backend reads them, and what they keep from being refunded.</summary>
public sealed class DisputeTests
{
    [Fact]
    public async Task A_dispute_can_be_read_its_payment_says_it_and_is_refunded_by_nobody_also_not_by_force()
    {
        var purchase = await Purchase.PaidAsync(method: Purchase.Disputed);
        var path = $"/v1/disputes?wallet={purchase.User.WalletId}";

        var dispute = Assert.Single(await Eventually.GetAsync(
            async () => (await Backend.App.GetAsync(path)).MustBe(200).Json.Items("disputes").ToArray(), all => all.Length > 0,
            "the dispute"));
        Assert.Equal(
            (purchase.Id, purchase.User.WalletId, purchase.User.CustomerId, "10.5", "needs_response"),
            (dispute.Text("paymentId"), dispute.Text("walletId"), dispute.Text("customerId"), dispute.Text("amount"),
                dispute.Text("status")));
        Assert.True(dispute.GetProperty("taken").GetBoolean());
        Assert.Single((await Backend.App.GetAsync($"{path}&status=needs_response")).MustBe(200).Json.Items("disputes"));
        Assert.Empty((await Backend.App.GetAsync($"{path}&status=won")).MustBe(200).Json.Items("disputes"));
        var page = (await Backend.App.GetAsync($"{path}&limit=1")).MustBe(200).Json;
        Assert.Empty((await Backend.App.GetAsync($"{path}&cursor={page.Text("nextCursor")}")).MustBe(200).Json.Items("disputes"));
        (await Backend.App.GetAsync($"{path}&status=misspelt")).MustBeProblem(400, "invalid_value", "status");
        (await Backend.App.GetAsync("/v1/disputes?wallet=wal_nothing")).MustBe(404);
        (await Backend.Other.GetAsync(path)).MustBe(404);
        Assert.DoesNotContain(
            (await Backend.Other.GetAsync("/v1/disputes?limit=100")).MustBe(200).Json.Items("disputes"),
            one => one.Text("id") == dispute.Text("id"));

        var shown = await purchase.ShownAsync();
        Assert.Equal(("10.5", "10.5"), (shown.Text("refunded"), shown.Text("disputed")));
        foreach (var more in (string[])["", "\"amount\":\"1\"", "\"force\":true"])
            Refused(await purchase.RefundAsync(more), "payment_disputed", dispute.Text("id"));

        var refunded = await Purchase.PaidAsync();
        await refunded.MustHaveAsync("8.333333333");
        (await refunded.RefundAsync("")).MustBe(201);
        foreach (var more in (string[])["", "\"amount\":\"1\"", "\"force\":true"])
            Refused(await refunded.RefundAsync(more), "payment_refunded", "10.5 USD");
        Assert.Equal("0", (await refunded.ShownAsync()).Text("disputed"));

        static void Refused(Reply reply, string code, string says)
        {
            var message = reply.MustBeProblem(409, code, "payment").Json.GetProperty("error").Text("message");
            Assert.Contains(says, message);
            Assert.DoesNotContain("force", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_disputes_of_a_project_are_found_without_those_of_others()
    {
        var token = TestContext.Current.CancellationToken;
        await using var database = NpgsqlDataSource.Create(Stack.Connection("billing"));
        await using var connection = await database.OpenConnectionAsync(token);
        await using (var few = new NpgsqlCommand("set enable_seqscan = off; set enable_bitmapscan = off", connection))
            await few.ExecuteNonQueryAsync(token);
        await using var explain = new NpgsqlCommand("""
            explain select id from dispute where project = md5('one')::uuid and test = false and created_at < now()
            order by created_at desc limit 20
            """, connection);
        var plan = new List<string>();
        await using (var row = await explain.ExecuteReaderAsync(token))
            while (await row.ReadAsync(token))
                plan.Add(row.GetString(0));

        Assert.Contains(plan, line => line.Contains("dispute_by_project", StringComparison.Ordinal));
        Assert.DoesNotContain(plan, line => line.Contains("Sort", StringComparison.Ordinal));
        Assert.Equal(0, await Purchase.NumberAsync("billing", """
            select count(*) from dispute d join payment p on p.id = d.payment where (d.project, d.test) is distinct from (p.project, p.test)
            """));
    }
}
