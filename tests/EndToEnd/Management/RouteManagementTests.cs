using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>Routes of a project's own and providers of any HTTP API, said over HTTP as in a seed file.</summary>
public sealed class RouteManagementTests
{
    /// <summary>The host that the seed file has opened to everybody, and its route.</summary>
    const string OpenHost = "routed.example.com", OpenRoute = "/v1/routes/for%20everybody";

    static readonly TimeSpan Bound = TimeSpan.FromSeconds(1);

    static readonly Backend App = Backend.Routed;

    /// <summary>A provider that a call has made. Only to such a one may a call send its routes anyhow.</summary>
    const string Own = "of-the-tenant";

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_route_is_in_force_in_every_proxy_within_a_second_and_gone_when_it_is_deleted()
    {
        await MakeOwnAsync();
        var (name, user) = (Unique(), await App.NewUserAsync());
        var path = $"/v1/routes/{name}";
        foreach (var proxy in Stack.Proxies)
            (await CallAsync(user, name, proxy)).MustBeProblem(404, "not_found");

        (await Gateway.SendAsync("PUT", path, user.Token, Priced(name, "0.001"))).MustBeProblem(401, "wrong_credential_kind");
        var put = (await App.PutAsync(path, Priced(name, "0.001"))).MustBe(200);
        await EverywhereAsync(user, name, reply => reply["X-LLMGateway-Cost"] == "0.001", "the route");

        Assert.Equal(put.Text, (await App.PutAsync(path, Priced(name, "0.001"))).MustBe(200).Text);
        Assert.Equal(put.Text, (await App.GetAsync(path)).MustBe(200).Text);
        Assert.Equal(put.Text, (await App.PutAsync(path, put.Text)).MustBe(200).Text);
        Assert.Single((await App.GetAsync("/v1/routes")).MustBe(200).Json.Items("routes"), route => route.Text("id") == name);
        (await App.PutAsync(path, Priced(name, "0.002"))).MustBe(200);
        await EverywhereAsync(user, name, reply => reply["X-LLMGateway-Cost"] == "0.002", "the price");

        (await App.DeleteAsync(path)).MustBe(204);
        await EverywhereAsync(user, name, reply => reply.Status == 404, "the end of the route");
        (await App.GetAsync(path)).MustBeProblem(404, "not_found");
        (await App.DeleteAsync(path)).MustBeProblem(404, "not_found");
        var entries = (await App.GetAsync($"/v1/audit?subject=routes/{name}")).MustBe(200).Json.Items("entries").ToList();
        Assert.Equal(["route.deleted", "route.changed", "route.created"], entries.Select(entry => entry.Text("action")));
        Assert.Equal(("0.001", "0.002"), (PriceIn(entries[1], "before"), PriceIn(entries[1], "after")));
        await Books.MustBeRightAsync();
    }

    /// <summary>As where a seed file says no id.</summary>
    [Fact]
    public async Task A_route_that_is_named_by_its_path_has_its_address()
    {
        await MakeOwnAsync();
        var (template, user) = ($"/{Unique()}/{{count}}", await App.NewUserAsync());
        var path = $"/v1/routes/{Uri.EscapeDataString(template)}";
        var body = $$"""{"path":"{{template}}","match":"pattern","provider":"{{Own}}","rewrite":"/rows/{count}"}""";

        Assert.Equal(template, (await App.PutAsync(path, body)).MustBe(200).Json.Text("id"));

        var reply = await Eventually.GetAsync(
            () => Gateway.SendAsync("GET", template.Replace("{count}", "3"), user.Token), reply => reply.Status == 200, "the route", Bound);
        Assert.Equal(3, reply.Json.GetProperty("rows").GetArrayLength());
        Assert.Equal(template, (await App.GetAsync(path)).MustBe(200).Json.Text("id"));
        (await App.PutAsync(path, $$"""{"id":"other",{{body[1..]}}""")).MustBeProblem(400, "invalid_value", "id");
        (await App.DeleteAsync(path)).MustBe(204);
    }

