using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>What a seed file says of providers, and what the catalogue adds, as callers and their bills see it.</summary>
public sealed class ProviderTests
{
    static readonly TimeSpan Bound = TimeSpan.FromSeconds(1);

    /// <summary>Nearly every call takes the bad key. The proxies are asked one after the other, because each learns for itself.</summary>
    [Fact]
    public async Task A_key_that_the_provider_refuses_is_not_used_again_for_a_while()
    {
        var user = await Backend.App.NewUserAsync();
        foreach (var proxy in Stack.Proxies)
        {
            await Eventually.GetAsync(
                () => Chat.AskAsync(user.Token, "two-keys", Price.Question, at: proxy),
                reply => reply.Status == 502,
                "the bad key's turn");

            for (var i = 0; i < 5; i++)
                (await Chat.AskAsync(user.Token, "two-keys", Price.Question, at: proxy)).MustBe(200);
        }
    }

    [Theory]
    [InlineData("several", "sandbox", 3 * 1_000 + 20 * 2_000)]
    [InlineData("sandbox/several", "sandbox", 3 * 1_000 + 20 * 2_000)]
    [InlineData("compatible/several", "compatible", 3 * 3_000 + 20 * 4_000)]
    public async Task A_model_of_several_providers_costs_what_the_one_that_answers_costs(string model, string provider, long cost)
    {
        var user = await Backend.App.NewUserAsync();

        var reply = (await user.ChatAsync(model, Price.Question)).MustBe(200);

        Assert.Equal(("several", provider), (reply["X-LLMGateway-Model"], reply["X-LLMGateway-Provider"]));
        Assert.Equal(cost, (await Books.OnlyUsageAsync(user)).Cost);
    }

    [Fact]
    public async Task A_model_that_the_seed_only_names_has_the_catalogues_prices()
    {
        var user = await Backend.App.NewUserAsync();

        (await user.ChatAsync("gpt-4o-mini", Price.Question)).MustBe(200);

        Assert.Equal(3 * 150 + 20 * 600, (await Books.OnlyUsageAsync(user)).Cost);
    }

    [Fact]
    public async Task An_import_prices_what_was_unpriced_and_a_changed_price_is_a_new_version()
    {
        var user = await Backend.App.NewUserAsync();
        await Import("5.46875e-06", "1e-05");
        await CostsAsync(user, 3 * 5_468_750 / 1_000 + 1 + 20 * 10_000); // 16 406.25 is rounded up, once

        var again = await Import("5.46875e-06", "1e-05");
        Assert.Equal((0, 0, 1, 1), (again.Int("added"), again.Int("changed"), again.Int("unchanged"), again.Items("refused").Count()));
        Assert.Equal("unusable", again.Items("refused").Single().Text("model"));

        var changed = await Import("0.000002", "3e-06");
        Assert.Equal((0, 1, 0), (changed.Int("added"), changed.Int("changed"), changed.Int("unchanged")));
        await CostsAsync(user, 3 * 2_000 + 20 * 3_000);
        await using var versions = Books.Sessions.CreateCommand(
            "select count(*) from catalogue_price where vendor = 'compatible' and model_id = 'sandbox-listed'");
        Assert.True(await versions.ExecuteScalarAsync(TestContext.Current.CancellationToken) is >= 2L);
    }

    [Fact]
    public async Task What_runs_when_its_price_changes_costs_what_it_was_admitted_at()
    {
        var user = await Backend.App.NewUserAsync();
        await Import("5.46875e-06", "1e-05", "sandbox-repriced-barrier");
        var (running, group) = await Eventually.GetAsync(StartAsync, call => !call.Running.IsCompleted, "the first price", Bound);

        await Import("0.000002", "3e-06", "sandbox-repriced-barrier");
        await Eventually.GetAsync(StartAndEndAsync, cost => cost == "0.000023", "the second price", Bound);
        await Sandbox.ReleaseAsync(group);

        Assert.Equal("0.000071875", (await running).MustBe(200)["X-LLMGateway-Cost"]);

        async Task<(Task<Reply> Running, string Group)> StartAsync()
        {
            var group = Sandbox.NewTag();
            var running = user.ChatAsync("repriced", $"[[group:{group}]] [[tokens:5]] one two");
            await Eventually.HoldsAsync(
                async () => running.IsCompleted || await Sandbox.WaitingAsync(group) == 1,
                "a refusal, or the call at the provider");
            return (running, group);
        }

        async Task<string?> StartAndEndAsync()
        {
            var (running, group) = await StartAsync();
            await Sandbox.ReleaseAsync(group);
            return (await running)["X-LLMGateway-Cost"];
        }
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("not json")]
    public async Task What_is_no_price_map_changes_nothing(string file) => (await ImportAsync(file)).MustBe(400);

    /// <summary>Proxies are told of a new price.</summary>
    static async Task CostsAsync(User user, long cost) => await Eventually.GetAsync(
        () => user.ChatAsync("listed", Price.Question),
        reply => reply["X-LLMGateway-Cost"] is { } shown
            && decimal.Parse(shown, System.Globalization.CultureInfo.InvariantCulture) * 1_000_000_000 == cost,
        $"a cost of {cost}",
        Bound);

    static async Task<JsonElement> Import(string input, string output, string model = "sandbox-listed") => (await ImportAsync($$$"""
        {
          "compatible/{{{model}}}": {"litellm_provider": "compatible", "mode": "chat", "max_tokens": 1000,
            "input_cost_per_token": {{{input}}}, "output_cost_per_token": {{{output}}}},
          "unusable": {"litellm_provider": "compatible", "mode": "chat", "max_tokens": 1000,
            "input_cost_per_token": 1e-30, "output_cost_per_token": 1e-06}
        }
        """)).MustBe(200).Json;

    static Task<Reply> ImportAsync(string file) => Gateway.SendAsync(
        "POST",
        "/internal/catalogue/import?source=test",
        json: file,
        at: Stack.Url("sessions"),
        headers: [Stack.Signed("operator", "sessions")]);
}
