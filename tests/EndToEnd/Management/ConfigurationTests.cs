using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>What a project is and sells, said over HTTP as in a seed file.</summary>
public sealed class ConfigurationTests
{
    const string Small = """
        {"provider":"sandbox","upstreamModel":"sandbox-small","contextTokens":10000,"maxOutputTokens":1000,
         "prices":{"input":"1","output":"2"}}
        """;

    const string Public = """
        {"wire":"openai","baseUrl":"https://api.example.com/v1","auth":{"value":"one"},"queryType":"standard"}
        """;

    static readonly TimeSpan Bound = TimeSpan.FromSeconds(1);

    static readonly Backend App = Backend.Managed;

    [Fact]
    public async Task A_model_is_sold_at_its_new_price_within_a_second_and_can_be_called_no_more_when_it_is_deleted()
    {
        var (name, user) = (Unique("model"), await App.NewUserAsync());
        (await user.ChatAsync(name, Price.Question)).MustBeProblem(400, "model_not_found", "model");

        var put = (await App.PutAsync($"/v1/models/{name}", Small)).MustBe(200);
        await EverywhereAsync(user, name, reply => reply.Status == 200, "the model");
        Assert.Equal(Cost(1, 2), (await user.ChatAsync(name, Price.Question)).MustBe(200)["X-LLMGateway-Cost"]);

        Assert.Equal(put.Text, (await App.PutAsync($"/v1/models/{name}", Small)).MustBe(200).Text);
        Assert.Equal(put.Text, (await App.GetAsync($"/v1/models/{name}")).MustBe(200).Text);
        (await App.PutAsync($"/v1/models/{name}", Small.Replace("\"output\":\"2\"", "\"output\":\"4\""))).MustBe(200);
        await EverywhereAsync(user, name, reply => reply["X-LLMGateway-Cost"] == Cost(1, 4), "the price");
        var prices = (await App.GetAsync($"/v1/models/{name}/prices")).MustBe(200).Json.Items("prices").ToList();
        Assert.Equal(["4", "2"], prices.Select(one => one.GetProperty("prices").Text("output")));

        // Without a price it keeps the one that it has.
        (await App.PutAsync($"/v1/models/{name}", """
            {"provider":"sandbox","upstreamModel":"sandbox-small","contextTokens":10000,"maxOutputTokens":1000}
            """)).MustBe(200);
        Assert.Equal("4", (await App.GetAsync($"/v1/models/{name}")).Json.GetProperty("prices").Text("output"));

        (await App.DeleteAsync($"/v1/models/{name}")).MustBe(204);
        await EverywhereAsync(user, name, reply => reply.Code == "model_not_found", "the end of the model");
        (await App.GetAsync($"/v1/models/{name}")).MustBeProblem(404, "not_found");
        (await App.DeleteAsync($"/v1/models/{name}")).MustBeProblem(404, "not_found");
        Assert.Equal(2, (await App.GetAsync($"/v1/models/{name}/prices")).MustBe(200).Json.Items("prices").Count());
        await Books.MustBeRightAsync();
    }

    /// <summary>Names with a slash are escaped in an address.</summary>
    [Fact]
    public async Task A_model_with_a_slash_in_its_name_has_its_address()
    {
        var name = Unique("vendor/model");
        var path = $"/v1/models/{Uri.EscapeDataString(name)}";

        (await App.PutAsync(path, Small)).MustBe(200);

        Assert.Equal(name, (await App.GetAsync(path)).MustBe(200).Json.Text("id"));
        Assert.Single((await App.GetAsync($"{path}/prices")).MustBe(200).Json.Items("prices"));
        (await App.DeleteAsync(path)).MustBe(204);
    }

    [Fact]
    public async Task A_customer_still_sees_the_models_that_it_may_call_where_a_backend_sees_those_of_the_project()
    {
        var user = await App.NewUserAsync(null);

        var own = (await Gateway.SendAsync("GET", "/v1/models", user.Token)).MustBe(200).Json;
        Assert.Equal("list", own.Text("object"));
        var managed = (await App.GetAsync("/v1/models")).MustBe(200).Json.Items("models").Single(model => model.Text("id") == "small");
        Assert.Equal(("sandbox", "0.5"), (managed.Text("provider"), managed.GetProperty("prices").Text("cachedInput")));
        (await Gateway.SendAsync("PUT", "/v1/models/small", user.Token, Small)).MustBeProblem(401, "wrong_credential_kind");
    }