    [Fact]
    public async Task Two_routes_that_tie_are_refused_by_both_names_and_nothing_is_written()
    {
        await MakeOwnAsync();
        var (one, other) = (Unique(), Unique());
        (await App.PutAsync($"/v1/routes/{one}", Body("{a}", 0))).MustBe(200);

        var refused = (await App.PutAsync($"/v1/routes/{other}", Body("{b}", 0))).MustBeProblem(409, "routes_tie");

        Assert.Contains($"'{one}'", refused.Json.Text("message"));
        Assert.Contains($"'{other}'", refused.Json.Text("message"));
        (await App.GetAsync($"/v1/routes/{other}")).MustBeProblem(404, "not_found");
        (await App.PutAsync($"/v1/routes/{other}", Body("{b}", 1))).MustBe(200);
        (await App.PutAsync($"/v1/routes/{one}", Body("{a}", 1))).MustBeProblem(409, "routes_tie");
        Assert.Equal(0, (await App.GetAsync($"/v1/routes/{one}")).MustBe(200).Json.Int("priority"));
        foreach (var name in (string[])[one, other])
            (await App.DeleteAsync($"/v1/routes/{name}")).MustBe(204);

        string Body(string segment, int priority) =>
            $$"""{"path":"/{{one}}/{{segment}}","match":"pattern","provider":"{{Own}}","priority":{{priority}}}""";
    }

    /// <summary>Behind those is the operator's account, with his secret.</summary>
    [Fact]
    public async Task A_route_that_a_call_makes_opens_of_the_operators_providers_what_raw_calls_open_and_nothing_else()
    {
        var (name, user) = (Unique(), await App.NewUserAsync(null));
        var path = $"/v1/routes/{name}";
        (await App.PutAsync(path, To("api"))).MustBeProblem(400, "invalid_value", "provider");
        (await App.GetAsync(path)).MustBeProblem(404, "not_found");
        (await App.PutAsync(path, To("raw").Replace("}\"}", "}\",\"request\":{\"setQuery\":{\"a\":\"b\"}}}")))
            .MustBeProblem(400, "invalid_value", "request");
        Assert.True((await App.PutAsync(path, To("raw"))).MustBe(200).Json.GetProperty("tenant").GetBoolean());

        foreach (var proxy in Stack.Proxies)
        {
            await Eventually.GetAsync(() => AskAsync("echo/x", proxy), reply => reply.Status == 200, "the route", Bound);
            (await AskAsync("rows/1", proxy)).MustBeProblem(403, "provider-disabled");
        }
        // The operator's own goes where it went, and nowhere else.
        var stored = (await App.GetAsync(OpenRoute)).MustBe(200).Text;
        Assert.Equal(stored, (await App.PutAsync(OpenRoute, stored)).MustBe(200).Text);
        (await App.PutAsync(OpenRoute, stored.Replace("\"/{rest}\"", "\"/x/{rest}\""))).MustBeProblem(400, "invalid_value", "provider");
        (await App.DeleteAsync(path)).MustBe(204);

        string To(string provider) => $$"""{"path":"/{{name}}","match":"prefix","provider":"{{provider}}","rewrite":"/{rest}"}""";

        Task<Reply> AskAsync(string address, Uri proxy) => Gateway.SendAsync("GET", $"/{name}/{address}", user.Token, at: proxy);
    }

    [Fact]
    public async Task Which_hosts_are_for_everybody_is_the_operators_to_say_and_a_call_may_repeat_it()
    {
        var stored = (await App.GetAsync(OpenRoute)).MustBe(200).Text;
        await OpenEverywhereAsync(200, Eventually.Usual);

        (await App.PutAsync(OpenRoute, stored.Replace(OpenHost, "other.example.com"))).MustBeProblem(400, "invalid_value", "public");
        (await App.PutAsync($"/v1/routes/{Unique()}", $$"""{"path":"/x","provider":"api","public":true,"host":"{{OpenHost}}"}"""))
            .MustBeProblem(400, "invalid_value", "public");
        Assert.Equal(stored, (await App.GetAsync(OpenRoute)).MustBe(200).Text);

        // Switched off it keeps its host, so it may be switched on again.
        (await App.PutAsync(OpenRoute, stored.Replace("\"enabled\":true", "\"enabled\":false"))).MustBe(200);
        await OpenEverywhereAsync(404, Bound);
        (await App.PutAsync(OpenRoute, stored)).MustBe(200);
        await OpenEverywhereAsync(200, Bound);

        static async Task OpenEverywhereAsync(int status, TimeSpan atMost)
        {
            foreach (var proxy in Stack.Proxies)
                await Eventually.GetAsync(() => AskAsync(proxy), reply => reply.Status == status, $"the status {status}", atMost);
        }

        static Task<Reply> AskAsync(Uri proxy)
        {
            var request = Gateway.Request("GET", "/v1/for-everybody/rows/2", at: proxy);
            request.Headers.Host = OpenHost;
            return Gateway.SendAsync(request);
        }
    }

