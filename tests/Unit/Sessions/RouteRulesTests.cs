using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>Routes as operators write them: what is understood, and that a mistake is named by its JSON path.</summary>
public sealed class RouteRulesTests
{
    [Fact]
    public void The_contracts_example_is_a_route()
    {
        var route = Read(
            """{"path": "/v1/weather", "match": "prefix", "provider": "weather", "meter": "responseBytes / 1024", "unit": "requests"}""");
        Assert.Equal(("/v1/weather", "requests", 100L, true), (route.Id, route.Unit, route.Bound(null), route.Enabled));
    }

    [Fact]
    public void Every_member_is_read()
    {
        var route = Read("""
            {"id": "all", "path": "/v1/w/{city}", "match": "pattern", "host": "*.example.com", "methods": ["GET"], "headers": {"X-A": "*"},
             "priority": 5, "enabled": false, "provider": "weather", "rewrite": "/data/{city}", "meter": "usage.total_tokens",
             "unit": "tokens", "price": "0.000002", "maxUnits": 4000, "identity": true,
             "request": {"deleteHeaders": ["A"], "setHeaders": {"B": "1"}, "deleteQuery": ["c"], "setQuery": {"d": "2"}},
             "response": {"deleteHeaders": ["E"], "setHeaders": {"F": "3"}}}
            """);
        Assert.Equal(("all", new Rate(2_000_000_000_000), 4000L, 5), (route.Id, route.Price, route.MaxUnits, route.Priority));
        Assert.Equal(("2", "3"), (route.Request!.SetQuery!["d"], route.Response!.SetHeaders!["F"]));
    }

