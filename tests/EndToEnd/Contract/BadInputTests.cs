using System.Net;
using System.Text;
using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>Bad input gets the one error body with the field named; nothing is charged, nothing half-written.</summary>
public sealed class BadInputTests
{
    const string Session = "session", Key = "key", None = "none";

    const string Hello = "\"messages\":[{\"role\":\"user\",\"content\":\"one two three\"}]";

    public static TheoryData<string, int, string, string?> BadChats => new()
    {
        { "", 400, "malformed_json", null },
        { "not json", 400, "malformed_json", null },
        { $$"""{"model":"small",{{Hello}}""", 400, "malformed_json", null },
        { $$"""{"model":"small",{{Hello}}} {}""", 400, "malformed_json", null },
        { "[]", 400, "malformed_json", null },
        { "null", 400, "malformed_json", null },
        { $$"""{"model":"small","model":"odd",{{Hello}}}""", 400, "malformed_json", "model" },
        { $$"""{"model":"small",{{Hello}},"\u006dax_tokens":1,"max_tokens":100}""", 400, "malformed_json", "max_tokens" },
        { $$"""{"model":"small","messages":[{"role":"user","content":"a","content":"b"}]}""", 400, "malformed_json", "content" },
        { """{"model":"small","messages":[{"role":"user","content":"\ud800"}]}""", 400, "malformed_json", null },
        { "{" + Hello + "}", 400, "missing_field", "model" },
        { """{"model":"small"}""", 400, "missing_field", "messages" },
        { $$"""{"model":7,{{Hello}}}""", 400, "invalid_value", "model" },
        { $$"""{"model":"",{{Hello}}}""", 400, "invalid_value", "model" },
        { """{"model":"small","messages":[]}""", 400, "invalid_value", "messages" },
        { """{"model":"small","messages":"hello"}""", 400, "invalid_value", "messages" },
        { """{"model":"small","messages":[7]}""", 400, "invalid_value", "messages[0]" },
        { $$"""{"model":"no-such-model",{{Hello}}}""", 400, "model_not_found", "model" },
        { $$"""{"model":"SMALL",{{Hello}}}""", 400, "model_not_found", "model" },
        { $$"""{"model":"other/small",{{Hello}}}""", 400, "model_not_found", "model" },
        { $$"""{"model":"unpriced",{{Hello}}}""", 400, "model_unpriced", "model" },
        { $$"""{"model":"embedding",{{Hello}}}""", 400, "invalid_value", "model" },
        { With("\"max_tokens\":-1"), 400, "invalid_value", "max_tokens" },
        { With("\"max_tokens\":0"), 400, "invalid_value", "max_tokens" },
        { With("\"max_tokens\":1e3"), 400, "invalid_value", "max_tokens" },
        { With("\"max_tokens\":9223372036854775808"), 400, "invalid_value", "max_tokens" },
        { With("\"max_tokens\":\"10\""), 400, "invalid_value", "max_tokens" },
        { With("\"max_tokens\":1.5"), 400, "invalid_value", "max_tokens" },
        { With("\"max_tokens\":true"), 400, "invalid_value", "max_tokens" },
        { With("\"max_completion_tokens\":-1"), 400, "invalid_value", "max_completion_tokens" },
        { With("\"MAX_TOKENS\":10"), 400, "invalid_value", "MAX_TOKENS" },
        { With("\"n\":0"), 400, "invalid_value", "n" },
        { With("\"n\":129"), 400, "invalid_value", "n" },
        { With("\"n\":\"2\""), 400, "invalid_value", "n" },
        { With("\"stream\":\"yes\""), 400, "invalid_value", "stream" },
        { With("\"stream_options\":7"), 400, "invalid_value", "stream_options" },
        { With("\"web_search_options\":{}"), 400, "unpriceable_parameter", "web_search_options" },
        { With("\"service_tier\":\"priority\""), 400, "unpriceable_parameter", "service_tier" },
        { With("\"modalities\":[\"text\",\"audio\"]"), 400, "unpriceable_parameter", "modalities" },
        {
            """{"model":"small","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}""",
            400, "unpriceable_parameter", "messages[0].content[0].file.file_id"
        },
    };

