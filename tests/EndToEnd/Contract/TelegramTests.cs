using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.EndToEnd;

/// <summary>Telegram's Mini Apps, which have no backend: what Telegram has signed for them makes a session.</summary>
public sealed class TelegramTests
{
    const string Shop = "1001", Help = "1002"; // the bots of the project in test.seed.json

    static readonly Backend App = Backend.App;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>The token of a bot that exists in tests alone.</summary>
    public static string TokenOf(string bot) => $"{bot}:AA-a_token_that_exists_in_tests_only";

    /// <summary>A bot as a call has it.</summary>
    public static string Bot(string bot) => $$"""{"token":"{{TokenOf(bot)}}"}""";

    [Fact]
    public async Task A_mini_app_without_a_backend_gets_a_session_of_who_has_opened_it_and_calls_with_it()
    {
        var id = NewId();

        var minted = (await MintAsync(await PublishableKeyAsync(App), Signed(Shop, id))).MustBe(201).Json;

        var token = minted.Text("sessionToken");
        Assert.StartsWith("es_", token);
        Assert.InRange(minted.GetProperty("expiresAt").GetDateTimeOffset(), Now.AddSeconds(870), Now.AddSeconds(930));
        var customer = (await App.GetAsync($"/v1/customers/{minted.Text("endCustomerId")}")).MustBe(200).Json;
        Assert.Equal(($"telegram:{id}", "Zoë 🚀 O'Hara"), (customer.Text("externalId"), customer.Text("name")));
        await App.CreditAsync(minted.Text("walletId"), "1");
        (await Chat.AskAsync(token, "small", Price.Question)).MustBe(200);
        var refreshed = (await Gateway.SendAsync("POST", "/v1/sessions/refresh", token)).MustBe(200).Json.Text("sessionToken");
        (await Gateway.SendAsync("GET", "/v1/wallet/balance", refreshed)).MustBe(200);
        var made = (await App.GetAsync($"/v1/audit?subject={minted.Text("endCustomerId")}")).MustBe(200).Json.Items("entries").Single();
        Assert.Equal(("customer.created", "telegram"), (made.Text("action"), made.Text("actor")));

        // A name that the project has given stays, whatever the next launch says.
        (await App.PatchAsync($"/v1/customers/{minted.Text("endCustomerId")}", """{"name":"Ada"}""")).MustBe(200);
        (await MintAsync(await PublishableKeyAsync(App), Signed(Shop, id, ("start_param", "again")))).MustBe(201);
        Assert.Equal("Ada", (await App.GetAsync($"/v1/customers/{minted.Text("endCustomerId")}")).MustBe(200).Json.Text("name"));
    }

