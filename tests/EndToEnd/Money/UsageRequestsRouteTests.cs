using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>The usage log as a backend reads it: pages, files, sums and the ledger agree to the nano-dollar.</summary>
public sealed class UsageRequestsRouteTests
{
    static readonly string[] Amounts = ["cost", "charged", "absorbed", "covered"];

    [Fact]
    public async Task Pages_files_sums_and_the_ledger_come_to_the_same()
    {
        var user = await Backend.App.NewUserAsync("1");
        for (var i = 0; i < 5; i++)
            (await user.ChatAsync("small", Price.Question)).MustBe(200);
        await user.BalanceAfterAsync(5);
        var spent = 1_000_000_000 - await user.BalanceAsync();
        long[] expected = [5 * (Price.OfQuestion + Price.OfAnswer), spent, 0, 0];
        Assert.Equal(expected[0], spent);

        var paged = new List<JsonElement>();
        for (var cursor = ""; cursor is not null;)
        {
            var page = (await ListAsync($"customer={user.CustomerId}&limit=2&cursor={cursor}")).MustBe(200).Json;
            paged.AddRange(page.Items("requests"));
            cursor = page.Text("nextCursor");
        }
        Assert.Equal((5, 5), (paged.Count, paged.Select(line => line.Text("id")).Distinct().Count()));
        Assert.Equal(expected, Amounts.Select(amount => paged.Sum(line => Gateway.Nanos(line.GetProperty(amount)))));

        var json = (await ListAsync($"customer={user.CustomerId}&format=json")).MustBe(200);
        Assert.Equal(paged.Select(line => line.GetRawText()), json.Json.Items("requests").Select(line => line.GetRawText()));
        Assert.Equal(5, json.Json.Int("count"));
        Assert.Equal(expected, Amounts.Select(amount => Gateway.Nanos(json.Json.GetProperty("total").GetProperty(amount))));

        var csv = Table((await ListAsync($"customer={user.CustomerId}&format=csv")).MustBe(200));
        Assert.Equal(paged.Select(line => line.Text("id")), csv.Select(row => row["id"]));
        Assert.Equal(expected, Amounts.Select(amount => csv.Sum(row => NanosOf(row[amount]))));

        var focus = Table((await ListAsync($"customer={user.CustomerId}&format=focus")).MustBe(200));
        string[] columns = ["ListCost", "BilledCost", "x_AbsorbedCost", "x_CoveredCost"];
        Assert.Equal(expected, columns.Select(column => focus.Sum(row => NanosOf(row[column]))));
        Assert.All(focus, row => Assert.Equal(user.CustomerId, row["SubAccountId"]));

        var summary = (await Backend.App.GetAsync("/v1/usage/summary?group=customer&limit=1000")).MustBe(200).Json.Items("rows")
            .Single(row => row.Text("value") == user.CustomerId);
        Assert.Equal(expected, Amounts.Select(amount => Gateway.Nanos(summary.GetProperty(amount))));
        var sums = Table((await Backend.App.GetAsync("/v1/usage/summary?group=customer&limit=1000&format=csv")).MustBe(200));
        Assert.Equal(expected, Amounts.Select(amount => NanosOf(sums.Single(row => row["value"] == user.CustomerId)[amount])));
        Assert.Equal("total", sums[^1]["line"]);

        var entries = (await Backend.App.GetAsync($"/v1/wallets/{user.WalletId}/ledger")).MustBe(200).Json.Items("entries");
        Assert.Equal(
            -spent,
            entries.Where(entry => entry.Text("type") == "usage").Sum(entry => Gateway.Nanos(entry.GetProperty("amount"))));
    }