    [Fact]
    public async Task A_provider_keeps_its_secret_which_nobody_is_shown_and_another_one_is_used_within_a_second()
    {
        var (name, user) = (Unique("p"), await App.NewUserAsync());
        var sandbox = (await App.GetAsync("/v1/providers/sandbox")).MustBe(200);
        Assert.DoesNotContain("sk-sandbox", sandbox.Text);
        var (path, address) = ("/v1/providers/sandbox", sandbox.Json.Text("baseUrl"));

        (await App.PutAsync(path, sandbox.Text)).MustBe(200);
        (await App.PostAsync($"{path}/test", "{}")).MustBe(200);
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        var put = (await App.PutAsync(path, Sandbox(address, "sk-bad"))).MustBe(200);
        Assert.DoesNotContain("sk-bad", put.Text);
        await EverywhereAsync(user, "small", reply => reply.Status == 502, "the bad key");
        Assert.Equal((false, 401, "refused"), await TestAsync("sandbox"));
        (await App.PutAsync(path, Sandbox(address, "sk-sandbox"))).MustBe(200);
        await EverywhereAsync(user, "small", reply => reply.Status == 200, "the good key");
        Assert.Equal((true, 200, null), await TestAsync("sandbox"));
        (await App.DeleteAsync(path)).MustBeProblem(409, "provider_in_use");

        // Without the secret, and without a word on how it is sent, both stay.
        (await App.PutAsync(path, Sandbox(address, null))).MustBe(200);
        Assert.Equal((true, 200, null), await TestAsync("sandbox"));

        (await App.PutAsync($"/v1/providers/{name}", Public)).MustBe(200);
        (await App.DeleteAsync($"/v1/providers/{name}")).MustBe(204);
        (await App.GetAsync($"/v1/providers/{name}")).MustBeProblem(404, "not_found");
    }

    /// <summary>
    /// Who does not know the secret would have it sent to a place of his own, or to where it is quoted, or would use more of what it opens.
    /// </summary>
    [Theory]
    [InlineData("https://api.example.com/v1", "https://evil.example.com/v1")]
    [InlineData("https://api.example.com/v1", "https://api.example.com/v2")]
    [InlineData("\"wire\":\"openai\"", "\"wire\":\"http\"")]
    [InlineData("{\"value\":\"one\"}", "{\"type\":\"query\",\"name\":\"callback\"}")]
    [InlineData("\"queryType\":\"standard\"", "\"queryType\":\"standard\",\"rawPaths\":[\"/v1/files\"]")]
    [InlineData(",\"queryType\":\"standard\"", "")]
    public async Task A_secret_that_is_not_said_stays_only_while_all_else_of_the_connection_does(string old, string other)
    {
        var path = $"/v1/providers/{Unique("p")}";
        (await App.PutAsync(path, Public)).MustBe(200);
        var changed = Public.Replace(old, other).Replace("{\"value\":\"one\"}", "{}");
        Assert.NotEqual(Public, changed);

        (await App.PutAsync(path, Public.Replace(",\"auth\":{\"value\":\"one\"}", ",\"timeoutSeconds\":5"))).MustBe(200);
        (await App.PutAsync(path, changed)).MustBeProblem(400, "invalid_value", "auth.value");

        (await App.DeleteAsync(path)).MustBe(204);
    }

    /// <summary>The operator let the gateway in there, for the calls of the models, and no tenant's customers for any call.</summary>
    [Theory]
    [InlineData("http", "")]
    [InlineData("openai", ",\"rawPaths\":[\"/admin\"],\"queryType\":\"free\"")]
    [InlineData("openai", ",\"queryType\":\"free\"")]
    public async Task A_private_address_of_a_seed_file_is_not_opened_for_other_calls(string wire, string more)
    {
        const string Path = "/v1/providers/private";
        var stored = (await App.GetAsync(Path)).MustBe(200);
        var body = Sandbox(stored.Json.Text("baseUrl"), "sk-sandbox").Replace("\"openai\"", $"\"{wire}\"").TrimEnd();

        (await App.PutAsync(Path, $"{body[..^1]}{more}}}")).MustBeProblem(400, "invalid_value", "baseUrl");

        Assert.Equal(stored.Text, (await App.GetAsync(Path)).MustBe(200).Text);
    }