    [Theory]
    [MemberData(nameof(BadChats))]
    public async Task A_bad_chat_request_is_refused_by_name_and_not_charged(string body, int status, string code, string? param)
    {
        var user = await Backend.App.NewUserAsync();

        var reply = await Gateway.SendAsync("POST", Chat.Path, user.Token, body);

        reply.MustBeProblem(status, code, param);
        await MustHaveCostNothingAsync(user);
    }

    [Theory]
    [InlineData("/v1/chat/completions", 21)]
    [InlineData("/v1/sessions", 21)]
    [InlineData("/v1/sessions", 2)]
    public async Task A_body_that_is_too_large_is_refused_with_its_length_announced_or_not(string path, int megabytes)
    {
        var user = await Backend.App.NewUserAsync();
        var body = Encoding.UTF8.GetBytes(Chat.Body("small", new string('a', megabytes * 1024 * 1024)));
        foreach (var chunked in (bool[])[false, true])
        {
            var request = Gateway.Request("POST", path, path == Chat.Path ? user.Token : user.Backend.Key);
            request.Content = new ByteArrayContent(body) { Headers = { ContentType = new("application/json") } };
            request.Headers.TransferEncodingChunked = chunked;
            (await Gateway.SendAsync(request)).MustBeProblem(413, "body_too_large");
        }
        await MustHaveCostNothingAsync(user);
    }

    [Theory]
    [InlineData("/v1/chat/completions", "text/plain")]
    [InlineData("/v1/chat/completions", "application/x-www-form-urlencoded")]
    [InlineData("/v1/chat/completions", null)]
    [InlineData("/v1/sessions", "text/plain")]
    [InlineData("/v1/sessions", null)]
    public async Task What_is_not_JSON_by_its_type_is_refused(string path, string? type)
    {
        var user = await Backend.App.NewUserAsync();
        var request = Gateway.Request("POST", path, path == Chat.Path ? user.Token : user.Backend.Key);
        request.Content = new ByteArrayContent(
            Encoding.UTF8.GetBytes(path == Chat.Path ? Chat.Body("small", Price.Question) : """{"customer":"x"}"""));
        if (type is not null)
            request.Content.Headers.ContentType = new(type);

        (await Gateway.SendAsync(request)).MustBeProblem(415, "unsupported_media_type", "Content-Type");

        await MustHaveCostNothingAsync(user);
    }

    [Theory]
    [InlineData(None, null, 401, "missing_api_key")]
    [InlineData(None, "", 401, "missing_api_key")]
    [InlineData(None, "garbage", 401, "invalid_api_key")]
    [InlineData(None, "es_0000000000000000000000000000000000000000", 401, "invalid_api_key")]
    [InlineData(None, "sk_live_app0000000000000000000000000000000000000", 401, "wrong_credential_kind")]
    [InlineData(Session, "typo", 401, "invalid_api_key")]
    [InlineData(Session, "upper", 401, "invalid_api_key")]
    [InlineData(Key, "typo", 401, "invalid_api_key")]
    public async Task A_credential_that_is_no_customer_s_calls_no_model(string of, string? credential, int status, string code)
    {
        var user = await Backend.App.NewUserAsync();
        var secret = of switch { Session => user.Token, Key => (await user.Backend.NewKeyAsync(user.CustomerId)).Secret, _ => credential };
        if (of != None)
            secret = credential == "typo" ? secret![..20] + (secret[20] == 'x' ? 'y' : 'x') + secret[21..] : secret!.ToUpperInvariant();

        (await Chat.AskAsync(secret!, "small", Price.Question)).MustBeProblem(status, code);
        // A backend manages its models under this address.
        if (code != "wrong_credential_kind")
            (await Gateway.SendAsync("GET", "/v1/models", secret)).MustBeProblem(status, code);

        await MustHaveCostNothingAsync(user);
    }

    [Theory]
    [InlineData("GET", "/v1/wallets/{wallet}", null)]
    [InlineData("POST", "/v1/wallets/{wallet}/credit", """{"amount":"1"}""")]
    [InlineData("POST", "/v1/sessions", """{"customer":"x"}""")]
    [InlineData("GET", "/v1/customers", null)]
    [InlineData("GET", "/v1/customers/{customer}", null)]
    [InlineData("POST", "/v1/customers/{customer}/keys", """{"name":"x"}""")]
    public async Task A_session_or_a_customer_s_key_manages_nothing(string method, string path, string? body)
    {
        var user = await Backend.App.NewUserAsync();
        var (_, key) = await user.Backend.NewKeyAsync(user.CustomerId);
        path = path
            .Replace("{wallet}", user.WalletId, StringComparison.Ordinal)
            .Replace("{customer}", user.CustomerId, StringComparison.Ordinal);

        foreach (var credential in (string[])[user.Token, key])
            (await Gateway.SendAsync(method, path, credential, body)).MustBeProblem(401, "wrong_credential_kind");
        (await Gateway.SendAsync(method, path, null, body)).MustBeProblem(401, "missing_api_key");

        await MustHaveCostNothingAsync(user);
    }

