using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using LlmGateway.Contracts;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>Seed files as operators write them: what is understood, and that a mistake is named by its JSON path.</summary>
public sealed class SeedReaderTests
{
    const string Valid = """
        {"organizations": [{"name": "Acme", "projects": [{
          "name": "app", "mode": "live", "markupPercent": 12.5, "endUserSessions": true, "lowBalance": "1.00",
          "secretKeys": [{"name": "backend", "key": "sk_live_an-operator-made-this-one-up-himself"}, {"name": "made"}],
          "providers": [{"id": "openai", "wire": "openai", "baseUrl": "https://api.example.com/v1",
                         "auth": {"type": "bearer", "value": "${PROVIDER_KEY}"}}],
          "models": [{"id": "small", "provider": "openai", "contextTokens": 128000, "maxOutputTokens": 16384,
                      "prices": {"input": "0.15", "output": 0.600000000001}}],
          "customers": [{"externalId": "client-1", "plan": null, "wallet": {"credit": "10"}, "rates": {"requestsPerMinute": 60},
                         "keys": [{"name": "n8n", "key": "llm_gw_an-operator-made-this-one-up-himself", "models": ["small"],
                                   "expiresAt": null}]}],
          "routes": [], "plans": [], "webhooks": []
        }]}]}
        """;

    static readonly Dictionary<string, string> Variables = new()
    {
        ["PROVIDER_KEY"] = "sk-secret",
        ["PRICE"] = "0.25",
        ["EMPTY"] = "",
        ["FIRST"] = "openai",
    };

    [Fact]
    public void A_valid_file_is_read_to_the_last_digit()
    {
        var project = Read(Valid).Organizations[0].Projects![0];

        Assert.Equal(new Percent(125_000), project.MarkupPercent);
        Assert.Equal("sk-secret", project.Providers![0].Auth!.Value);
        Assert.Equal(new Rate(150_000_000_000), project.Models![0].Prices!.Input);
        Assert.Equal(new Rate(600_000_000_001), project.Models![0].Prices!.Output);
        Assert.Equal(Money.Usd(10), project.Customers![0].Wallet!.Credit);
    }

    [Fact]
    public void A_plan_is_read_to_the_last_digit()
    {
        var plan = Read(Valid.Replace("\"plans\": []", """
            "plans": [{"id": "starter", "name": "Starter", "price": "29", "tokens": 100000, "tokensPerMinute": 10000,
                       "overagePerToken": "0.002000000000000001", "trialDays": 730, "stripePrice": "price_1"}]
            """)).Organizations[0].Projects![0].Plans![0];

        Assert.Equal((Money.Usd(29), 100_000, new Rate(2_000_000_000_000_001)), (plan.Price, plan.Tokens, plan.Overage));
        Assert.Equal(("prorated", 730, "price_1"), (plan.LastTerm, plan.TrialDays, plan.StripePrice));
    }

    /// <summary>They are names in the code, and in a file they would mean nothing.</summary>
    [Theory]
    [InlineData(
        "\"plans\": []", "\"plans\": [{\"id\": \"a\", \"name\": \"A\", \"price\": \"1\", \"overage\": \"0.1\"}]", "plans[0].overage")]
    [InlineData("\"wire\": \"openai\"", "\"wire\": \"openai\", \"authentication\": {}", "providers[0].authentication")]
    [InlineData("\"wire\": \"openai\"", "\"wire\": \"openai\", \"secrets\": []", "providers[0].secrets")]
    [InlineData("\"contextTokens\": 128000", "\"offers\": []", "models[0].offers")]
    [InlineData("\"plan\": null", "\"saysPlan\": true", "customers[0].saysPlan")]
    public void What_is_computed_of_members_is_no_member(string old, string mistake, string path) => Assert.Equal(
        $"organizations[0].projects[0].{path} is not a member that seed files have",
        Assert.Throws<SeedException>(() => Read(Valid.Replace(old, mistake))).Message);