    [Theory]
    [InlineData("\"path\": \"weather\"", "path must begin with a slash")]
    [InlineData("\"path\": \"/v1/{city}\"", "path has the segment '{city}'")]
    [InlineData("\"path\": \"/v1/a//b\"", "path has the segment ''")]
    [InlineData("\"path\": \"/v1/../x\"", "path has the segment '..'")]
    [InlineData("\"path\": \"/v1/chat/completions\"", "path is one that the gateway serves itself")]
    [InlineData("\"path\": \"/chat\", \"match\": \"prefix\"", "path is one that the gateway serves itself")]
    [InlineData("\"path\": \"/v1/customers/{id}\", \"match\": \"pattern\"", "path is one that the gateway serves itself")]
    [InlineData("\"path\": \"/v1beta\", \"match\": \"prefix\"", "path is one that the gateway serves itself")]
    [InlineData("\"path\": \"/\"", "path is one that the gateway serves itself")]
    [InlineData("\"path\": \"/x\", \"match\": \"regex\"", "match must be one of exact, prefix, pattern")]
    [InlineData("\"path\": \"/x\", \"provider\": \"nobody\"", "provider names 'nobody'")]
    [InlineData("\"path\": \"/x\", \"host\": \"A.example.com\"", "host must be a host name")]
    [InlineData("\"path\": \"/x\", \"host\": \"a.example.com:80\"", "host must be a host name")]
    [InlineData("\"path\": \"/x\", \"methods\": []", "methods must have from 1")]
    [InlineData("\"path\": \"/x\", \"methods\": [\"get\"]", "methods[0] must be a method in capitals")]
    [InlineData("\"path\": \"/x\", \"methods\": [\"GET\", \"TRACE\"]", "methods[1] must be a method in capitals, and none of TRACE")]
    [InlineData("\"path\": \"/x\", \"methods\": [\"CONNECT\"]", "methods[0] must be a method in capitals, and none of TRACE")]
    [InlineData("\"path\": \"/x\", \"id\": \"*\"", "id is the name of raw calls")]
    [InlineData("\"path\": \"/x\", \"headers\": {\"A B\": \"1\"}", "headers.A B must be a plain name")]
    [InlineData("\"path\": \"/x\", \"headers\": {\"A\": null}", "headers.A must have from 1 to")]
    [InlineData("\"path\": \"/x\", \"request\": {\"setHeaders\": {\"A\": null}}", "request.setHeaders.A must have at most")]
    [InlineData("\"path\": \"/x\", \"request\": {\"setQuery\": {\"a\": null}}", "request.setQuery.a must have at most")]
    [InlineData("\"path\": \"/x\", \"priority\": 1001", "priority must be from -1000 to 1000")]
    [InlineData("\"path\": \"/x\", \"rewrite\": \"/{city}\"", "rewrite has the name 'city', which the path does not have")]
    [InlineData("\"path\": \"/x\", \"rewrite\": \"http://evil.example\"", "rewrite must be a plain path")]
    [InlineData("\"path\": \"/x\", \"rewrite\": \"/a/../b\"", "rewrite must be a plain path")]
    [InlineData("\"path\": \"/x\", \"meter\": \"respBody.\"", "meter: line 1, column 10:")]
    [InlineData("\"path\": \"/x\", \"meter\": \"responseByts\"", "meter: line 1, column 1:")]
    [InlineData("\"path\": \"/x\", \"meter\": \"responseByts\"", "Did you mean 'responseBytes'?")]
    [InlineData("\"path\": \"/x\", \"meter\": \"'a' + 1\"", "meter: line 1, column")]
    [InlineData("\"path\": \"/x\", \"unit\": \"usd\"", "unit must be one of requests, tokens")]
    [InlineData("\"path\": \"/x\", \"meter\": \"responseBytes\", \"price\": \"1\"", "maxUnits is required beside a price")]
    [InlineData("\"path\": \"/x\", \"meter\": \"responseBytes\", \"unit\": \"tokens\"", "maxUnits is required beside a price and of")]
    [InlineData("\"path\": \"/x\", \"maxUnits\": 0", "maxUnits must be from 1")]
    [InlineData("\"path\": \"/x\", \"maxUnits\": 5, \"fallbackUnits\": 6", "fallbackUnits must be from 1 to maxUnits")]
    [InlineData("\"path\": \"/x\", \"maxUnits\": 5, \"fallbackUnits\": 0", "fallbackUnits must be from 1 to maxUnits")]
    [InlineData("\"path\": \"/x\", \"maxUnits\": 5, \"fallbackUnits\": -1", "fallbackUnits must be from 1 to maxUnits")]
    [InlineData("\"path\": \"/x\", \"price\": \"-1\"", "price must be between 0 and")]
    [InlineData("\"path\": \"/x\", \"request\": {\"setHeaders\": {\"X-User-ID\": \"me\"}}", "request.setHeaders has the name 'X-User-ID'")]
    [InlineData("\"path\": \"/x\", \"request\": {\"setHeaders\": {\"Host\": \"me\"}}", "request.setHeaders has the name 'Host'")]
    [InlineData("\"path\": \"/x\", \"response\": {\"setHeaders\": {\"Set-Cookie\": \"a\"}}", "setHeaders has the name 'Set-Cookie'")]
    [InlineData("\"path\": \"/x\", \"response\": {\"setHeaders\": {\"X-A\": \"a\\r\\nB: c\"}}", "response.setHeaders.X-A must have")]
    [InlineData("\"path\": \"/x\", \"response\": {\"setHeaders\": {\"Location\": \"/a\"}}", "response.setHeaders has the name 'Location'")]
    [InlineData("\"path\": \"/x\", \"response\": {\"setHeaders\": {\"X-Accel-Redirect\": \"/a\"}}", "has the name 'X-Accel-Redirect'")]
    [InlineData("\"path\": \"/x\", \"response\": {\"setHeaders\": {\"X-A\": \"\u00e9\"}}", "response.setHeaders.X-A must have")]
    [InlineData("\"path\": \"/x\", \"request\": {\"setHeaders\": {\"X-A\": \"\u00e9\"}}", "request.setHeaders.X-A must have")]
    [InlineData("\"path\": \"/x\", \"response\": {\"setQuery\": {\"a\": \"b\"}}", "response has no query")]
    [InlineData("\"path\": \"/x\", \"public\": true", "host is required of a route for everybody")]
    [InlineData("\"path\": \"/x\", \"public\": true, \"host\": \"*.example.com\"", "host is required of a route for everybody")]
    [InlineData("\"path\": \"/x\", \"public\": true, \"host\": \"a.b\", \"price\": \"1\"", "price is paid by nobody")]
    [InlineData("\"path\": \"/x\", \"regex\": true", "regex is not a member")]
    public void What_is_wrong_with_a_route_is_named_by_its_path(string members, string mistake)
    {
        var provider = members.Contains("\"provider\"", StringComparison.Ordinal) ? "" : ", \"provider\": \"weather\"";
        var e = Assert.Throws<SeedException>(() => Read($"{{{members}{provider}}}"));
        Assert.Contains(mistake, e.Message, StringComparison.Ordinal);
        Assert.StartsWith("organizations[0].projects[0].routes[0]", e.Message, StringComparison.Ordinal);
    }

