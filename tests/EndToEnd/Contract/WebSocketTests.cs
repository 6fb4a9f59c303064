using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>Routes of kind <c>websocket</c>: what passes, what it costs, and what ends it.</summary>
public sealed class WebSocketTests
{
    /// <summary>Of the route <c>socket</c>: what a message costs, and what is held at once.</summary>
    const long Each = 1_000_000, Held = 4 * Each;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Messages_pass_both_ways_with_our_credential_and_cost_what_the_route_says()
    {
        var (user, tag) = (await Backend.Apis.NewUserAsync("1"), Sandbox.NewTag());
        using (var socket = await OpenAsync(
            $"/v1/socket/echo/x?tag={tag}", user.Token, ("X-User-ID", "spoofed"), ("X-Mine", "1"), ("Cookie", "a=b")))
        {
            await socket.SendAsync("héllo"u8.ToArray().AsMemory(), WebSocketMessageType.Text, true, Token);
            Assert.Equal((WebSocketMessageType.Text, "héllo"), await HearAsync(socket));
            await socket.SendAsync(new byte[40_000].AsMemory(), WebSocketMessageType.Binary, true, Token);
            var (kind, text) = await HearAsync(socket);
            Assert.Equal((WebSocketMessageType.Binary, 40_000), (kind, text.Length));
            await socket.CloseAsync((WebSocketCloseStatus)4002, "bye", Token);
            Assert.Equal(((WebSocketCloseStatus)4002, "bye"), (socket.CloseStatus, socket.CloseStatusDescription));
        }
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Completed, 101, 4 * Each, false, null), (row.Outcome, row.Status, row.Charged, row.Estimated, row.Reason));
        Assert.Equal(Money.NanosPerUsd - 4 * Each, await user.BalanceAsync());

        var call = await Sandbox.CallAsync(tag, seen => seen.Outcome == "completed", "the end of the provider's side");
        var headers = new Dictionary<string, string>(call.Headers, StringComparer.OrdinalIgnoreCase);
        Assert.Equal(
            ("Bearer sk-api-of-ours-000", user.CustomerId, "1"), (headers["Authorization"], headers["X-User-ID"], headers["X-Mine"]));
        Assert.DoesNotContain(call.Headers.Values, value => value.Contains(user.Token, StringComparison.Ordinal));
        Assert.False(headers.ContainsKey("Cookie"));
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task A_protocol_is_chosen_by_the_provider()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        using var socket = NewSocket(user.Token);
        socket.Options.AddSubProtocol("chat.v2");
        socket.Options.AddSubProtocol("chat.v1");
        await socket.ConnectAsync(AddressOf("/v1/socket/echo/x", Stack.Proxy), Token);
        Assert.Equal("chat.v2", socket.SubProtocol);
    }

    /// <summary>Eight units in two holds, and the wallet has no third one.</summary>
    [Fact]
    public async Task At_the_bound_more_is_held_and_who_has_not_so_much_left_is_told_why()
    {
        var (user, tag) = (await Backend.Apis.NewUserAsync("0.01"), Sandbox.NewTag());
        using var socket = await OpenAsync($"/v1/socket/echo/x?tag={tag}", user.Token);
        for (var i = 0; i < 4; i++)
            await EchoAsync(socket);
        await SayAsync(socket, "beyond");
        var end = await EndOfAsync(socket);
        Assert.Equal(WebSocketCloseStatus.PolicyViolation, end.Code);
        // What the last hold has used may not be booked yet: then it is said that it may be free again.
        Assert.Contains(end.Words.Text("code"), (string[])["wallet_exhausted", "balance_held"]);
        Assert.Equal([Held, Held], (await Books.UsageAsync(user, 2)).Select(row => row.Charged));
        Assert.Equal(2 * Each, await user.BalanceAsync());
        Assert.Equal(4, (await Sandbox.CallAsync(tag, seen => seen.Outcome != "running", "the end of the provider's side")).TokensOut);
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task A_limit_of_the_customer_ends_it_and_says_when_it_may_go_on()
    {
        var user = await NewCallerAsync();
        await LimitAsync(user, "requests", 6);
        using var socket = await OpenAsync("/v1/counted-socket/echo/x", user.Token, at: Stack.Proxy2);
        await EchoAsync(socket);
        await EchoAsync(socket);
        await SayAsync(socket, "beyond");
        var end = await EndOfAsync(socket);
        Assert.Equal((WebSocketCloseStatus.PolicyViolation, "limit_reached"), (end.Code, end.Words.Text("code")));
        Assert.True(end.Words.GetProperty("retryAfter").GetInt32() > 0);
        await Books.UsageAsync(user, 1);
        await MustHaveUsedAsync(user, 4);
        await MustNotOpenAsync("/v1/counted-socket/echo/x", user.Token, HttpStatusCode.TooManyRequests); // it holds 4, and 2 are left
    }

    /// <summary>A message counts from its beginning, and no byte of one that is not paid passes.</summary>
    [Fact]
    public async Task Bytes_are_tokens_where_the_route_says_so_and_none_passes_that_is_not_held()
    {
        var (user, tag) = (await NewCallerAsync(), Sandbox.NewTag());
        await LimitAsync(user, "tokens", 150_000);
        using var socket = await OpenAsync($"/v1/socket-of-bytes/says/0?tag={tag}", user.Token);
        var said = socket.SendAsync(new byte[200_000].AsMemory(), WebSocketMessageType.Binary, true, Token).AsTask();
        var end = await EndOfAsync(socket);
        Assert.Equal("limit_reached", end.Words.Text("code"));
        await Task.WhenAny(said);
        var row = await Books.OnlyUsageAsync(user);
        Assert.InRange(row.OutputTokens, 1, 100_000);
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task A_revoked_key_ends_it_and_pays_what_has_passed()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        using var socket = await OpenAsync("/v1/socket/echo/x", user.Token);
        await EchoAsync(socket);
        (await Backend.Apis.DeleteAsync($"/v1/sessions/{user.SessionId}")).MustBe(204);
        var end = await EndOfAsync(socket);
        Assert.Equal((WebSocketCloseStatus.PolicyViolation, "revoked"), (end.Code, end.Words.Text("code")));
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Aborted, "revoked", 2 * Each), (row.Outcome, row.Reason, row.Charged));
    }

    /// <summary>A request that runs is finished for who is suspended. This one would never be.</summary>
    [Fact]
    public async Task A_customer_who_is_suspended_is_ended_although_its_hold_would_last()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        using var socket = await OpenAsync("/v1/socket/echo/x", user.Token);
        await EchoAsync(socket);
        (await Backend.Apis.PatchAsync($"/v1/customers/{user.CustomerId}", """{"status":"suspended"}""")).MustBe(200);
        var end = await EndOfAsync(socket);
        Assert.Equal((WebSocketCloseStatus.PolicyViolation, "customer_suspended"), (end.Code, end.Words.Text("code")));
        Assert.Equal((Outcome.Aborted, 2 * Each), (await Books.OnlyUsageAsync(user)) is var row ? (row.Outcome, row.Charged) : default);
    }

    [Fact]
    public async Task The_providers_close_is_told_and_our_secret_hidden_in_it()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        using var socket = await OpenAsync("/v1/socket/close/4001", user.Token);
        await SayAsync(socket, "please");
        Assert.Equal(WebSocketMessageType.Close, (await HearAsync(socket)).Kind);
        Assert.Equal((WebSocketCloseStatus)4001, socket.CloseStatus);
        Assert.StartsWith("no luck with", socket.CloseStatusDescription);
        Assert.DoesNotContain("sk-api-of-ours", socket.CloseStatusDescription);
        await socket.CloseOutputAsync((WebSocketCloseStatus)4001, null, Token);
        Assert.Equal((Outcome.Completed, Each), (await Books.OnlyUsageAsync(user)) is var row ? (row.Outcome, row.Charged) : default);
    }

    [Fact]
    public async Task A_provider_that_breaks_off_is_told_and_paid_what_has_passed()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        using var socket = await OpenAsync("/v1/socket/cut", user.Token);
        await SayAsync(socket, "please");
        var end = await EndOfAsync(socket);
        Assert.Equal((WebSocketCloseStatus.InternalServerError, "upstream_interrupted"), (end.Code, end.Words.Text("code")));
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Interrupted, Each, "upstream_interrupted"), (row.Outcome, row.Charged, row.Reason));
    }

    [Fact]
    public async Task Who_leaves_without_a_word_has_paid_what_passed_and_the_provider_is_told()
    {
        var (user, tag) = (await Backend.Apis.NewUserAsync("1"), Sandbox.NewTag());
        using (var socket = await OpenAsync($"/v1/socket/echo/x?tag={tag}", user.Token))
        {
            await EchoAsync(socket);
            socket.Abort();
        }
        await Sandbox.CallAsync(tag, seen => seen.Outcome != "running", "the end of the provider's side");
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((Outcome.Aborted, "aborted", 2 * Each), (row.Outcome, row.Reason, row.Charged));
    }

    [Fact]
    public async Task A_message_has_so_many_bytes_and_no_more()
    {
        const int most = 16 * 1024 * 1024;
        var user = await NewCallerAsync();
        using var socket = await OpenAsync("/v1/socket-of-bytes/echo/x", user.Token);
        var said = socket.SendAsync(new byte[most + 1].AsMemory(), WebSocketMessageType.Binary, true, Token).AsTask();
        var end = await EndOfAsync(socket);
        Assert.Equal((WebSocketCloseStatus.MessageTooBig, "message_too_large"), (end.Code, end.Words.Text("code")));
        await Task.WhenAny(said);
    }

    [Fact]
    public async Task What_the_provider_refuses_costs_nothing()
    {
        var user = await Backend.Apis.NewUserAsync("1");
        await MustNotOpenAsync("/v1/socket/refuse", user.Token, HttpStatusCode.BadGateway); // 403 is about our account there
        await MustNotOpenAsync("/v1/socket/nowhere", user.Token, HttpStatusCode.NotFound);
        Assert.All(await Books.UsageAsync(user, 2), row => Assert.Equal((Outcome.Failed, 0), (row.Outcome, row.Charged)));
        Assert.Equal(Money.NanosPerUsd, await user.BalanceAsync());
    }

    [Fact]
    public async Task Who_may_not_call_gets_no_WebSocket()
    {
        var (user, poor, tag) = (await Backend.Apis.NewUserAsync("1"), await Backend.Apis.NewUserAsync("0.003"), Sandbox.NewTag());
        var path = $"/v1/socket/echo/x?tag={tag}";
        var (_, scoped) = await Backend.Apis.NewKeyAsync(user.CustomerId, "\"models\":[\"weather\"]");
        await MustNotOpenAsync(path, "llm_gw_nobody", HttpStatusCode.Unauthorized);
        await MustNotOpenAsync(path, scoped, HttpStatusCode.Forbidden);
        await MustNotOpenAsync(path, poor.Token, HttpStatusCode.PaymentRequired);
        await MustNotOpenAsync(path, user.Token, HttpStatusCode.BadRequest, ("Idempotency-Key", "one"));
        await MustNotOpenAsync(path, user.Token, HttpStatusCode.Forbidden, ("Origin", "https://evil.example"));
        await MustNotOpenAsync(path, (await Backend.Other.NewUserAsync()).Token, HttpStatusCode.NotFound);
        var plain = (await Gateway.SendAsync("GET", path, user.Token)).MustBeProblem(426, "upgrade_required", "Upgrade");
        Assert.Equal("websocket", plain["Upgrade"]);
        Assert.Empty(await Sandbox.CallsAsync(tag));
        await Books.MustBeRightAsync();
    }

    static Uri AddressOf(string path, Uri at) => new UriBuilder(new Uri(at, path)) { Scheme = "ws" }.Uri;

    static ClientWebSocket NewSocket(string credential, params (string Name, string Value)[] headers)
    {
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.Proxy = null;
        socket.Options.SetRequestHeader("Authorization", $"Bearer {credential}");
        foreach (var (name, value) in headers)
            socket.Options.SetRequestHeader(name, value);
        return socket;
    }

    static Task<ClientWebSocket> OpenAsync(string path, string credential, params (string, string)[] headers) =>
        OpenAsync(path, credential, Stack.Proxy, headers);

    static async Task<ClientWebSocket> OpenAsync(string path, string credential, Uri at, params (string, string)[] headers)
    {
        var socket = NewSocket(credential, headers);
        await socket.ConnectAsync(AddressOf(path, at), Token);
        return socket;
    }

    static async Task MustNotOpenAsync(string path, string credential, HttpStatusCode status, params (string, string)[] headers)
    {
        using var socket = NewSocket(credential, headers);
        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(AddressOf(path, Stack.Proxy), Token));
        Assert.Equal(status, socket.HttpStatusCode);
    }

    static async Task SayAsync(ClientWebSocket socket, string words) =>
        await socket.SendAsync(Encoding.UTF8.GetBytes(words).AsMemory(), WebSocketMessageType.Text, true, Token);

    static async Task EchoAsync(ClientWebSocket socket)
    {
        await SayAsync(socket, "hello");
        Assert.Equal((WebSocketMessageType.Text, "hello"), await HearAsync(socket));
    }

    static async Task<(WebSocketMessageType Kind, string Text)> HearAsync(ClientWebSocket socket)
    {
        var (buffer, heard) = (new byte[64 * 1024], new MemoryStream());
        while (true)
        {
            var got = await socket.ReceiveAsync(buffer.AsMemory(), Token);
            heard.Write(buffer, 0, got.Count);
            if (got.EndOfMessage)
                return (got.MessageType, Encoding.UTF8.GetString(heard.ToArray()));
        }
    }

    /// <summary>How the gateway has closed it.</summary>
    static async Task<(WebSocketCloseStatus? Code, JsonElement Words)> EndOfAsync(ClientWebSocket socket)
    {
        var buffer = new byte[64 * 1024];
        while ((await socket.ReceiveAsync(buffer.AsMemory(), Token)).MessageType != WebSocketMessageType.Close)
        {
            // What was on its way.
        }
        return (socket.CloseStatus, JsonDocument.Parse(socket.CloseStatusDescription!).RootElement);
    }

    /// <summary>A customer without a wallet, with a key.</summary>
    static async Task<User> NewCallerAsync()
    {
        var name = $"caller-{Guid.NewGuid():N}";
        var made = (await Backend.Apis.PostAsync("/v1/customers", $$"""{"externalId":"{{name}}","wallet":false}""")).MustBe(201).Json;
        var (_, key) = await Backend.Apis.NewKeyAsync(made.Text("id"));
        return new(Backend.Apis, name, key, "", made.Text("id"), "");
    }

    static async Task LimitAsync(User user, string unit, long amount) => (await Backend.Apis.PutAsync(
        $"/v1/customers/{user.CustomerId}/limits", $$"""[{"id":"few","unit":"{{unit}}","amount":{{amount}},"cycle":"day"}]""")).MustBe(200);

    static Task MustHaveUsedAsync(User user, long units) => Eventually.HoldsAsync(
        async () => (await Backend.Apis.GetAsync($"/v1/customers/{user.CustomerId}/limits")).MustBe(200).Json[0].Text("used") == $"{units}",
        $"a use of {units}");
}