    /// <summary>They are copied to every proxy, and looked through at calls of others.</summary>
    [Theory]
    [InlineData("\"endUserSessions\": true", "\"allowedOrigins\": [$origins]", "allowedOrigins may have at most 200 origins")]
    [InlineData("\"endUserSessions\": true", "\"allowedOrigins\": [\"https://$long\"]", "allowedOrigins[0] must be an exact origin")]
    [InlineData("${PROVIDER_KEY}", "$long", "providers[0].auth.value may have at most 4096 characters")]
    [InlineData("https://api.example.com/v1", "https://api.example.com/$long", "providers[0].baseUrl must be")]
    [InlineData("\"input\": \"0.15\"", "\"tiers\": [$tiers]", "models[0].prices.tiers may have at most 16 tiers")]
    public void What_a_project_says_has_bounds(string old, string other, string mistake)
    {
        var origins = Enumerable.Range(0, 201).Select(i => $"\"https://a{i}.example.com\"");
        var tiers = Enumerable.Range(1, 17).Select(i => $$"""{"aboveInput": {{i}}, "prices": {"input": "1"} }""");
        var text = other.Replace("$long", new string('a', 5000)).Replace("$origins", string.Join(',', origins))
            .Replace("$tiers", string.Join(',', tiers));

        Assert.StartsWith(
            $"organizations[0].projects[0].{mistake}", Assert.Throws<SeedException>(() => Read(Valid.Replace(old, text))).Message);
    }

    /// <summary>Whoever may read the audit or the export would read the operator's variable.</summary>
    [Theory]
    [InlineData("request", "setHeaders", "X-App")]
    [InlineData("request", "setQuery", "app.id")]
    [InlineData("response", "setHeaders", "X-App")]
    public void A_variable_is_refused_in_what_a_route_sets(string side, string member, string name)
    {
        string File(string value) => Valid.Replace("\"routes\": []", $$$"""
            "routes": [{"path": "/w", "provider": "openai", "meter": "1", "{{{side}}}": {"{{{member}}}": {"{{{name}}}": "{{{value}}}"} } }]
            """);

        var mistake = Assert.Throws<SeedException>(() => Read(File("a ${PROVIDER_KEY}"))).Message;

        Assert.StartsWith($"organizations[0].projects[0].routes[0].{side}.{member}.{name} must not have a variable", mistake);
        Assert.DoesNotContain("sk-secret", mistake);
        Assert.NotNull(Read(File("$${PROVIDER_KEY}")));
    }

    [Fact]
    public void A_customer_without_a_plan_is_another_than_one_of_which_nothing_is_said()
    {
        Assert.Equal((null, true), PlanOf(Valid));
        Assert.Equal((null, false), PlanOf(Valid.Replace("\"plan\": null, ", "")));
        Assert.Equal(("starter", true), PlanOf(Valid.Replace("\"plan\": null", "\"plan\": \"starter\"")));

        static (string?, bool) PlanOf(string json)
        {
            var customer = Read(json).Organizations[0].Projects![0].Customers![0];
            return (customer.Plan, customer.SaysPlan);
        }
    }

    [Fact]
    public void A_permission_that_there_is_none_of_is_named() => Assert.StartsWith(
        "organizations[0].projects[0].secretKeys[1].permissions[1] is 'wallets:*', which is not one of alerts:read, alerts:write, ",
        Assert.Throws<SeedException>(() => Read(Valid.Replace(
            "{\"name\": \"made\"}", "{\"name\": \"made\", \"permissions\": [\"wallets:read\", \"wallets:*\"]}"))).Message,
        StringComparison.Ordinal);

    [Fact]
    public void A_variable_may_stand_for_a_number_too() =>
        Assert.Equal(
            new Rate(250_000_000_000),
            Read(Valid.Replace("\"0.15\"", "\"${PRICE}\"")).Organizations[0].Projects![0].Models![0].Prices!.Input);