    [Theory]
    [InlineData("GET", "/v1/wallet/balance")]
    [InlineData("POST", "/v1/sessions/refresh")]
    public async Task A_backend_is_no_end_user(string method, string path) =>
        (await Gateway.SendAsync(method, path, Backend.App.Key)).MustBeProblem(401, "wrong_credential_kind");

    [Fact]
    public async Task An_expired_session_is_refused_everywhere_and_says_so()
    {
        var user = await Backend.App.NewUserAsync();
        await Books.ExpireAsync(user);

        (await user.ChatAsync("small", Price.Question)).MustBeProblem(401, "expired");
        (await user.OwnBalanceAsync()).MustBeProblem(401, "expired");
        (await Gateway.SendAsync("POST", "/v1/sessions/refresh", user.Token)).MustBeProblem(401, "expired");
    }

    [Theory]
    [InlineData("GET", "/v1/wallets/{0}", "wal_", null)]
    [InlineData("POST", "/v1/wallets/{0}/credit", "wal_", """{"amount":"1"}""")]
    [InlineData("POST", "/v1/wallets/{0}/debit", "wal_", """{"amount":"1"}""")]
    [InlineData("POST", "/v1/wallets/{0}/freeze", "wal_", "{}")]
    [InlineData("GET", "/v1/wallets/{0}/ledger", "wal_", null)]
    [InlineData("GET", "/v1/customers/{0}", "cus_", null)]
    [InlineData("PATCH", "/v1/customers/{0}", "cus_", """{"name":"mine now"}""")]
    [InlineData("DELETE", "/v1/customers/{0}", "cus_", null)]
    [InlineData("GET", "/v1/customers/{0}/keys", "cus_", null)]
    [InlineData("POST", "/v1/customers/{0}/keys", "cus_", """{"name":"mine"}""")]
    [InlineData("DELETE", "/v1/sessions/{0}", "ses_", null)]
    public async Task What_is_another_s_looks_like_what_does_not_exist(string method, string path, string prefix, string? body)
    {
        var user = await Backend.App.NewUserAsync();
        var theirs = prefix switch { "wal_" => user.WalletId, "cus_" => user.CustomerId, _ => user.SessionId };
        string At(string id) => string.Format(System.Globalization.CultureInfo.InvariantCulture, path, id);

        var unknown =
            (await Gateway.SendAsync(method, At($"{prefix}{Guid.NewGuid():N}"), Backend.Other.Key, body)).MustBeProblem(404, "not_found");
        var garbage = (await Gateway.SendAsync(method, At("1"), Backend.Other.Key, body)).MustBeProblem(404, "not_found");
        var foreign = (await Gateway.SendAsync(method, At(theirs), Backend.Other.Key, body)).MustBeProblem(404, "not_found");
        // The test customers of the same project are separate.
        var otherWorld = (await Gateway.SendAsync(method, At(theirs), Backend.AppTest.Key, body)).MustBeProblem(404, "not_found");

        Assert.All([garbage, foreign, otherWorld], reply => Assert.Equal(WithoutId(unknown), WithoutId(reply)));
        await MustHaveCostNothingAsync(user);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("1e400")]
    [InlineData("1e-10")]
    [InlineData("0.000000000001")]
    [InlineData("\"0.000000000001\"")]
    [InlineData("\"NaN\"")]
    [InlineData("\"Infinity\"")]
    [InlineData("\"abc\"")]
    [InlineData("\"\"")]
    [InlineData("\" 1\"")]
    [InlineData("\"1,5\"")]
    [InlineData("\"0x10\"")]
    [InlineData("true")]
    [InlineData("null")]
    [InlineData("[1]")]
    [InlineData("9223372036854775808")]
    [InlineData("10000000.000000001")]
    public async Task An_amount_that_is_none_is_refused_by_name(string amount)
    {
        var user = await Backend.App.NewUserAsync();

        foreach (var action in (string[])["credit", "debit"])
            (await user.Backend.PostAsync($"/v1/wallets/{user.WalletId}/{action}", $$"""{"amount":{{amount}}}"""))
                .MustBeProblem(400, "invalid_value", "amount");

        await MustHaveCostNothingAsync(user);
    }

