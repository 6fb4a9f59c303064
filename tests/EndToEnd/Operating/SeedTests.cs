using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>A seed file that is applied when its customers have used something already.</summary>
[Collection(nameof(Outages))]
public sealed class SeedTests
{
    [Fact]
    public async Task A_limit_that_a_seed_adds_or_changes_has_what_was_used_since_its_cycles_edge()
    {
        var user = await Backend.App.NewUserAsync();
        for (var i = 0; i < 3; i++)
            (await user.ChatAsync("small", Price.Question, at: Stack.Proxies[i % 2])).MustBe(200);
        await Books.UsageAsync(user, 3);

        await SeedAsync(user, """[{"unit":"requests","amount":5,"cycle":{"days":300}}]""");
        Assert.Equal(["3 2"], await LimitsAsync(user));

        // Another cycle is another counter; what is written again is as it was.
        await SeedAsync(user, """
            [{"unit":"requests","amount":5,"cycle":{"days":300}},{"unit":"tokens","amount":100,"cycle":{"days":200}}]
            """);
        Assert.Equal(["3 2", "69 31"], await LimitsAsync(user));
    }

    [Fact]
    public async Task A_plan_that_a_seed_takes_away_has_ended_and_one_that_it_gives_again_goes_on()
    {
        const string Plans = """
            ,"plans":[{"id":"of-a-seed","name":"Of a seed","price":"1","tokens":100000,"trialDays":14}]
            """;
        var user = await Backend.App.NewUserAsync();
        await ApplyAsync(user, """
            "plan":"of-a-seed"
            """, Plans);
        Assert.Equal("tokens=23", (await user.ChatAsync("small", Price.Question)).MustBe(200)["X-LLMGateway-Used"]);
        Assert.Equal(14, await TrialDaysAsync("of-a-seed"));

        await ApplyAsync(user, """
            "name":"says nothing of the plan"
            """);
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        await ApplyAsync(user, "\"plan\":null");
        foreach (var proxy in Stack.Proxies)
        {
            var refused = (await user.ChatAsync("small", Price.Question, at: proxy)).MustBeProblem(402, "plan_ended");
            Assert.Contains("'Of a seed'", refused.Text);
        }
        var customer = (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}")).MustBe(200).Json;
        Assert.True(customer.GetProperty("plan").GetProperty("endsAt").GetDateTimeOffset() <= DateTimeOffset.UtcNow);

        await ApplyAsync(user, """
            "plan":"of-a-seed"
            """, Plans);
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
    }

    [Fact]
    public async Task A_key_of_a_seed_that_was_rotated_does_not_come_back_with_the_secret_of_the_file()
    {
        var user = await Backend.App.NewUserAsync();
        var secret = $"llm_gw_{Guid.NewGuid():N}{Guid.NewGuid():N}";
        var keys = $$"""
            "keys":[{"name":"of a seed","key":"{{secret}}"}]
            """;
        await ApplyAsync(user, keys);
        (await Chat.AskAsync(secret, "small", Price.Question)).MustBe(200);
        var path = $"/v1/customers/{user.CustomerId}/keys";
        var id = Assert.Single((await Backend.App.GetAsync(path)).MustBe(200).Json.Items("keys")).Text("id");
        (await Backend.App.PostAsync($"{path}/{id}/rotate", "{}")).MustBe(200);

        await ApplyAsync(user, $"{keys},\"company\":\"another file\"");

        foreach (var proxy in Stack.Proxies)
            (await Chat.AskAsync(secret, "small", Price.Question, at: proxy)).MustBeProblem(401, "expired");
        Assert.Single((await Backend.App.GetAsync(path)).MustBe(200).Json.Items("keys"));
    }

    /// <summary>Sessions starts with the same file as ever when it is deployed, or has crashed.</summary>
    [Fact]
    public async Task What_a_call_changed_stays_until_the_file_says_something_else()
    {
        var user = await Backend.App.NewUserAsync();
        const string Rates = """
            "rates":{"requestsPerMinute":50}
            """;
        await ApplyAsync(user, Rates);
        Assert.Equal(50, await RateAsync(user));
        (await Backend.App.PutAsync($"/v1/customers/{user.CustomerId}/rates", """{"requestsPerMinute":3}""")).MustBe(200);

        await ApplyAsync(user, Rates);
        Assert.Equal(3, await RateAsync(user));

        await ApplyAsync(user, $"{Rates},\"name\":\"Other\"");
        Assert.Equal(50, await RateAsync(user));
    }

    /// <summary>Else whoever may make and revoke a customer's keys keeps Sessions from starting, for all tenants.</summary>
    [Fact]
    public async Task A_key_of_a_seed_that_has_a_namesake_or_is_revoked_stops_no_start()
    {
        var user = await Backend.App.NewUserAsync();
        const string Members = """
            "keys":[{"name":"flows"}],"limits":[{"unit":"requests","amount":5,"cycle":"day","selector":{"keys":["flows"]}}]
            """;
        var path = $"/v1/customers/{user.CustomerId}";
        await ApplyAsync(user, Members);
        var own = Assert.Single((await Backend.App.GetAsync($"{path}/keys")).MustBe(200).Json.Items("keys")).Text("id");
        var other = (await Backend.App.PostAsync($"{path}/keys", """{"name":"flows"}""")).MustBe(201).Json.Text("id");

        await ApplyNamedAsync("with a namesake");
        Assert.Contains(own, (await Backend.App.GetAsync($"{path}/limits")).MustBe(200).Text);
        foreach (var key in (string[])[own, other])
            (await Backend.App.DeleteAsync($"{path}/keys/{key}")).MustBe(204);
        await ApplyNamedAsync("without a good key");

        async Task ApplyNamedAsync(string name)
        {
            await ApplyAsync(user, $"{Members},\"name\":\"{name}\"");
            Assert.Equal(name, await NameAsync(user));
        }
    }