    [Theory]
    [InlineData("\"0.15\"", "\"-1\"", "organizations[0].projects[0].models[0].prices.input must not be negative")]
    [InlineData("\"lowBalance\": \"1.00\"", "\"lowBalance\": \"-1\"", "organizations[0].projects[0].lowBalance must not be negative")]
    [InlineData("{\"credit\": \"10\"}", "{\"lowBalance\": -1}",
        "organizations[0].projects[0].customers[0].wallet.lowBalance must not be negative")]
    [InlineData("\"lowBalance\": \"1.00\"", "\"branding\": {\"color\": \"red\"}",
        "organizations[0].projects[0].branding.color must be a color such as #1a2b3c")]
    [InlineData("\"lowBalance\": \"1.00\"", "\"branding\": {\"logoUrl\": \"javascript:alert(1)\"}",
        "organizations[0].projects[0].branding.logoUrl must begin with https://")]
    [InlineData("\"lowBalance\": \"1.00\"", "\"limitThresholds\": [50, 50]",
        "organizations[0].projects[0].limitThresholds must be 1 to 8 percentages from 1 to 100, each above the one before")]
    [InlineData("\"lowBalance\": \"1.00\"", "\"limitThresholds\": [0, 101]",
        "organizations[0].projects[0].limitThresholds must be 1 to 8 percentages from 1 to 100, each above the one before")]
    [InlineData("\"lowBalance\": \"1.00\"", "\"topUpLimits\": {\"perDay\": 0}",
        "organizations[0].projects[0].topUpLimits.perDay must be from 1 to 1000000")]
    [InlineData("\"lowBalance\": \"1.00\"", "\"topUpLimits\": {\"firstAmount\": \"0\"}",
        "organizations[0].projects[0].topUpLimits.firstAmount must be above 0")]
    [InlineData("\"lowBalance\": \"1.00\"", "\"topUpLimits\": {\"firstDays\": 3651}",
        "organizations[0].projects[0].topUpLimits.firstDays must be from 1 to 3650")]
    [InlineData("\"lowBalance\": \"1.00\"", "\"topUpLimits\": {\"begunPerHour\": 0}",
        "organizations[0].projects[0].topUpLimits.begunPerHour must be from 1 to 1000000")]
    [InlineData("\"lowBalance\": \"1.00\"", "\"topUpLimits\": {\"perWeek\": 1}",
        "organizations[0].projects[0].topUpLimits.perWeek is not a member that seed files have")]
    [InlineData("\"0.15\"", "\"NaN\"", "organizations[0].projects[0].models[0].prices.input must be a decimal number")]
    [InlineData("\"0.15\"", "\"Infinity\"", "organizations[0].projects[0].models[0].prices.input must be a decimal number")]
    [InlineData("\"0.15\"", "1e400", "organizations[0].projects[0].models[0].prices.input is too large")]
    [InlineData("\"0.15\"", "\"0.0000000000001\"", "organizations[0].projects[0].models[0].prices.input must have at most 12 decimals")]
    [InlineData("\"input\"", "\"inptu\"", "organizations[0].projects[0].models[0].prices.inptu is not a member that seed files have")]
    [InlineData("\"contextTokens\": 128000", "\"contextTokens\": 0",
        "organizations[0].projects[0].models[0].contextTokens must be above 0")]
    [InlineData("\"maxOutputTokens\": 16384", "\"maxOutputTokens\": 0",
        "organizations[0].projects[0].models[0].maxOutputTokens must be above 0 for chat")]
    [InlineData("\"provider\": \"openai\"", "\"provider\": \"other\"",
        "organizations[0].projects[0].models[0].provider names 'other', which is not among the project's providers")]
    [InlineData("\"provider\": \"openai\"", "\"provider\": \"openai\", \"providers\": [\"openai\"]",
        "organizations[0].projects[0].models[0].provider stands instead of providers, not beside it")]
    [InlineData("\"provider\": \"openai\",", "", "organizations[0].projects[0].models[0].provider is required")]
    [InlineData("\"provider\": \"openai\"", "\"providers\": []",
        "organizations[0].projects[0].models[0].providers must have from 1 to 10 providers")]
    [InlineData("\"provider\": \"openai\"", "\"providers\": [\"openai\", \"other\"]",
        "organizations[0].projects[0].models[0].providers[1].id names 'other', which is not among the project's providers")]
    [InlineData("\"provider\": \"openai\"", "\"providers\": [\"openai\", {\"id\": \"openai\"}]",
        "organizations[0].projects[0].models[0].providers[1].id 'openai' is there twice")]
    [InlineData("\"provider\": \"openai\"", "\"providers\": [{\"id\": \"openai\", \"prices\": {\"input\": -1}}]",
        "organizations[0].projects[0].models[0].providers[0].prices.input must not be negative")]
    [InlineData("\"provider\": \"openai\"", "\"providers\": [{\"upstreamModel\": \"x\"}]",
        "organizations[0].projects[0].models[0].providers[0].id is required")]
    [InlineData("\"provider\": \"openai\"", "\"providers\": [7]",
        "organizations[0].projects[0].models[0].providers[0] has the wrong type or form")]
    [InlineData("\"live\"", "\"prod\"", "organizations[0].projects[0].mode must be live or test")]
    [InlineData("\"live\"", "\"test\"", "organizations[0].projects[0].secretKeys[0].key must begin with sk_test_")]
    [InlineData("12.5", "12.34567", "organizations[0].projects[0].markupPercent must have at most 4 decimals")]
    [InlineData("12.5", "1000.1", "organizations[0].projects[0].markupPercent must be from 0 to 1000")]
    [InlineData("true", "\"yes\"", "organizations[0].projects[0].endUserSessions has the wrong type or form")]
    [InlineData("${PROVIDER_KEY}", "${NOT_SET}",
        "organizations[0].projects[0].providers[0].auth.value needs the environment variable NOT_SET, which is not set")]
    [InlineData("${PROVIDER_KEY}", "${EMPTY}",
        "organizations[0].projects[0].providers[0].auth.value needs the environment variable EMPTY, which is not set")]
    [InlineData("\"wire\": \"openai\"", "\"wire\": \"smoke\"",
        "organizations[0].projects[0].providers[0].wire must be one of openai, openai-compatible, responses, anthropic, gemini, http")]
    [InlineData("https://api.example.com/v1", "file:///etc/passwd",
        "organizations[0].projects[0].providers[0].baseUrl must be an http or https address without user, query and fragment")]
    [InlineData("\"bearer\"", "\"header\"", "organizations[0].projects[0].providers[0].auth.name is required")]
    [InlineData("\"bearer\"", "\"none\"", "organizations[0].projects[0].providers[0].auth.value is not used by the type none")]
    [InlineData("{\"type\": \"bearer\", \"value\": \"${PROVIDER_KEY}\"}", "{}",
        "organizations[0].projects[0].providers[0].auth.value is required")]
    [InlineData("{\"type\": \"bearer\", \"value\": \"${PROVIDER_KEY}\"}", "{\"type\": \"bearer\"}, \"keys\": []",
        "organizations[0].projects[0].providers[0].keys must have from 1 to 100 keys")]
    [InlineData("${PROVIDER_KEY}\"}", "x\"}, \"keys\": [{\"value\": \"y\"}]",
        "organizations[0].projects[0].providers[0].keys stands instead of auth.value, not beside it")]
    [InlineData("\"value\": \"${PROVIDER_KEY}\"}", "\"name\": null}, \"keys\": [{\"value\": \"a\", \"weight\": 0}]",
        "organizations[0].projects[0].providers[0].keys[0].weight must be from 1 to 1000")]
    [InlineData("\"value\": \"${PROVIDER_KEY}\"}", "\"name\": null}, \"keys\": [{\"value\": \"a\"}, {\"value\": \"a\"}]",
        "organizations[0].projects[0].providers[0].keys has one key twice")]
    [InlineData("\"bearer\"", "\"basic\"", "organizations[0].projects[0].providers[0].auth.value must be user:password")]
    [InlineData(
        "\"routes\": []", "\"routes\": [{\"path\": \"/v1/weather\"}]", "organizations[0].projects[0].routes[0].provider is required")]
    [InlineData("\"plans\": []", "\"plans\": [{\"id\": \"a b\", \"name\": \"x\", \"price\": 1}]",
        "organizations[0].projects[0].plans[0].id must be 1 to 64 letters, digits, dots, dashes or underscores")]
    [InlineData("\"plans\": []", "\"plans\": [{\"id\": \"a\", \"name\": \"x\", \"price\": -1}]",
        "organizations[0].projects[0].plans[0].price must not be negative")]
    [InlineData("\"plans\": []", "\"plans\": [{\"id\": \"a\", \"name\": \"x\", \"price\": 1, \"tokens\": -1}]",
        "organizations[0].projects[0].plans[0].tokens must be from 0 to 1000000000000000000")]
    [InlineData("\"plans\": []", "\"plans\": [{\"id\": \"a\", \"name\": \"x\", \"price\": 1, \"overagePerToken\": -1}]",
        "organizations[0].projects[0].plans[0].overagePerToken must not be negative")]
    [InlineData("\"plans\": []", "\"plans\": [{\"id\": \"a\", \"name\": \"x\", \"price\": 1, \"overagePerToken\": 10}]",
        "organizations[0].projects[0].plans[0].overagePerToken is too large")]
    [InlineData("\"plans\": []", "\"plans\": [{\"id\": \"a\", \"name\": \"x\", \"price\": 1, \"tokens\": 9, \"overagePerToken\": 0.11}]",
        "organizations[0].projects[0].plans[0].overagePerToken must be at most 0.1 USD per token")]
    [InlineData("\"plans\": []", "\"plans\": [{\"id\": \"a\", \"name\": \"x\", \"price\": 1, \"trialDays\": -1}]",
        "organizations[0].projects[0].plans[0].trialDays must be from 0 to 730")]
    [InlineData("\"plans\": []", "\"plans\": [{\"id\": \"a\", \"name\": \"x\", \"price\": 1, \"trialDays\": 731}]",
        "organizations[0].projects[0].plans[0].trialDays must be from 0 to 730")]
    [InlineData("\"plans\": []", "\"plans\": [{\"id\": \"a\", \"name\": \"x\", \"price\": 1, \"trialDays\": 1.5}]",
        "organizations[0].projects[0].plans[0].trialDays has the wrong type or form")]
    [InlineData("\"plans\": []", "\"plans\": [{\"id\": \"a\", \"name\": \"x\", \"price\": 1, \"overagePerToken\": \"0.1\"}]",
        "organizations[0].projects[0].plans[0].overagePerToken is not used without tokens")]
    [InlineData("\"plans\": []", "\"plans\": [{\"id\": \"a\", \"name\": \"x\", \"price\": 1, \"lastTerm\": \"half\"}]",
        "organizations[0].projects[0].plans[0].lastTerm must be prorated or full")]
    [InlineData("\"webhooks\": []", "\"webhooks\": [{\"url\": \"https://a.example\"}]",
        "organizations[0].projects[0].webhooks is not supported yet")]
    [InlineData("\"plan\": null", "\"plan\": \"\"", "organizations[0].projects[0].customers[0].plan must not be empty")]
    [InlineData("\"plan\": null", "\"balances\": {\"standard\": -1}",
        "organizations[0].projects[0].customers[0].balances.standard must be from 0 to 1000000000")]
    [InlineData("\"plan\": null", "\"balances\": {\"standard\": 1000000001}",
        "organizations[0].projects[0].customers[0].balances.standard must be from 0 to 1000000000")]
    [InlineData("\"plan\": null", "\"balances\": {\"standard\": 1.5}",
        "organizations[0].projects[0].customers[0].balances.standard has the wrong type or form")]
    [InlineData("\"plan\": null", "\"balances\": {\"standard\": 1, \"standard\": 2}",
        "organizations[0].projects[0].customers[0].balances.standard is there twice")]
    [InlineData("\"plan\": null", "\"balances\": {\"Standard\": 1}",
        "organizations[0].projects[0].customers[0].balances.Standard: a type must be 1 to 64 of a-z, 0-9, dashes and underscores")]
    [InlineData("\"plan\": null", "\"balances\": {\"free\": 1}",
        "organizations[0].projects[0].customers[0].balances.free: a type must not be free: nobody pays for calls of that type")]
    [InlineData("\"wire\": \"openai\"", "\"wire\": \"openai\", \"queryType\": \"a type\"",
        "organizations[0].projects[0].providers[0].queryType must be 1 to 64 of a-z, 0-9, dashes and underscores")]
    [InlineData("\"plan\": null", "\"email\": \"nobody\"", "organizations[0].projects[0].customers[0].email must be an e-mail address")]
    [InlineData("\"plan\": null", "\"plan\": null, \"plan\": null", "organizations[0].projects[0].customers[0].plan is there twice")]
    [InlineData("\"requestsPerMinute\": 60", "\"requestsPerMinute\": 0",
        "organizations[0].projects[0].customers[0].rates.requestsPerMinute must be above 0")]
    [InlineData("[\"small\"]", "[null]", "organizations[0].projects[0].customers[0].keys[0].models[0] must not be null")]
    [InlineData("\"made\"", "\"backend\"", "organizations[0].projects[0].secretKeys[1].name 'backend' is there twice")]
    [InlineData("{\"name\": \"made\"}", "{\"name\": \"made\", \"key\": \"sk_live_an-operator-made-this-one-up-himself\"}",
        "organizations[0].projects[0].secretKeys[1].key is used a second time")]
    public void A_mistake_is_named_by_its_path(string original, string mistake, string message)
    {
        Assert.Contains(original, Valid, StringComparison.Ordinal);
        Assert.Equal(message, ErrorOf(Valid.Replace(original, mistake)));
    }

