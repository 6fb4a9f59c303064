using System.Text.Json;
using System.Text.RegularExpressions;
using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>A project as a seed file, which makes the same project elsewhere.</summary>
public sealed partial class SeedExportTests
{
    static readonly Backend App = Backend.Exported;

    [Fact]
    public async Task A_seed_that_is_exported_and_applied_to_an_empty_system_and_exported_again_is_the_same_file()
    {
        var marks = await FillAsync();
        var exported = (await App.GetAsync("/v1/seed")).MustBe(200).Text;
        foreach (var mark in marks)
            Assert.Contains(mark, exported);

        await using var empty = await EmptySessions.StartAsync(exported, Variables(exported));
        var again = (await empty.GetAsync("/v1/seed", await PrincipalAsync())).MustBe(200).Text;

        Assert.Equal(exported, again);
    }

    [Fact]
    public async Task An_export_has_no_secret_and_no_money_and_nobody_who_is_not_served()
    {
        var (blocked, served) = (await App.NewUserAsync("7"), await App.NewUserAsync("7"));
        var (_, secret) = await App.NewKeyAsync(served.CustomerId);
        (await App.PatchAsync($"/v1/customers/{blocked.CustomerId}", """{"status":"blocked"}""")).MustBe(200);

        var text = (await App.GetAsync("/v1/seed")).MustBe(200).Text;

        foreach (var unwanted in (string[])[secret, App.Key, "sk-sandbox", "\"credit\": \"7\"", blocked.ExternalId])
            Assert.DoesNotContain(unwanted, text);
        Assert.Contains("\"value\": \"${PROVIDER_SANDBOX_KEY}\"", text);
        Assert.Contains(served.ExternalId, text);
    }

    /// <summary>Else slow readers of large files would have all connections to the database, and everybody's disk.</summary>
    [Fact]
    public async Task A_second_export_of_a_project_is_refused_while_one_is_under_way()
    {
        await using var held = await OpenTransaction.BeginAsync(Books.Sessions, "lock table organization in access exclusive mode");
        Task<Reply>[] both = [App.GetAsync("/v1/seed"), App.GetAsync("/v1/seed")];

        var refused = await Task.WhenAny(both);
        await held.CommitAsync();

        (await refused).MustBeProblem(429, "rate_limit_exceeded");
        (await both.Single(one => one != refused)).MustBe(200);
        (await App.GetAsync("/v1/seed")).MustBe(200);
    }

    [Fact]
    public async Task Another_project_exports_itself_alone()
    {
        var user = await App.NewUserAsync(null);

        var other = (await Backend.Other.GetAsync("/v1/seed")).MustBe(200);

        Assert.DoesNotContain(user.ExternalId, other.Text);
        Assert.Equal("other", other.Json.GetProperty("organizations")[0].GetProperty("projects")[0].Text("name"));
    }

    /// <summary>More customers than are read at once.</summary>
    [Fact]
    public async Task Every_customer_of_a_large_project_is_there_once_and_in_order()
    {
        var names = Enumerable.Range(0, 450).Select(i => $"many-{i:0000}-{Guid.NewGuid():N}").ToList();
        await Parallel.ForEachAsync(names, TestContext.Current.CancellationToken, async (name, _) =>
            (await App.PostAsync("/v1/customers", $$"""{"externalId":"{{name}}","wallet":false}""")).MustBe(201));

        var customers = (await App.GetAsync("/v1/seed")).MustBe(200).Json.GetProperty("organizations")[0].GetProperty("projects")[0]
            .Items("customers").Select(customer => customer.Text("externalId")).Where(name => name.StartsWith("many-")).ToList();

        Assert.Equal(names.Order(StringComparer.Ordinal), customers);
    }