    /// <summary>The audit keeps all that there were, each change of them whole.</summary>
    [Theory]
    [InlineData("headers", "{}"), InlineData("request", "{\"setHeaders\":{}}"), InlineData("response", "{\"setHeaders\":{}}")]
    public void A_route_has_so_many_bytes_and_what_has_the_most_of_them_is_named(string member, string shape)
    {
        var values = string.Join(',', Enumerable.Range(1, 4).Select(n => $"\"X-{n}\":\"{new string('x', 3900)}\""));
        var fits = $"{{\"path\":\"/x\",\"provider\":\"weather\",\"{member}\":{shape.Replace("{}", $"{{{values}}}")}}}";
        Assert.Equal("/x", Read(fits).Path);
        var e = Assert.Throws<SeedException>(() => Read(fits.Replace("\"X-1\"", $"\"X-5\":\"{new string('x', 1000)}\",\"X-1\"")));
        Assert.Contains($"routes[0].{member} is too long: a route may have 16384 bytes", e.Message, StringComparison.Ordinal);
    }

    /// <summary>Servers answer some of them with the request, and our credential is in that.</summary>
    [Fact]
    public void A_route_takes_the_usual_methods_or_those_that_it_names_and_never_one_that_shows_the_request()
    {
        var (usual, named) = (new CustomRoute("/x", "p"), new CustomRoute("/x", "p") { Methods = ["PROPFIND", "TRACE"] });
        foreach (var method in (string[])["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
            Assert.Equal((true, false), (usual.TakesMethod(method), named.TakesMethod(method)));
        foreach (var method in (string[])["TRACE", "TRACK", "CONNECT", "get", "PURGE"])
            Assert.Equal((false, false), (usual.TakesMethod(method), named.TakesMethod(method)));
        Assert.True(named.TakesMethod("PROPFIND"));
    }

    [Fact]
    public void A_call_may_send_a_route_to_a_provider_of_its_own_and_to_the_operators_only_where_that_takes_raw_calls()
    {
        var route = RouteRules.OfTenant(new("/up", "p") { Match = "prefix", Rewrite = "/v1/{rest}" }, null);
        Assert.True(route.Tenant);
        Assert.Empty(RouteRules.TenantErrors(route, At(tenant: true, null)));
        Assert.StartsWith(".provider names 'p', which is the operator's", Mistake(route, null));
        Assert.Empty(RouteRules.TenantErrors(route, At(tenant: false, "standard")));
        Assert.StartsWith(".request must be absent", Mistake(route with { Request = new() { SetQuery = Set } }, "standard"));
        Assert.StartsWith(".provider names 'p', which is the op", Mistake(route with { Public = true, Host = "a.b" }, "standard"));
        Assert.Empty(RouteRules.TenantErrors(route with { Tenant = false }, At(tenant: false, null)));

        static string Mistake(CustomRoute route, string? type) => Assert.Single(RouteRules.TenantErrors(route, At(false, type)));

        static Provider At(bool tenant, string? type) => new()
        {
            ProjectId = Guid.Empty, Id = "p", Wire = "openai", BaseUrl = "", AuthType = "none", TimeoutSeconds = 1, Retries = 0,
            OnAbort = "cancel", QueryType = type, Tenant = tenant,
        };
    }

    [Fact]
    public void A_route_of_the_operators_stays_his_while_it_leads_where_it_led()
    {
        var stored = new CustomRoute("/up", "p") { Methods = ["GET"], Request = new() { SetQuery = Set } };
        CustomRoute[] same = [stored, stored with { Price = new(1), MaxUnits = 2, Meter = "2", Enabled = false, Identity = true }];
        Assert.All(same, route => Assert.False(RouteRules.OfTenant(route, stored).Tenant));
        CustomRoute[] others =
        [
            stored with { Path = "/other" }, stored with { Match = "prefix" }, stored with { Provider = "other" },
            stored with { Rewrite = "/v1/files" }, stored with { Methods = null }, stored with { Methods = ["DELETE"] },
            stored with { Request = null }, stored with { Request = new() { SetHeaders = Set } }, stored with { Tenant = true },
        ];
        Assert.All(others, route => Assert.True(RouteRules.OfTenant(route, stored).Tenant));
        // What a call has made is none of the operator's because it is said again.
        Assert.True(RouteRules.OfTenant(stored, stored with { Tenant = true }).Tenant);
    }

    static readonly IReadOnlyDictionary<string, string> Set = new Dictionary<string, string> { ["a"] = "b" };

    [Fact]
    public void Two_routes_that_tie_are_refused_by_both_names()
    {
        var one = new CustomRoute("/v1/{a}/x", "p") { Id = "one", Match = "pattern" };
        var other = one with { Path = "/v1/{b}/x", Id = "other" };
        var mistake = RouteRules.Tie([one, other]);
        Assert.Contains("'one' and 'other'", mistake, StringComparison.Ordinal);
        Assert.Null(RouteRules.Tie([one, other with { Priority = 1 }]));
        Assert.Null(RouteRules.Tie([one, other with { Enabled = false }]));
    }

    /// <summary>A tenant who makes a route that ties keeps nothing else of the operator's file out.</summary>
    [Fact]
    public void Of_a_files_routes_only_those_are_left_out_that_tie_with_what_calls_have_made()
    {
        CustomRoute mine = new("/a/{x}", "p") { Id = "mine", Match = "pattern" }, tying = mine with { Path = "/a/{y}", Id = "tying" };
        CustomRoute plain = new("/b", "p"), changed = new("/c", "p") { Id = "changed" };
        var told = new List<string>();

        Assert.Equal(["/b", "changed"], Fitting([plain, tying, changed], mine, changed with { Path = "/d" }));
        Assert.Contains("'mine' and 'tying'", Assert.Single(told), StringComparison.Ordinal);

        // What is left out stays as it was stored, and so another one may tie.
        told.Clear();
        CustomRoute moved = plain with { Id = "tying", Path = "/b" }, other = plain with { Id = "other" };
        Assert.Empty(Fitting([tying, other], mine, moved));
        Assert.Equal(2, told.Count);

        told.Clear();
        Assert.Equal(["/b"], Fitting([plain], mine, tying));
        Assert.Empty(told);

        IEnumerable<string> Fitting(CustomRoute[] routes, params CustomRoute[] stored) =>
            RouteRules.Fitting(routes, stored, told.Add).Select(route => route.Id);
    }

    /// <summary>It was the default once.</summary>
    [Fact]
    public void A_route_that_is_stored_with_0_units_for_a_failure_is_read_as_one_that_may_be_written()
    {
        var route = RouteWriter.Read(new()
        {
            ProjectId = Guid.Empty, Id = "x", Definition = """{"path":"/x","provider":"p","maxUnits":5,"fallbackUnits":0}""",
        });
        Assert.Null(route.FallbackUnits);
        Assert.Empty(RouteRules.Errors(route, "", new HashSet<string> { "p" }));
    }

    [Fact]
    public void A_provider_of_any_api_has_no_models_and_raw_paths_need_a_type()
    {
        Assert.Contains("models[0].provider must speak a wire of models", Mistake("""
            "providers": [{"id": "weather", "wire": "http", "baseUrl": "https://api.example.com"}],
            "models": [{"id": "m", "provider": "weather", "contextTokens": 1, "maxOutputTokens": 1}]
            """));
        Assert.Contains("providers[0].rawPaths is not used without queryType", Mistake(
            "\"providers\": [{\"id\": \"weather\", \"wire\": \"http\", \"baseUrl\": \"https://a.example.com\", \"rawPaths\": [\"/a\"]}]"));
        Assert.Contains("providers[0].rawPaths[0] must be a plain path", Mistake("""
            "providers": [{"id": "weather", "wire": "http", "baseUrl": "https://a.example.com", "queryType": "x", "rawPaths": ["/a/../b"]}]
            """));
    }

    static string Mistake(string members) => Assert.Throws<SeedException>(() => ReadProject(members)).Message;

    static CustomRoute Read(string route) => Assert.Single(ReadProject(
        $$"""
        "providers": [{"id": "weather", "wire": "http", "baseUrl": "https://api.example.com"}], "routes": [{{route}}]
        """).Routes!);

    static SeedProject ReadProject(string members) => SeedReader.Read(
        Encoding.UTF8.GetBytes($$"""{"organizations": [{"name": "Acme", "projects": [{"name": "app", {{members}}}]}]}"""), _ => null)
        .Organizations[0].Projects![0];
}