    public static TheoryData<string> PricesPerMillion() =>
        [.. typeof(Prices).GetProperties().Where(price => price.PropertyType == typeof(Rate?) && !IsPerUnit(price)).Select(NameOf)];

    public static TheoryData<string> PricesPerUnit() => [.. typeof(Prices).GetProperties().Where(IsPerUnit).Select(NameOf)];

    static bool IsPerUnit(PropertyInfo price) => price.GetCustomAttribute<JsonConverterAttribute>() is not null;

    static string NameOf(PropertyInfo price) => JsonNamingPolicy.CamelCase.ConvertName(price.Name);

    /// <summary>Written by the token in the place of by the million, or the other way round.</summary>
    [Theory, MemberData(nameof(PricesPerMillion))]
    public void A_price_that_is_wrong_by_a_million_is_refused_by_its_name_wherever_it_stands(string member)
    {
        const string Model = "organizations[0].projects[0].models[0]";
        foreach (var wrong in (string[])["0.00000015", "0.000099", "10000.01", "150000", "9223372"])
            foreach (var (prices, path) in ((string, string)[])
            [
                (Priced(wrong), "prices"),
                ($$"""{"batch": {{Priced(wrong)}}}""", "prices.batch"),
                ($$"""{"tiers": [{"aboveInput": 9, "prices": {{Priced("1")}}}, {"aboveInput": 10, "prices": {{Priced(wrong)}}}]}""",
                    "prices.tiers[1].prices"),
            ])
            {
                Assert.Equal($"{Model}.{path}.{member} must be 0 or from 0.0001 to 10000 USD per million", ErrorOf(With(prices)));
                Assert.Equal(
                    $"{Model}.providers[0].{path}.{member} must be 0 or from 0.0001 to 10000 USD per million",
                    ErrorOf(Valid.Replace(
                        "\"provider\": \"openai\"", $$"""
                        "providers": [{"id": "openai", "prices": {{prices}} }]
                        """)));
            }
        foreach (var right in (string[])["0", "0.0001", "10000"])
            Read(With(Priced(right)));

        string Priced(string price) => $$"""{"{{member}}": "{{price}}"}""";
    }