    [Fact]
    public async Task A_host_is_for_everybody_in_one_project_alone()
    {
        static string Project(string name) => $$"""
            {"name":"{{name}}","providers":[{"id":"api","wire":"http","baseUrl":"https://api.example.com"}],
             "routes":[{"path":"/x","provider":"api","public":true,"host":"one.example.com"}]}
            """;
        var seed = $$"""{"organizations":[{"name":"Two","projects":[{{Project("first")}},{{Project("second")}}]}]}""";

        var failed = await Assert.ThrowsAsync<InvalidOperationException>(
            () => EmptySessions.StartAsync(seed, new Dictionary<string, string>()));

        Assert.Contains("projects[1].routes: the host 'one.example.com' has routes for everybody in another project", failed.Message);
    }

    [Fact]
    public async Task A_provider_that_a_route_goes_to_is_not_deleted()
    {
        var name = Unique();
        (await App.PutAsync($"/v1/providers/{name}", """{"wire":"http","baseUrl":"https://api.example.com"}""")).MustBe(200);
        (await App.PutAsync($"/v1/routes/{name}", $$"""{"path":"/{{name}}","provider":"{{name}}"}""")).MustBe(200);

        var refused = (await App.DeleteAsync($"/v1/providers/{name}")).MustBeProblem(409, "provider_in_use");

        Assert.Contains($"'{name}'", refused.Json.Text("message"));
        (await App.DeleteAsync($"/v1/routes/{name}")).MustBe(204);
        (await App.DeleteAsync($"/v1/providers/{name}")).MustBe(204);
    }

    [Fact]
    public async Task A_project_has_so_many_routes_and_so_much_of_them_and_no_more()
    {
        await MakeOwnAsync();
        var (name, there) = (Unique(), (await App.GetAsync("/v1/routes")).MustBe(200).Json.Items("routes").Count());
        var (path, body) = ($"/v1/routes/{name}", $$"""{"path":"/{{name}}","provider":"{{Own}}"}""");
        try
        {
            await StoreAsync(CustomRoute.MaxPerProject - there, more: 0);
            (await App.PutAsync(path, body)).MustBeProblem(409, "too_many_routes");
            (await App.PutAsync("/v1/routes/full-1", $$"""{"path":"/full/1","provider":"{{Own}}","priority":5}""")).MustBe(200);
        }
        finally
        {
            await ForgetAsync();
        }
        try
        {
            await StoreAsync(1, more: 1024 * 1024);
            (await App.PutAsync(path, body)).MustBeProblem(409, "too_large_routes");
            // What a file has filled may become less.
            (await App.PutAsync("/v1/routes/full-1", $$"""{"path":"/full/1","provider":"{{Own}}"}""")).MustBe(200);
        }
        finally
        {
            await ForgetAsync();
        }
        (await App.GetAsync(path)).MustBeProblem(404, "not_found");

        // A hundred calls would say the same, in more time.
        static async Task StoreAsync(int count, int more)
        {
            await using var command = Books.Sessions.CreateCommand("""
                insert into project_route (project_id, id, definition)
                select project.id, 'full-' || n, '{"path":"/full/' || n || '","provider":"api","rewrite":"/' || repeat('x', $2) || '"}'
                from project, generate_series(1, $1) n where project.name = 'routed'
                """);
            command.Parameters.Add(new() { Value = count });
            command.Parameters.Add(new() { Value = more });
            Assert.Equal(count, await command.ExecuteNonQueryAsync(Token));
        }

        static async Task ForgetAsync()
        {
            await using var command = Books.Sessions.CreateCommand("delete from project_route where id like 'full-%'");
            await command.ExecuteNonQueryAsync(Token);
        }
    }