    /// <summary>
    /// A route without its provider would be gone, and its calls would fall to a wider one. A batch would never be settled.
    /// </summary>
    [Fact]
    public async Task A_provider_that_a_model_or_a_route_or_an_open_batch_needs_stays_what_it_is()
    {
        var (name, user) = (Unique("p"), await App.NewUserAsync("1"));
        var (path, project) = ($"/v1/providers/{name}", await Books.ProjectAsync(user));
        (await App.PutAsync(path, Public)).MustBe(200);

        (await App.PutAsync($"/v1/models/{name}", $$"""{"provider":"{{name}}","contextTokens":9,"maxOutputTokens":8}""")).MustBe(200);
        (await App.PutAsync(path, Public.Replace("\"wire\":\"openai\"", "\"wire\":\"http\""))).MustBeProblem(400, "invalid_value", "wire");
        await MustBeInUseAsync($"'{name}'");
        (await App.DeleteAsync($"/v1/models/{name}")).MustBe(204);

        await ExecuteAsync(
            "insert into project_route (project_id, id, definition) values ($1, $2, $3)",
            project, name, $$"""{"id":"{{name}}","path":"/v1/{{name}}","provider":"{{name}}","enabled":false}""");
        await MustBeInUseAsync($"'{name}'");
        await ExecuteAsync("delete from project_route where project_id = $1 and id = $2", project, name);

        await ExecuteAsync(
            """
            insert into provider_object (
                id, kind, project_id, test, customer_id, provider_id, provider_key, upstream_id, created_at, next_check_at)
            values ($2, 'batch', $1, false, $3, $2, '', '', now(), now() + interval '1 day')
            """,
            project, name, user.Customer);
        await MustBeInUseAsync("batch");
        foreach (var elsewhere in (string[])[Public.Replace("api.example.com", "eu.example.com"), Public.Replace("\"openai\"", "\"http\"")])
            Assert.Contains("batch", (await App.PutAsync(path, elsewhere)).MustBeProblem(409, "provider_in_use").Json.Text("message"));
        // It is found with another secret of the account, and under another path. When it should have ended long ago it holds nobody.
        (await App.PutAsync(path, Public.Replace("\"one\"", "\"two\"").Replace("/v1", "/v2"))).MustBe(200);
        await ExecuteAsync(
            "update provider_object set created_at = now() - interval '49 hours' where project_id = $1 and id = $2", project, name);
        (await App.PutAsync(path, Public.Replace("api.example.com", "eu.example.com"))).MustBe(200);
        await MustBeInUseAsync("batch");
        await ExecuteAsync("delete from provider_object where project_id = $1 and id = $2", project, name);

        (await App.DeleteAsync(path)).MustBe(204);

        async Task MustBeInUseAsync(string by) =>
            Assert.Contains(by, (await App.DeleteAsync(path)).MustBeProblem(409, "provider_in_use").Json.Text("message"));
    }

    static async Task ExecuteAsync(string sql, params object[] values)
    {
        await using var command = Books.Sessions.CreateCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData("http://127.0.0.1:9/v1")]
    [InlineData("http://10.0.0.5/v1")]
    [InlineData("https://169.254.169.254/latest")]
    [InlineData("https://localhost/v1")]
    [InlineData("https://gateway.internal/v1")]
    [InlineData("http://api.example.com/v1")]
    public async Task An_address_that_a_tenant_sets_must_be_public(string address)
    {
        var path = $"/v1/providers/{Unique("p")}";

        (await App.PutAsync(path, Sandbox(address, "x"))).MustBeProblem(400, "invalid_value", "baseUrl");

        (await App.GetAsync(path)).MustBeProblem(404, "not_found");
    }