    [Theory, MemberData(nameof(PricesPerUnit))]
    public void A_price_by_the_unit_that_is_written_by_the_million_is_refused_by_its_name(string member)
    {
        foreach (var wrong in (string[])["6000", "40000", "9.23", "-0.01"])
            Assert.Equal(
                $"organizations[0].projects[0].models[0].prices.{member} must be between 0 and 9.22 USD per unit",
                ErrorOf(With($$"""{"{{member}}": "{{wrong}}"}""")));
        Read(With($$"""{"{{member}}": "9.22"}"""));
    }

    static string With(string prices) => Valid.Replace("""{"input": "0.15", "output": 0.600000000001}""", prices);

    [Fact]
    public void A_model_may_be_had_from_several_providers_each_with_its_own_name_and_prices()
    {
        var several = """
            "upstreamModel": "small-1", "providers": ["${FIRST}", {"id": "azure", "upstreamModel": "my-deployment",
                 "prices": {"input": "0.16"}}]
            """.Unwrapped();
        var json = Valid.Replace("\"provider\": \"openai\"", several)
            .Replace(
                "\"providers\": [{\"id\": \"openai\"",
                "\"providers\": [{\"id\": \"azure\", \"wire\": \"openai\", \"baseUrl\": \"https://a.example.com\"}, {\"id\": \"openai\"");

        var model = Read(json).Organizations[0].Projects![0].Models![0];

        Assert.Equal([new("openai", "small-1"), new("azure", "my-deployment", new Prices { Input = new(160_000_000_000) })], model.Offers);
    }