    /// <summary>The audit keeps each for two years, and nobody may delete it. What was changed too often can still be deleted.</summary>
    [Fact]
    public async Task Calls_change_the_routes_of_a_project_so_often_a_day_and_no_oftener_and_the_operators_file_does_not_count()
    {
        var (app, name) = (Backend.KeysOnly, Unique());
        var (path, provider) = ($"/v1/routes/{name}", $"/v1/providers/{name}");
        (await app.PutAsync(provider, """{"wire":"http","baseUrl":"https://api.example.com"}""")).MustBe(200);
        await EnterAsync("seed");
        (await app.PutAsync(path, Body(1))).MustBe(200);

        await EnterAsync("skey_of_somebody");
        var refused = (await app.PutAsync(path, Body(2))).MustBeProblem(429, "rate_limit_exceeded");

        Assert.Equal("3600", refused["Retry-After"]);
        Assert.Equal(1, (await app.GetAsync(path)).MustBe(200).Json.Int("priority"));
        (await app.PutAsync(provider, """{"wire":"http","baseUrl":"https://other.example.com"}""")).MustBe(200);
        (await app.DeleteAsync(path)).MustBe(204);
        (await app.DeleteAsync(provider)).MustBe(204);

        string Body(int priority) => $$"""{"path":"/{{name}}","provider":"{{name}}","priority":{{priority}}}""";

        async Task EnterAsync(string actor)
        {
            await using var command = Books.Sessions.CreateCommand("""
                insert into audit_entry (id, project_id, at, actor, action, subject)
                select id, $2, now(), $3, 'route.changed', 'routes/full' from unnest($1) id
                """);
            command.Parameters.Add(new() { Value = Enumerable.Range(0, 1000).Select(_ => Ids.New()).ToArray() });
            command.Parameters.Add(new() { Value = await ProjectAsync(app) });
            command.Parameters.Add(new() { Value = actor });
            await command.ExecuteNonQueryAsync(Token);
        }

        static async Task<Guid> ProjectAsync(Backend app) => Guid.ParseExact(
            (await app.GetAsync("/v1/projects")).MustBe(200).Json.Items("projects").Single().Text("id")["prj_".Length..], "N");
    }

    [Fact]
    public async Task Where_a_provider_takes_raw_calls_is_changed_within_a_second()
    {
        const string Path = "/v1/providers/raw-of-the-tenant";
        var user = await App.NewUserAsync(null);
        (await App.PutAsync(Path, Open("/echo"))).MustBe(200);
        await RawEverywhereAsync("echo/x", 200);
        await RawEverywhereAsync("rows/1", 403);

        (await App.PutAsync(Path, Open("/rows"))).MustBe(200);
        await RawEverywhereAsync("rows/1", 200);
        await RawEverywhereAsync("echo/x", 403);
        (await App.PutAsync(Path, Open("/a/../b"))).MustBeProblem(400, "invalid_value", "rawPaths[0]");
        (await App.PutAsync(Path, Open("/echo"))).MustBe(200);
        await RawEverywhereAsync("echo/x", 200);
        (await App.DeleteAsync(Path)).MustBe(204);

        // Who opens more of it must know its secret.
        static string Open(string root) => $$"""
            {"wire":"http","baseUrl":"{{Stack.TenantsSandbox}}http","auth":{"type":"bearer","value":"sk-api-of-ours-000"},"retries":0,
             "queryType":"free","rawPaths":["{{root}}"]}
            """;

        async Task RawEverywhereAsync(string address, int status)
        {
            foreach (var proxy in Stack.Proxies)
                await Eventually.GetAsync(
                    () => Gateway.SendAsync("GET", $"{Path}/{address}", user.Token, at: proxy), reply => reply.Status == status,
                    $"the status {status} of {address}", Bound);
        }
    }

    [Theory]
    [InlineData("api", true, null)]
    [InlineData("refusing", false, "refused")]
    [InlineData("failing", false, "failed")]
    public async Task An_http_api_is_well_when_it_answers_and_takes_our_credential(string provider, bool ok, string? error)
    {
        var result = (await App.PostAsync($"/v1/providers/{provider}/test", "{}")).MustBe(200).Json;

        Assert.Equal((ok, error), (result.GetProperty("ok").GetBoolean(), result.Text("error")));
    }

    /// <summary>The sandbox by an address that the operator lets tenants reach.</summary>
    static async Task MakeOwnAsync() => (await App.PutAsync($"/v1/providers/{Own}", $$"""
        {"wire":"http","baseUrl":"{{Stack.TenantsSandbox}}http","auth":{"type":"bearer","value":"sk-api-of-ours-000"},"retries":0}
        """)).MustBe(200);

    static string Unique() => $"route-{Guid.NewGuid():N}";

    static string Priced(string name, string price) =>
        $$"""{"path":"/{{name}}","match":"prefix","provider":"{{Own}}","rewrite":"/{rest}","price":"{{price}}"}""";

    static string PriceIn(JsonElement entry, string side) => entry.GetProperty(side).GetProperty("definition").Text("price");

    static Task<Reply> CallAsync(User user, string name, Uri proxy) =>
        Gateway.SendAsync("GET", $"/{name}/rows/1", user.Token, at: proxy);

    static async Task EverywhereAsync(User user, string name, Func<Reply, bool> holds, string what)
    {
        foreach (var proxy in Stack.Proxies)
            await Eventually.GetAsync(() => CallAsync(user, name, proxy), holds, what, Bound);
    }
}