    [Theory]
    [InlineData("{}", "missing_field", "amount")]
    [InlineData("""{"amount":NaN}""", "invalid_value", "amount")]
    [InlineData("""{"amount":1,"amount":1000000}""", "malformed_json", "amount")]
    [InlineData("""{"amount":1,"reason":7}""", "invalid_value", "reason")]
    [InlineData("not json", "malformed_json", null)]
    [InlineData("", "malformed_json", null)]
    [InlineData("[]", "malformed_json", null)]
    public async Task A_bad_credit_is_refused_by_name(string body, string code, string? param)
    {
        var user = await Backend.App.NewUserAsync();

        (await user.Backend.PostAsync($"/v1/wallets/{user.WalletId}/credit", body)).MustBeProblem(400, code, param);

        await MustHaveCostNothingAsync(user);
    }

    [Theory]
    [InlineData("0.123456789", 123_456_789)]
    [InlineData("\"0.123456789\"", 123_456_789)]
    [InlineData("\"0.100000000000\"", 100_000_000)]
    [InlineData("1.5e-3", 1_500_000)]
    [InlineData("0.000000001", 1)]
    public async Task A_decimal_string_is_as_good_as_a_number_and_no_digit_is_lost(string amount, long nanos)
    {
        var user = await Backend.App.NewUserAsync(null);

        (await user.Backend.PostAsync($"/v1/wallets/{user.WalletId}/credit", $$"""{"amount":{{amount}}}""")).MustBe(200);

        Assert.Equal(nanos, await user.BalanceAsync());
    }

    [Theory]
    [InlineData("\"ttlSeconds\":59", "invalid_value", "ttlSeconds")]
    [InlineData("\"ttlSeconds\":3601", "invalid_value", "ttlSeconds")]
    [InlineData("\"ttlSeconds\":-900", "invalid_value", "ttlSeconds")]
    [InlineData("\"ttlSeconds\":\"900\"", "invalid_value", "ttlSeconds")]
    [InlineData("\"ttlSeconds\":900.5", "invalid_value", "ttlSeconds")]
    [InlineData("\"ttlSeconds\":9223372036854775808", "invalid_value", "ttlSeconds")]
    [InlineData("\"scope\":{\"maxSpend\":0}", "invalid_value", "scope.maxSpend")]
    [InlineData("\"scope\":{\"maxSpend\":-1}", "invalid_value", "scope.maxSpend")]
    [InlineData("\"scope\":{\"maxSpend\":1e400}", "invalid_value", "scope.maxSpend")]
    [InlineData("\"scope\":{\"models\":\"small\"}", "invalid_value", "scope.models")]
    [InlineData("\"scope\":{\"models\":[\"small\",\"\"]}", "invalid_value", "scope.models[1]")]
    [InlineData("\"scope\":{\"models\":[\"small\",7]}", "invalid_value", "scope.models[1]")]
    [InlineData("\"scope\":7", "invalid_value", "scope")]
    public async Task A_bad_mint_is_refused_by_name_and_leaves_no_customer_behind(string terms, string code, string param)
    {
        var externalId = $"never-{Guid.NewGuid():N}";

        var reply = await Backend.App.PostAsync("/v1/sessions", $$"""{"customer":"{{externalId}}",{{terms}}}""");

        reply.MustBeProblem(400, code, param);
        Assert.Equal(0, await Books.CustomersAsync(externalId));
    }

    [Theory]
    [InlineData("{}", "missing_field", "customer")]
    [InlineData("""{"customer":""}""", "invalid_value", "customer")]
    [InlineData("""{"customer":7}""", "invalid_value", "customer")]
    [InlineData("""{"customer":{}}""", "missing_field", "customer.externalId")]
    [InlineData("""{"customer":{"externalId":"x","email":"no mail"}}""", "invalid_value", "customer.email")]
    [InlineData("""{"customer":"x","customer":"y"}""", "malformed_json", "customer")]
    [InlineData("not json", "malformed_json", null)]
    public async Task A_mint_without_a_proper_customer_is_refused_by_name(string body, string code, string? param) =>
        (await Backend.App.PostAsync("/v1/sessions", body)).MustBeProblem(400, code, param);