    [Fact]
    public void Call_credits_are_read_by_their_type()
    {
        var project = Read(Valid.Replace("\"plan\": null", "\"balances\": {\"standard\": 100, \"premium-1\": 0}")
            .Replace("\"wire\": \"openai\"", "\"wire\": \"openai\", \"queryType\": \"standard\"")).Organizations[0].Projects![0];

        Assert.Equal("standard", project.Providers![0].QueryType);
        Assert.Equal([new("standard", 100), new("premium-1", 0)], project.Customers![0].Balances!);
    }

    [Theory]
    [InlineData("standard", "standard", true)]
    [InlineData("standard", "premium", false)]
    [InlineData("standard", null, false)]
    [InlineData(null, null, true)]
    public void All_providers_of_a_model_have_one_query_type(string? first, string? second, bool isRight)
    {
        var json = Valid.Replace("\"provider\": \"openai\"", "\"providers\": [\"openai\", \"other\"]").Replace(
            "\"providers\": [{\"id\": \"openai\"",
            $$""" "providers": [{"id": "other", "wire": "openai", "baseUrl": "https://a.example.com"{{Type(second)}}}, """
                + $$"""{"id": "openai"{{Type(first)}}""");
        if (isRight)
            Read(json);
        else
            Assert.Equal("organizations[0].projects[0].models[0].providers must all have the same queryType, or none", ErrorOf(json));

        static string Type(string? type) => type is null ? "" : $", \"queryType\": \"{type}\"";
    }

