using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>What a good answer costs, to the nano-dollar, and where everyone can read it.</summary>
public sealed class MoneyTests
{
    const long Start = 1_000_000_000;

    [Fact]
    public async Task An_answer_costs_its_tokens_and_header_balance_ledger_and_usage_row_agree()
    {
        var user = await Backend.App.NewUserAsync();

        var reply = (await user.ChatAsync("small", Price.Question)).MustBe(200);

        const long cost = 3 * 1_000 + 20 * 2_000; // 43 000
        Assert.Equal("0.000043", reply["X-LLMGateway-Cost"]);
        Assert.Equal("small", reply["X-LLMGateway-Model"]);
        Assert.Equal("sandbox", reply["X-LLMGateway-Provider"]);

        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal(new UsageRow(reply.RequestId, Outcome.Completed, 200, 3, 20, cost, cost, 0, false, null), row);
        Assert.Equal(Start - cost, await user.BalanceAfterAsync(1));

        var own = (await user.OwnBalanceAsync()).MustBe(200).Json;
        Assert.Equal(Start - cost, Gateway.Nanos(own.GetProperty("balance")));
        var entry = own.GetProperty("recentLedger")[0];
        Assert.Equal(reply["X-Request-Id"], entry.Text("id"));
        Assert.Equal("usage", entry.Text("type"));
        Assert.Equal(-cost, Gateway.Nanos(entry.GetProperty("amount")));
        Assert.Equal(Start - cost, Gateway.Nanos(entry.GetProperty("balanceAfter")));
    }

    [Fact]
    public async Task A_stream_costs_the_same_and_shows_usage_and_cost_only_to_those_who_asked()
    {
        var user = await Backend.App.NewUserAsync();

        var silent = (await user.StreamAsync("small", Price.Question)).MustBe(200);
        var talking = (await user.StreamAsync("small", Price.Question, "\"stream_options\":{\"include_usage\":true}")).MustBe(200);

        Assert.Equal("text/event-stream; charset=utf-8", silent["Content-Type"]);
        Assert.DoesNotContain("\"usage\"", silent.Text);
        Assert.Equal("[DONE]", silent.Events.Last());
        var usage = talking.Chunks.Last().GetProperty("usage");
        Assert.Equal((3, 20, "0.000043"), (usage.Int("prompt_tokens"), usage.Int("completion_tokens"), usage.Text("cost")));
        Assert.Empty(talking.Chunks.Last().Items("choices"));
        Assert.Equal(silent.Content, talking.Content);
        Assert.Equal(20, silent.Content.Split(' ').Length);

        Assert.All(await Books.UsageAsync(user, 2), row => Assert.Equal((43_000, 43_000, false), (row.Cost, row.Charged, row.Estimated)));
        Assert.Equal(Start - 2 * 43_000, await user.BalanceAfterAsync(2));
    }

    [Theory]
    // Four words, of which two were cached: 2 × 1 000 + 2 × 500 + 20 × 2 000.
    [InlineData("small", "[[cached:2]] one two three", "", 43_000)]
    // Three answers to one question: 3 × 1 000 + 60 × 2 000.
    [InlineData("small", Price.Question, "\"n\":3", 123_000)]
    // A tool call: five words in, and one for the name and two for the arguments out.
    [InlineData("small", "please call [[tool:weather {\"city\": \"Rome\"}]]",
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"parameters\":{}}}]", 5_000 + 6_000)]
    // A cent for the request, besides its tokens.
    [InlineData("per-request", Price.Question, "", 10_000_000 + 43_000)]
    // 3 × 0.1 + 20 × 0.3 = 6.3 nano-dollars, rounded up once.
    [InlineData("odd", Price.Question, "", 7)]
    // Ten words are not above the tier's border …
    [InlineData("tiered", "1 2 3 4 5 6 7 8 9 10", "", 10 * 1_000 + 20 * 2_000)]
    // … eleven are, and then every token has the tier's price.
    [InlineData("tiered", "1 2 3 4 5 6 7 8 9 10 11", "", 11 * 3_000 + 20 * 4_000)]
    public async Task Every_meter_has_its_price(string model, string prompt, string more, long cost)
    {
        var user = await Backend.App.NewUserAsync();

        var whole = (await user.ChatAsync(model, prompt, more.Length == 0 ? null : more)).MustBe(200);
        (await user.StreamAsync(model, prompt, more.Length == 0 ? null : more)).MustBe(200);

        Assert.Equal(Gateway.Usd(cost), whole["X-LLMGateway-Cost"]);
        Assert.All(await Books.UsageAsync(user, 2), row => Assert.Equal((cost, cost, false), (row.Cost, row.Charged, row.Estimated)));
        Assert.Equal(Start - 2 * cost, await user.BalanceAfterAsync(2));
    }