    [Fact]
    public async Task An_empty_wallet_is_402()
    {
        var user = await Backend.App.NewUserAsync(null);

        (await user.ChatAsync("small", Price.Question)).MustBeProblem(402, "wallet_exhausted");
        (await user.StreamAsync("small", Price.Question)).MustBeProblem(402, "wallet_exhausted");

        Assert.Equal(0, await user.BalanceAsync());
    }

    [Fact]
    public async Task A_frozen_wallet_is_402_at_both_proxies_and_its_balance_stays_readable()
    {
        var user = await Backend.App.NewUserAsync();
        // Both proxies hold a part of the wallet when it is frozen.
        foreach (var proxy in (Uri[])[Stack.Proxy, Stack.Proxy2])
            (await user.ChatAsync("small", Price.Question, at: proxy)).MustBe(200);

        var frozen = (await user.Backend.PostAsync($"/v1/wallets/{user.WalletId}/freeze", "{}")).MustBe(200);
        Assert.Equal("frozen", frozen.Json.Text("status"));
        foreach (var proxy in (Uri[])[Stack.Proxy, Stack.Proxy2])
            (await Eventually.GetAsync(
                () => user.ChatAsync("small", Price.Question, at: proxy),
                reply => reply.Status != 200,
                "the refusal",
                TimeSpan.FromSeconds(1)))
                .MustBeProblem(402, "wallet_frozen");
        Assert.NotEqual("0", (await user.OwnBalanceAsync()).MustBe(200).Json.Text("balance"));

        (await user.Backend.PostAsync($"/v1/wallets/{user.WalletId}/unfreeze", "{}")).MustBe(200);
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
    }

    [Fact]
    public async Task More_than_there_is_cannot_be_taken_from_a_wallet()
    {
        var user = await Backend.App.NewUserAsync("1");

        (await user.Backend.PostAsync($"/v1/wallets/{user.WalletId}/debit", """{"amount":"1.000000001"}""")).MustBe(402);

        Assert.Equal(1_000_000_000, await user.BalanceAsync());
    }

    [Fact]
    public async Task A_project_without_end_user_sessions_mints_none()
    {
        (await Backend.KeysOnly.PostAsync("/v1/sessions", """{"customer":"x"}""")).MustBeProblem(403, "end_user_sessions_disabled");
        Assert.Equal(HttpStatusCode.OK, (HttpStatusCode)(await Backend.KeysOnly.GetAsync("/v1/customers")).Status);
    }

    [Theory]
    [InlineData("GET", "/v1/nothing")]
    [InlineData("POST", "/v1/chat/nothing")]
    [InlineData("GET", "/internal/verify")]
    [InlineData("POST", "/internal/leases")]
    public async Task What_does_not_exist_is_404_and_internal_routes_do_not_exist_outside(string method, string path) =>
        (await Gateway.SendAsync(
            method,
            path,
            Backend.App.Key,
            method == "POST" ? "{}" : null,
            headers: [Stack.Signed("operator", "proxy")]))
            .MustBeProblem(404, "not_found");

    [Fact]
    public async Task Nobody_can_claim_to_be_someone_else_by_a_header()
    {
        var user = await Backend.App.NewUserAsync();
        (await Gateway.SendAsync("GET", $"/v1/wallets/{user.WalletId}", user.Token,
            headers: [Stack.Signed("proxy", "wallet")]))
            .MustBeProblem(401, "wrong_credential_kind");
    }

    static string With(string member) => $$"""{"model":"small",{{Hello}},{{member}}}""";

    static string WithoutId(Reply reply) => reply.Text.Replace(reply.Json.Text("requestId"), "", StringComparison.Ordinal);

    /// <summary>Makes one good call: when the ledger has that, it would have every call before it, too.</summary>
    static async Task MustHaveCostNothingAsync(User user)
    {
        (await user.ChatAsync("small", Price.Question)).MustBe(200);
        Assert.Equal(1_000_000_000 - 43_000, await user.BalanceAfterAsync(1));
        var ledger = (await user.Backend.GetAsync($"/v1/wallets/{user.WalletId}/ledger")).MustBe(200).Json;
        Assert.Equal(["usage", "grant"], ledger.Items("entries").Select(entry => entry.Text("type")));
    }
}