    [Theory]
    [InlineData("openai", "{}", "bearer", null)]
    [InlineData("openai-compatible", "{}", "bearer", null)]
    [InlineData("responses", "{}", "bearer", null)]
    [InlineData("anthropic", "{}", "header", "x-api-key")]
    [InlineData("gemini", "{}", "header", "x-goog-api-key")]
    [InlineData("anthropic", "{\"type\": \"bearer\"}", "bearer", null)]
    [InlineData("gemini", "{\"type\": \"query\", \"name\": \"key\"}", "query", "key")]
    [InlineData("openai", "{\"type\": \"header\", \"name\": \"api-key\"}", "header", "api-key")]
    public void A_wire_has_its_usual_authentication(string wire, string auth, string type, string? name)
    {
        var provider = ProviderOf(
            $$"""{"id": "x", "wire": "{{wire}}", "baseUrl": "https://api.example.com","""
                + $$""" "auth": {{auth}}, "keys": [{"value": "${PROVIDER_KEY}", "weight": 3}, {"value": "b"}]}""");

        Assert.Equal((type, name), provider.Authentication);
        Assert.Equal([new("sk-secret", 3), new("b", 1)], provider.Secrets);
    }

    [Fact]
    public void Azure_is_the_openai_wire_under_its_v1_address_with_its_own_header()
    {
        var provider = ProviderOf("""
            {"id": "azure", "wire": "openai", "baseUrl": "https://NAME.openai.azure.com/openai/v1",
                 "auth": {"type": "header", "name": "api-key", "value": "${PROVIDER_KEY}"}}
            """.Unwrapped());

        Assert.Equal(("header", "api-key"), provider.Authentication);
        Assert.Equal("sk-secret", Assert.Single(provider.Secrets).Value);
    }