    [Fact]
    public async Task A_plan_that_is_changed_is_another_one_for_its_customers_within_a_second()
    {
        var user = await App.NewUserAsync();
        await Books.GivePlanAsync(user, tokens: 30, overagePicos: null);
        var plan = Books.PlanOf(user);
        foreach (var proxy in Stack.Proxies)
            await user.ChatAsync("small", Price.Question, at: proxy);
        Assert.NotEqual(200, (await user.ChatAsync("small", Price.Question)).Status);

        var put = (await App.PutAsync($"/v1/plans/{plan}", """
            {"name":"Large","price":"1.000000001","tokens":100000,"overagePerToken":"0.000000000000000001","trialDays":3}
            """)).MustBe(200);

        Assert.Equal(put.Text, (await App.GetAsync($"/v1/plans/{plan}")).MustBe(200).Text);
        Assert.Equal("0.000000000000000001", put.Json.Text("overagePerToken"));
        await EverywhereAsync(user, "small", reply => reply.Status == 200, "the larger plan");
        (await App.DeleteAsync($"/v1/plans/{plan}")).MustBeProblem(409, "plan_in_use");
    }

    [Fact]
    public async Task A_project_s_settings_are_changed_and_what_is_absent_stays()
    {
        var project = (await Backend.Narrowed.GetAsync("/v1/projects")).MustBe(200).Json.Items("projects").Single();
        var path = $"/v1/projects/{project.Text("id")}";

        var put = (await Backend.Narrowed.PutAsync(path, """{"lowBalance":"2.5","limitThresholds":[90]}""")).MustBe(200).Json;

        var settings = put.GetProperty("settings");
        Assert.Equal(("narrowed", "2.5", "live"), (settings.Text("name"), settings.Text("lowBalance"), settings.Text("mode")));
        Assert.True(settings.GetProperty("endUserSessions").GetBoolean());
        Assert.Equal(put.GetRawText(), (await Backend.Narrowed.PutAsync(path, settings.GetRawText())).MustBe(200).Text);
        (await Backend.Narrowed.PutAsync(path, """{"platformFeePercent":"0"}""")).MustBeProblem(400, "invalid_value", "platformFeePercent");
        (await Backend.Narrowed.PutAsync(path, """{"topUpLimits":{"perDay":9}}""")).MustBeProblem(400, "invalid_value", "topUpLimits");
        (await Backend.Narrowed.PutAsync(path, """{"mode":"test"}""")).MustBeProblem(400, "invalid_value", "mode");
        (await App.PutAsync(path, """{"lowBalance":"1"}""")).MustBeProblem(404, "not_found");
        (await App.GetAsync(path)).MustBeProblem(404, "not_found");
    }

    [Fact]
    public async Task A_project_s_branding_is_what_its_customers_pages_are_told()
    {
        var user = await Backend.Narrowed.NewUserAsync(null);
        const string full = """{"name":"Acme Credits","logoUrl":"https://acme.example.com/logo.svg","color":"#1a2b3c"}""";

        Assert.Equal(full, (await Backend.Narrowed.PutAsync("/v1/branding", full)).MustBe(200).Text);
        Assert.Equal(full, (await Backend.Narrowed.GetAsync("/v1/branding")).MustBe(200).Text);
        var told = await ToldAsync();
        Assert.Equal(
            ("Acme Credits", "https://acme.example.com/logo.svg", "#1a2b3c"),
            (told.Text("name"), told.Text("logoUrl"), told.Text("color")));
        foreach (var (body, field) in ((string, string)[])[("""{"logoUrl":"javascript:alert(1)"}""", "logoUrl"),
            ("""{"termsUrl":"http://acme.example.com"}""", "termsUrl"), ("""{"color":"red"}""", "color"), ("""{"font":"x"}""", "font")])
            (await Backend.Narrowed.PutAsync("/v1/branding", body)).MustBeProblem(400, "invalid_value", field);
        Assert.Equal(full, (await Backend.Narrowed.GetAsync("/v1/branding")).MustBe(200).Text);

        (await Backend.Narrowed.DeleteAsync("/v1/branding")).MustBe(204);
        Assert.Equal("narrowed", (await ToldAsync()).Text("name"));
        Assert.Equal("{}", (await Backend.Narrowed.GetAsync("/v1/branding")).MustBe(200).Text);

        async Task<JsonElement> ToldAsync() =>
            (await Gateway.SendAsync("GET", "/v1/config", user.Token)).MustBe(200).Json.GetProperty("branding");
    }