    [Theory]
    [InlineData("small", "[[say:Grüße aus Köln, 東京 und 🌍!]] one", "")]
    [InlineData("trickle", Price.Question, "")]
    [InlineData("small", Price.Question, "\"n\":2")]
    [InlineData("small", "call [[tool:weather {\"city\": \"Rome\"}]]",
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"parameters\":{}}}]")]
    [InlineData("bigline", Price.Question, "")]
    public async Task What_the_caller_gets_is_byte_for_byte_what_the_provider_says(string model, string prompt, string more)
    {
        var user = await Backend.App.NewUserAsync();
        more = more.Length == 0 ? "\"temperature\":0" : more;
        var upstream = model == "small" ? "sandbox-small" : $"sandbox-small-{model}";

        foreach (var stream in (string[])["\"stream\":true,", ""])
        {
            var direct = (await Sandbox.AskAsync(Chat.Body(upstream, prompt, stream + more))).MustBe(200);
            var through = (await Gateway.SendAsync("POST", Chat.Path, user.Token, Chat.Body(model, prompt, stream + more))).MustBe(200);
            Assert.Equal(direct.Text, through.Text);
        }
    }

    [Fact]
    public async Task A_customer_key_is_charged_to_its_customer_s_wallet()
    {
        var user = await Backend.App.NewUserAsync();
        var (_, key) = await Backend.App.NewKeyAsync(user.CustomerId);

        (await Chat.AskAsync(key, "small", Price.Question)).MustBe(200);

        Assert.Equal(Start - 43_000, await user.BalanceAfterAsync(1));
    }

    [Fact]
    public async Task A_customer_without_a_wallet_is_metered_and_not_charged()
    {
        var customer = (await Backend.App.PostAsync("/v1/customers", $$"""{"externalId":"agency-{{Guid.NewGuid():N}}","wallet":false}"""))
            .MustBe(201).Json;
        var id = customer.Text("id");
        Assert.Equal(JsonValueKind.Null, customer.GetProperty("wallet").ValueKind);
        var (_, key) = await Backend.App.NewKeyAsync(id);

        var reply = (await Chat.AskAsync(key, "small", Price.Question)).MustBe(200);

        Assert.Equal("0.000043", reply["X-LLMGateway-Cost"]);
        var row = await Books.OnlyUsageAsync(new User(Backend.App, "", "", "", id, ""));
        Assert.Equal((43_000, 0, 0), (row.Cost, row.Charged, row.Absorbed));
    }

    [Fact]
    public async Task The_provider_sees_our_credentials_and_nothing_of_the_caller_s()
    {
        var user = await Backend.App.NewUserAsync();
        var tag = Sandbox.NewTag();

        (await Gateway.SendAsync("POST", Chat.Path, user.Token, Chat.Body("small", Price.Question, Sandbox.Tagged(tag)), headers:
        [
            ("X-API-Key", "llm_gw_mine"),
            ("X-User-ID", "root"),
            ("X-Forwarded-For", "1.2.3.4"),
            ("Cookie", "a=b"),
            ("OpenAI-Organization", "org"),
        ])).MustBe(200);

        var call = await Sandbox.CallAsync(tag, call => call.Outcome == "completed", "the provider's call");
        Assert.Equal("Bearer sk-sandbox", call.Headers["Authorization"]);
        Assert.DoesNotContain(
            call.Headers.Keys,
            name => name.StartsWith("X-", StringComparison.OrdinalIgnoreCase) || name is "Cookie" or "OpenAI-Organization");
        Assert.DoesNotContain(user.Token, call.Body);
    }
}