    [Fact]
    public void A_provider_may_need_no_authentication() =>
        Assert.Equal(
            ("none", null),
            ProviderOf("""{"id": "x", "wire": "anthropic", "baseUrl": "https://api.example.com"}""").Authentication);

    [Theory]
    [InlineData("llm_gw_too-short", "must have at least 32 characters after llm_gw_")]
    [InlineData("sk_live_an-operator-made-this-one-up-himself", "must begin with llm_gw_")]
    [InlineData("llm_gw_with a space in it, which no header would carry well", "may have only visible ASCII characters, no spaces")]
    [InlineData("llm_gw_0000000000000000000000000000000000000000000000000",
        "has the length of a generated key but not its checksum: it was mistyped, or use another length")]
    public void A_literal_key_that_the_edge_would_refuse_is_explained_and_never_repeated(string key, string reason)
    {
        var error = ErrorOf(Valid.Replace("llm_gw_an-operator-made-this-one-up-himself", key));

        Assert.Equal($"organizations[0].projects[0].customers[0].keys[0].key {reason}", error);
        Assert.DoesNotContain(key, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"organizations\": [\n{\"name\": }]}", "line 2 is not valid JSON")]
    [InlineData("[]", "the file must be a JSON object")]
    [InlineData("null", "the file must be a JSON object")]
    [InlineData("{}", "organizations is required")]
    [InlineData("{\"organizations\": [{\"name\": \"\\ud800\"}]}", "a text in it is not valid Unicode")]
    public void What_is_no_seed_file_is_refused(string json, string message) => Assert.Equal(message, ErrorOf(json));

    static SeedFile Read(string json) => SeedReader.Read(Encoding.UTF8.GetBytes(json), Variables.GetValueOrDefault);

    static SeedProvider ProviderOf(string json)
    {
        var file = Read($$"""{"organizations": [{"name": "x", "projects": [{"name": "p", "providers": [{{json}}]}]}]}""");
        return file.Organizations[0].Projects![0].Providers![0];
    }

    static string ErrorOf(string json) => Assert.Throws<SeedException>(() => Read(json)).Message;
}