    [Fact]
    public async Task An_origin_that_a_project_adds_may_call_within_a_second()
    {
        var user = await App.NewUserAsync();
        var project = (await App.GetAsync("/v1/projects")).MustBe(200).Json.Items("projects").Single().Text("id");
        (await App.PutAsync($"/v1/projects/{project}", """{"allowedOrigins":["https://app.example.com"]}""")).MustBe(200);
        foreach (var proxy in Stack.Proxies)
        {
            await Eventually.HoldsAsync(async () => await From("https://other.example.com", proxy) == 403, "the refusal", Bound);
            Assert.Equal(200, await From("https://app.example.com", proxy));
        }

        (await App.PutAsync($"/v1/projects/{project}", """
            {"allowedOrigins":["https://app.example.com","https://other.example.com"]}
            """)).MustBe(200);

        foreach (var proxy in Stack.Proxies)
            await Eventually.HoldsAsync(async () => await From("https://other.example.com", proxy) == 200, "the origin", Bound);

        async Task<int> From(string origin, Uri proxy) => (await Gateway.SendAsync(
            "POST", Chat.Path, user.Token, Chat.Body("small", Price.Question), proxy, ("Origin", origin))).Status;
    }

    [Fact]
    public async Task The_types_of_call_credits_are_those_that_providers_ask_and_customers_have()
    {
        var types = (await Backend.Queries.GetAsync("/v1/query-types")).MustBe(200).Json.Items("queryTypes").ToList();

        Assert.NotEmpty(types);
        Assert.All(types, type => Assert.NotEmpty(type.Text("type")));
        var name = types[0].Text("type");
        Assert.Equal(types[0].GetRawText(), (await Backend.Queries.GetAsync($"/v1/query-types/{name}")).MustBe(200).Text);
        (await Backend.Queries.GetAsync("/v1/query-types/none-of-them")).MustBeProblem(404, "not_found");
    }

    /// <summary>What they would change is what live customers get and pay.</summary>
    [Theory]
    [InlineData("PUT", "/v1/providers/mine", """{"wire":"openai","baseUrl":"https://api.example.com/v1"}""")]
    [InlineData("DELETE", "/v1/providers/sandbox", null)]
    [InlineData("PUT", "/v1/models/mine", Small)]
    [InlineData("DELETE", "/v1/models/small", null)]
    [InlineData("PUT", "/v1/routes/mine", """{"path":"/mine","provider":"sandbox"}""")]
    [InlineData("DELETE", "/v1/routes/mine", null)]
    [InlineData("PUT", "/v1/plans/mine", """{"name":"Mine","price":"0"}""")]
    [InlineData("GET", "/v1/seed", null)]
    public async Task A_test_key_changes_nothing_of_a_live_project(string method, string path, string? body) =>
        (await Gateway.SendAsync(method, path, Backend.ManagedTest.Key, body)).MustBeProblem(403, "live_key_needed");