    [Fact]
    public async Task The_same_launch_makes_one_session_in_its_window_however_many_ask_at_once_and_another_one_after_it()
    {
        var (project, launch) = (await PublishableKeyAsync(App), Signed(Shop, NewId()));

        var replies = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => MintAsync(project, launch, Stack.Proxies[i % 2])));

        var first = Assert.Single(replies, reply => reply.Status == 201).Json;
        Assert.All(replies.Where(reply => reply.Status != 201), reply => reply.MustBeProblem(401, "init_data_replayed", "initData"));
        // Escaped otherwise it is the same, and with a secret key, too.
        (await MintAsync(project, launch.Replace("%20", "+"))).MustBeProblem(401, "init_data_replayed", "initData");
        (await App.PostAsync("/v1/sessions/telegram", Body(null, launch))).MustBeProblem(401, "init_data_replayed", "initData");

        await using var past = Books.Sessions.CreateCommand(
            "update telegram_mint set minted_at = minted_at - interval '1 minute' where hash = $1");
        past.Parameters.Add(new() { Value = Convert.FromHexString(launch[^64..]) });
        Assert.Equal(1, await past.ExecuteNonQueryAsync(Token));
        var second = (await MintAsync(project, launch)).MustBe(201).Json;
        Assert.Equal(first.Text("endCustomerId"), second.Text("endCustomerId"));
        Assert.NotEqual(first.Text("sessionToken"), second.Text("sessionToken"));
    }

    [Theory]
    [InlineData(0, 201, null)]
    [InlineData(-23 * 3600, 201, null)]
    [InlineData(-25 * 3600, 401, "init_data_expired")]
    [InlineData(30, 201, null)]
    [InlineData(120, 401, "init_data_in_future")]
    public async Task What_was_signed_up_to_a_day_ago_is_taken_and_nothing_of_the_future(int seconds, int status, string? code)
    {
        var reply = await MintAsync(await PublishableKeyAsync(App), Signed(Shop, NewId(), at: Now.AddSeconds(seconds)));

        Assert.Equal((status, code), (reply.Status, reply.Code));
    }

    [Fact]
    public async Task What_no_bot_of_the_project_has_signed_is_refused_by_what_is_wrong_with_it()
    {
        var (project, launch) = (await PublishableKeyAsync(App), Signed(Shop, NewId()));
        foreach (var (wrong, code) in ((string, string)[])
        [
            (Signed("1003", NewId()), "init_data_invalid"), // of nobody's bot
            (launch[..launch.LastIndexOf('&')], "init_data_unsigned"),
            (launch.Replace("first_name", "fIrst_name"), "init_data_invalid"),
            (launch.Replace("&signature=", "&signature=x"), "init_data_invalid"),
            (launch + "&user=%7B%7D", "init_data_invalid"),
            (launch + "&added=1", "init_data_invalid"),
        ])
            (await MintAsync(project, wrong)).MustBeProblem(401, code, "initData");
        (await MintAsync(project, "")).MustBeProblem(400, "invalid_value", "initData");
        (await MintAsync(project, new('a', 9000))).MustBeProblem(400, "invalid_value", "initData");
        (await MintAsync(null, launch)).MustBeProblem(400, "missing_field", "publishableKey");
        (await MintAsync("pk_nobodys", launch)).MustBeProblem(401, "invalid_api_key", "publishableKey");
        // Another project has no such bot, and a session is no backend.
        (await MintAsync(await PublishableKeyAsync(Backend.Other), launch)).MustBeProblem(401, "init_data_invalid", "initData");
        var user = await App.NewUserAsync(null);
        (await Gateway.SendAsync("POST", "/v1/sessions/telegram", user.Token, Body(project, launch)))
            .MustBeProblem(401, "wrong_credential_kind");
        // None of it has used the launch up.
        (await MintAsync(project, launch)).MustBe(201);
    }

    [Fact]
    public async Task A_project_has_several_bots_each_with_terms_of_its_own_and_a_deleted_one_makes_no_sessions()
    {
        var (managed, name) = (Backend.Managed, $"bot-{Guid.NewGuid():N}");
        var (project, bot) = (await PublishableKeyAsync(managed), $"{Random.Shared.NextInt64(1_000_000_000_000)}");
        var path = $"/v1/telegram-bots/{name}";
        (await managed.PutAsync($"{path}-2", Bot($"2{bot}"))).MustBe(200);
        var put = (await managed.PutAsync(path, $$"""{{Bot(bot)[..^1]}},"maxAgeSeconds":60,"ttlSeconds":60}""")).MustBe(200);
        Assert.DoesNotContain(TokenOf(bot), put.Text);
        // Without a token it keeps its own.
        Assert.Equal(put.Text, (await managed.PutAsync(path, put.Text)).MustBe(200).Text);
        Assert.Equal(put.Text, (await managed.GetAsync(path)).MustBe(200).Text);
        Assert.DoesNotContain(TokenOf(bot), (await managed.GetAsync("/v1/telegram-bots")).MustBe(200).Text);

        var minted = (await MintAsync(project, Signed(bot, NewId()))).MustBe(201).Json;
        Assert.InRange(minted.GetProperty("expiresAt").GetDateTimeOffset(), Now.AddSeconds(-30), Now.AddSeconds(61));
        var old = Now.AddMinutes(-2);
        (await MintAsync(project, Signed(bot, NewId(), at: old))).MustBeProblem(401, "init_data_expired", "initData");
        (await MintAsync(project, Signed($"2{bot}", NewId(), at: old))).MustBe(201);

        (await managed.DeleteAsync(path)).MustBe(204);
        (await MintAsync(project, Signed(bot, NewId()))).MustBeProblem(401, "init_data_invalid", "initData");
        (await managed.DeleteAsync(path)).MustBeProblem(404, "not_found");
        (await managed.DeleteAsync($"{path}-2")).MustBe(204);
    }

    [Fact]
    public async Task A_page_of_another_origin_gets_no_session()
    {
        var project = await PublishableKeyAsync(App);

        var forbidden = await MintAsync(project, Signed(Help, NewId()), origin: "https://app.example.com.evil.com");
        var allowed = await MintAsync(project, Signed(Help, NewId()), origin: "https://app.example.com");

        Assert.Equal("origin_not_allowed", forbidden.MustBe(403).Code);
        Assert.Equal("https://app.example.com", allowed.MustBe(201)["Access-Control-Allow-Origin"]);
    }

    [Fact]
    public async Task A_customer_that_is_suspended_gets_no_session()
    {
        var (project, id) = (await PublishableKeyAsync(App), NewId());
        var minted = (await MintAsync(project, Signed(Shop, id))).MustBe(201).Json;
        (await App.PatchAsync($"/v1/customers/{minted.Text("endCustomerId")}", """{"status":"suspended"}""")).MustBe(200);

        (await MintAsync(project, Signed(Shop, id, ("start_param", "again")))).MustBeProblem(403, "customer_suspended");
    }

    static DateTimeOffset Now => DateTimeOffset.UtcNow;

    static long NewId() => Random.Shared.NextInt64(1, 1L << 52);

    static async Task<string> PublishableKeyAsync(Backend backend) =>
        (await backend.GetAsync("/v1/projects")).MustBe(200).Json.Items("projects").Single().Text("publishableKey");

    static Task<Reply> MintAsync(string? project, string initData, Uri? at = null, string? origin = null) => Gateway.SendAsync(
        "POST", "/v1/sessions/telegram", json: Body(project, initData), at: at, headers: origin is null ? [] : [("Origin", origin)]);

    static string Body(string? project, string initData) => System.Text.Json.JsonSerializer.Serialize(
        project is null ? (object)new { initData } : new { initData, publishableKey = project });

    static string Signed(string bot, long id, (string Name, string Value)? more = null, DateTimeOffset? at = null)
    {
        var fields = new Dictionary<string, string>
        {
            ["query_id"] = $"AA{Guid.NewGuid():N}",
            ["user"] = $$"""
                {"id":{{id}},"first_name":"Zo\u00eb 🚀","last_name":"O'Hara","photo_url":"https:\/\/t.me\/i\/userpic\/own.svg"}
                """,
            ["auth_date"] = (at ?? Now).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            ["signature"] = "c2lnbmF0dXJl_-",
        };
        if (more is var (name, value))
            fields[name] = value;
        var lines = string.Join(
            '\n', fields.OrderBy(field => field.Key, StringComparer.Ordinal).Select(field => $"{field.Key}={field.Value}"));
        var hash = HMACSHA256.HashData(
            HMACSHA256.HashData("WebAppData"u8, Encoding.UTF8.GetBytes(TokenOf(bot))), Encoding.UTF8.GetBytes(lines));
        return string.Join('&', fields.Select(field => $"{field.Key}={Uri.EscapeDataString(field.Value)}"))
            + $"&hash={Convert.ToHexStringLower(hash)}";
    }
}