    /// <summary>A model of a call has its providers, and then the file says another type of one of them.</summary>
    [Fact]
    public async Task A_model_that_a_call_made_stops_no_start()
    {
        var (user, unique) = (await Backend.App.NewUserAsync(), Guid.NewGuid().ToString("N"));
        var (seeded, own, model) = ($"seeded-{unique}", $"own-{unique}", $"model-{unique}");
        const string Public = """
            "wire":"openai","baseUrl":"https://api.example.com/v1"
            """;
        var more = $$""","providers":[{"id":"{{seeded}}",{{Public}}}]""";
        await ApplyAsync(user, "\"name\":\"before\"", more);
        foreach (var provider in (string[])[seeded, own])
            (await Backend.App.PutAsync($"/v1/providers/{provider}", $$"""{ {{Public}},"queryType":"standard"}""")).MustBe(200);
        (await Backend.App.PutAsync($"/v1/models/{model}", $$"""
            {"providers":["{{seeded}}","{{own}}"],"contextTokens":9,"maxOutputTokens":8}
            """)).MustBe(200);

        await ApplyAsync(user, "\"name\":\"after\"", more);

        Assert.Equal("after", await NameAsync(user));
        (await Backend.App.DeleteAsync($"/v1/models/{model}")).MustBe(204);
        foreach (var provider in (string[])[seeded, own])
            (await Backend.App.DeleteAsync($"/v1/providers/{provider}")).MustBe(204);
    }

    /// <summary>Names are not unique, and whoever may make a narrow key chooses its name.</summary>
    [Fact]
    public async Task A_secret_key_of_a_seed_is_its_own_and_no_other_one_of_its_name()
    {
        var (user, name) = (await Backend.App.NewUserAsync(), $"backend {Guid.NewGuid():N}");
        var narrow = (await Backend.App.PostAsync("/v1/secret-keys", $$"""{"name":"{{name}}","permissions":["usage:read"]}"""))
            .MustBe(201).Json.Text("id");

        await ApplyAsync(user, "\"name\":\"first\"", Keys("customers:read"));
        Assert.Equal(["customers:read", "usage:read"], await PermissionsAsync());
        await ApplyAsync(user, "\"name\":\"second\"", Keys("customers:write"));
        Assert.Equal(["customers:write", "usage:read"], await PermissionsAsync());

        foreach (var key in await NamesakesAsync())
            (await Backend.App.DeleteAsync($"/v1/secret-keys/{key.Text("id")}")).MustBe(204);

        string Keys(string permission) => $$""","secretKeys":[{"name":"{{name}}","permissions":["{{permission}}"]}]""";

        async Task<List<JsonElement>> NamesakesAsync() =>
            [.. (await Backend.App.GetAsync("/v1/secret-keys")).MustBe(200).Json.Items("keys").Where(key => key.Text("name") == name)];

        async Task<IEnumerable<string?>> PermissionsAsync()
        {
            var keys = await NamesakesAsync();
            Assert.Equal("usage:read", keys.Single(key => key.Text("id") == narrow).Items("permissions").Single().GetString());
            return keys.Select(key => key.Items("permissions").Single().GetString()).Order(StringComparer.Ordinal);
        }
    }

    static async Task<string> NameAsync(User user) =>
        (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}")).MustBe(200).Json.Text("name");

    static async Task<int> RateAsync(User user) => (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}")).MustBe(200).Json
        .GetProperty("rates").GetProperty("requestsPerMinute").GetInt32();

    static Task SeedAsync(User user, string limits) => ApplyAsync(user, $"\"limits\":{limits}");

    /// <param name="members">Of the customer.</param>
    /// <param name="more">Members of the project, with a comma before them.</param>
    static Task ApplyAsync(User user, string members, string more = "") => SeedFiles.ApplyAsync($$"""
        "customers":[{"externalId":{{JsonSerializer.Serialize(user.ExternalId)}},{{members}}}]{{more}}
        """);

    static async Task<List<string>> LimitsAsync(User user) =>
        [.. (await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}/limits")).MustBe(200).Json.EnumerateArray()
            .Select(limit => $"{limit.Text("used")} {limit.Text("left")}")];

    /// <summary>They are kept for who will give trials.</summary>
    static async Task<int> TrialDaysAsync(string plan)
    {
        await using var query = Books.Sessions.CreateCommand("select trial_days from plan where id = $1");
        query.Parameters.Add(new() { Value = plan });
        return (int)(await query.ExecuteScalarAsync(TestContext.Current.CancellationToken))!;
    }
}