    [Theory]
    [InlineData("providers/x", """{"wire":"smoke","baseUrl":"https://a.example.com"}""", "wire", "must be one of openai, ")]
    [InlineData("providers/x", """{"wire":"openai","baseUrl":"ftp://x"}""", "baseUrl", "must be an http or https address")]
    [InlineData("providers/x", """{"wire":"openai"}""", "baseUrl", "is required")]
    [InlineData("providers/x", """{"wire":"openai","baseUrl":"https://a.example.com","auth":{}}""", "auth.value", "is required")]
    [InlineData("providers/x", """{"wire":"openai","baseUrl":"https://a.example.com","auth":{"value":"${HOME}"}}""", "auth.value",
        "must be the secret itself")]
    [InlineData("providers/x", """{"id":"y","wire":"openai","baseUrl":"https://a.example.com"}""", "id", "and the address says 'x'")]
    [InlineData("providers/a%20b", """{"wire":"openai","baseUrl":"https://a.example.com"}""", "id", "must be 1 to 64 letters")]
    [InlineData("providers/x", """{"wire":"openai","baseUrl":"https://a.example.com","authentication":{}}""", "authentication",
        "is not a member that this call has")]
    [InlineData("models/x", """{"provider":"nobody","contextTokens":1,"maxOutputTokens":1}""", "provider", "names 'nobody'")]
    [InlineData("models/x", """{"providers":["sandbox",{"id":"nobody"}]}""", "providers[1].id", "names 'nobody'")]
    [InlineData("models/x", """{"provider":"sandbox","prices":{"input":"-1"}}""", "prices.input", "must not be negative")]
    [InlineData("models/x", """{"provider":"sandbox","prices":{"input":"0.00000015"}}""", "prices.input", "")]
    [InlineData("models/x", """{"provider":"sandbox","upstreamModel":"nobodys"}""", "contextTokens", "the catalogue does not know")]
    [InlineData("routes/x", """{"path":"weather","provider":"sandbox"}""", "path", "must begin with a slash")]
    [InlineData("routes/x", """{"path":"/v1/chat/completions","provider":"sandbox"}""", "path", "is one that the gateway serves itself")]
    [InlineData("routes/x", """{"path":"/x","provider":"nobody"}""", "provider", "names 'nobody'")]
    [InlineData("routes/x", """{"path":"/x"}""", "provider", "is required")]
    [InlineData("routes/x", """{"path":"/x","provider":"sandbox","meter":"responseByts"}""", "meter", "Did you mean 'responseBytes'?")]
    [InlineData("routes/x", """{"path":"/x","provider":"sandbox","headers":{"A":null}}""", "headers.A", "must have from 1 to")]
    [InlineData("routes/x", """{"path":"/x","provider":"sandbox","price":"-1"}""", "price", "must be between 0 and")]
    [InlineData("routes/x", """{"path":"/x","provider":"sandbox","public":true,"host":"a.example.com"}""", "public",
        "is the operator's to say")]
    [InlineData("plans/x", """{"name":"X","price":"-1"}""", "price", "must not be negative")]
    [InlineData("plans/x", """{"name":"X","price":"1","overagePerToken":"1"}""", "overagePerToken", "must be at most 0.1 USD per token")]
    [InlineData("plans/x", """{"name":"X","price":"1","lastTerm":"half"}""", "lastTerm", "must be prorated or full")]
    public async Task A_mistake_is_named_as_in_a_seed_file_and_nothing_is_written(string path, string body, string field, string reason)
    {
        var reply = (await App.PutAsync($"/v1/{path}", body)).MustBe(400);

        Assert.Equal(field, reply.Json.GetProperty("error").Text("param"));
        Assert.Contains(reason, reply.Json.Text("message"));
        (await App.GetAsync($"/v1/{path}")).MustBeProblem(404, "not_found");
    }

    static string Unique(string name) => $"{name}-{Guid.NewGuid():N}";

    /// <param name="secret">Null: nothing is said of how it is sent, either.</param>
    static string Sandbox(string address, string? secret)
    {
        var auth = secret is null ? "" : $$""","auth":{"type":"bearer","value":"{{secret}}"}""";
        return $$"""{"wire":"openai","baseUrl":{{JsonSerializer.Serialize(address)}}{{auth}},"retries":0}""";
    }

    /// <summary>Of the usual question and answer, at these prices per million.</summary>
    static string Cost(long input, long output) => Gateway.Usd(
        Price.OfQuestion / Price.Input * input * 1000 + Price.OfAnswer / Price.Output * output * 1000);

    static async Task<(bool Ok, int? Status, string? Error)> TestAsync(string provider)
    {
        var json = (await App.PostAsync($"/v1/providers/{provider}/test", "{}")).MustBe(200).Json;
        return (json.GetProperty("ok").GetBoolean(), json.Int("status"), json.Text("error"));
    }

    static async Task EverywhereAsync(User user, string model, Func<Reply, bool> holds, string what)
    {
        foreach (var proxy in Stack.Proxies)
            await Eventually.GetAsync(() => user.ChatAsync(model, Price.Question, at: proxy), holds, what, Bound);
    }
}