    /// <summary>One of everything that a file can say, some of it hard to say.</summary>
    static async Task<List<string>> FillAsync()
    {
        var user = await App.MintAsync($"ex-${{HOME}}-{Guid.NewGuid():N}");
        var path = $"/v1/customers/{user.CustomerId}";
        (await App.PatchAsync(path, """{"name":"Ärger $${X} \"q\"","email":"a@example.com","company":"C","phone":"1"}""")).MustBe(200);
        (await App.PutAsync($"{path}/rates", """{"requestsPerMinute":5,"concurrent":2}""")).MustBe(200);
        var (first, _) = await App.NewKeyAsync(user.CustomerId, """
            "models":[],"expiresAt":"2099-01-01T00:00:00.123456Z","concurrent":1,"keyInPath":true
            """);
        var (gone, _) = await App.NewKeyAsync(user.CustomerId);
        var (second, _) = await App.NewKeyAsync(user.CustomerId, "\"models\":[\"small\"]");
        (await App.PutAsync($"{path}/limits", $$$"""
            [{"unit":"usd","amount":"1.000000001","cycle":{"days":10},"anchor":"2026-01-31T06:00","timeZone":"Europe/Berlin"},
             {"id":"of-keys","unit":"tokens","amount":5,"cycle":"month","selector":{"keys":["{{{second}}}","{{{gone}}}","{{{first}}}"]}},
             {"unit":"requests","amount":5,"cycle":"day","selector":{"keys":["{{{gone}}}"]}},
             {"unit":"requests","amount":9,"cycle":"week","selector":{"models":["small"]}}]
            """)).MustBe(200);
        (await App.DeleteAsync($"{path}/keys/{gone}")).MustBe(204);
        (await App.PostAsync($"{path}/balances", """{"type":"standard","amount":3,"op":"credit"}""")).MustBe(200);
        (await App.PostAsync("/v1/customers", $$"""{"externalId":"free-{{user.ExternalId}}","wallet":false}""")).MustBe(201);
        (await App.PutAsync("/v1/plans/all", """
            {"name":"All","price":"0.5","tokens":9,"tokensPerMinute":3,"overagePerToken":"0.1","trialDays":2,"lastTerm":"full",
             "stripePrice":"p"}
            """)).MustBe(200);
        (await App.PutAsync("/v1/providers/two.keys", """
            {"wire":"anthropic","baseUrl":"https://api.example.com","keys":[{"value":"a","weight":3},{"value":"b"}],"onAbort":"drain",
             "queryType":"standard"}
            """)).MustBe(200);
        (await App.PutAsync("/v1/providers/two-keys", """
            {"wire":"openai","baseUrl":"https://api.example.com/v1","auth":{"type":"header","name":"x-key","value":"c"},"retries":0,
             "queryType":"standard"}
            """)).MustBe(200);
        (await App.PutAsync("/v1/providers/none", """{"wire":"gemini","baseUrl":"https://gemini.example.com"}""")).MustBe(200);
        (await App.PutAsync("/v1/providers/api", """
            {"wire":"http","baseUrl":"https://api.example.com","auth":{"type":"query","name":"key","value":"d"},"queryType":"standard",
             "rawPaths":["/free"]}
            """)).MustBe(200);
        (await App.PutAsync("/v1/routes/all%2Fof%20it", """
            {"path":"/rows/{a}/{**rest}","match":"pattern","host":"*.example.com","methods":["GET","POST"],"headers":{"X-A":"*"},
             "priority":-3,"provider":"api","rewrite":"/r/{a}","meter":"len(respBody.rows)","unit":"tokens","price":"0.000000000001",
             "maxUnits":9,"identity":true,"request":{"deleteHeaders":["A"],"setHeaders":{"X-B":"${C}"},"deleteQuery":["c"],
             "setQuery":{"${D}":"$${E}"}},"response":{"deleteHeaders":["E"],"setHeaders":{"X-F":"1"}}}
            """)).MustBe(200);
        (await App.PutAsync("/v1/routes/off", """
            {"path":"/off","provider":"two-keys","meter":"2","fallbackUnits":1,"enabled":false}
            """)).MustBe(200);
        (await App.PutAsync("/v1/models/several", """
            {"contextTokens":9,"maxOutputTokens":8,"kind":"chat","prices":{"input":"1","output":"2","perRequest":"0.01",
             "tiers":[{"aboveInput":5,"prices":{"input":"3","output":"4"}}]},
             "providers":["two.keys",{"id":"two-keys","upstreamModel":"other","prices":{"input":"5","output":"6"}}]}
            """)).MustBe(200);
        (await App.PostAsync("/v1/secret-keys", """{"name":"narrow","permissions":["usage:read"],"expiresAt":"2099-01-01T00:00:00Z"}"""))
            .MustBe(201);
        (await App.PostAsync("/v1/secret-keys", """{"name":"narrow"}""")).MustBe(201);
        var project = (await App.GetAsync("/v1/projects")).MustBe(200).Json.Items("projects").Single().Text("id");
        (await App.PutAsync($"/v1/projects/{project}", """
            {"markupPercent":"12.5","keysInQuery":true,"allowedOrigins":["https://app.example.com"],"lowBalance":"1","limitThresholds":[10],
             "branding":{"name":"Shop","color":"#000000"}}
            """)).MustBe(200);
        return
        [
            "$${HOME}", "$$${X}", "n8n (2)", "narrow (2)", "${PROVIDER_TWO_KEYS_KEY_2}", "1.000000001", "2026-01-31T06:00:00",
            "\"of-keys\"", "\"standard\": 0", "\"overagePerToken\": \"0.1\"", "\"perRequest\": \"0.01\"", "usage:read",
            "\"all/of it\"", "$${C}", "$$${E}", "\"price\": \"0.000000000001\"", "\"/free\"", "\"tenant\": true",
        ];
    }

    static Dictionary<string, string> Variables(string seed) => Variable().Matches(seed)
        .Select(match => match.Groups[1].Value).Distinct().ToDictionary(name => name, name => $"secret of {name}");

    static async Task<Principal> PrincipalAsync()
    {
        var user = await App.NewUserAsync(null);
        (await App.DeleteAsync($"/v1/customers/{user.CustomerId}")).MustBe(204);
        return new(CredentialKind.SecretKey, Ids.New(), false, Guid.Empty, await Books.ProjectAsync(user), null, null);
    }

    [GeneratedRegex(@"(?<!\$)\$\{(PROVIDER_\w+)\}")]
    private static partial Regex Variable();
}