    [Fact]
    public async Task A_request_is_found_by_the_id_that_its_caller_was_told_and_by_nobody_else()
    {
        var user = await Backend.App.NewUserAsync("1");
        var id = (await user.ChatAsync("small", Price.Question)).MustBe(200)["X-Request-Id"]!;
        await user.BalanceAfterAsync(1);

        var shown = (await Backend.App.GetAsync($"/v1/usage/requests/{id}")).MustBe(200).Json;

        Assert.Equal((id, user.CustomerId, "completed"), (shown.Text("id"), shown.Text("customer"), shown.Text("outcome")));
        Assert.Equal(Price.OfQuestion + Price.OfAnswer, Gateway.Nanos(shown.GetProperty("cost")));
        var attempt = shown.Items("attempts").Single();
        var meters = attempt.GetProperty("meters");
        Assert.Equal(
            (Price.QuestionTokens, Price.AnswerTokens),
            (meters.GetProperty("input").GetInt64(), meters.GetProperty("output").GetInt64()));
        Assert.Equal("wallet", attempt.Items("paidBy").First().Text("of"));
        Assert.Equal(
            [$"input 3 1 {Gateway.Usd(Price.OfQuestion)}", $"output 20 2 {Gateway.Usd(Price.OfAnswer)}"],
            attempt.Items("costLines").Select(line =>
                $"{line.Text("meter")} {line.Int("units")} {line.Text("rate")} {line.Text("amount")}"));
        // The price that it names is one of the model's history.
        var prices = (await Backend.App.GetAsync("/v1/models/small/prices")).MustBe(200).Json.Items("prices");
        Assert.Contains(attempt.Text("priceVersion"), prices.Select(price => price.Text("id")));
        Assert.Empty(shown.Items("corrections"));

        foreach (var backend in (Backend[])[Backend.AppTest, Backend.Other])
        {
            (await backend.GetAsync($"/v1/usage/requests/{id}")).MustBeProblem(404, "not_found");
            Assert.Empty((await backend.GetAsync($"/v1/usage/requests?customer={user.CustomerId}")).MustBe(200).Json.Items("requests"));
        }
        foreach (var unknown in (string[])["req_1", $"req_{Guid.NewGuid():N}", user.CustomerId])
            (await Backend.App.GetAsync($"/v1/usage/requests/{unknown}")).MustBeProblem(404, "not_found");
        (await Gateway.SendAsync("GET", $"/v1/usage/requests/{id}", user.Token)).MustBe(401);
    }

    [Theory]
    [InlineData("cursor=1", "cursor")]
    [InlineData("cursor=1&format=csv", "cursor")]
    [InlineData("limit=10&format=focus", "limit")]
    [InlineData("limit=201", "limit")]
    [InlineData("format=xml", "format")]
    [InlineData("outcome=odd", "outcome")]
    [InlineData("customer=cus_1", "customer")]
    [InlineData("key=sk_live_x", "key")]
    [InlineData("key=ses_1", "key")]
    [InlineData("timeZone=Mars/Olympus", "timeZone")]
    [InlineData("range=1y", "range")]
    [InlineData("from=2026-02-01&to=2026-01-01", "from")]
    [InlineData("user=1", "user")]
    public async Task A_question_that_cannot_be_answered_is_refused_by_name(string query, string param)
    {
        var refused = (await ListAsync(query)).MustBe(400);
        Assert.Equal(param, refused.Json.GetProperty("error").Text("param"));
    }

    static Task<Reply> ListAsync(string query) => Backend.App.GetAsync($"/v1/usage/requests?{query}");

    /// <summary>Rows by the names of their columns. No cell of these has a comma.</summary>
    static List<Dictionary<string, string>> Table(Reply reply)
    {
        Assert.Equal("text/csv; charset=utf-8", reply["Content-Type"]);
        var lines = reply.Text.TrimEnd('\n').Split('\n').Select(line => line.Split(',')).ToList();
        return [.. lines[1..].Select(cells => lines[0].Zip(cells).ToDictionary(cell => cell.First, cell => cell.Second))];
    }

    static long NanosOf(string amount) => LlmGateway.Contracts.Money.Parse(amount).Nanos;
}
