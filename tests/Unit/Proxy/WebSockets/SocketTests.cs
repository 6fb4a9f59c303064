using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Contracts.Expressions;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>How a WebSocket begins, what is counted of it, and what is said at its end.</summary>
public sealed class SocketTests
{
    /// <summary>The example of RFC 6455, 1.3.</summary>
    const string Key = "dGhlIHNhbXBsZSBub25jZQ==", Answer = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    [Fact]
    public void The_callers_handshake_is_answered_as_the_standard_says()
    {
        var http = Asking();
        Assert.Null(SocketHandshake.Check(http.Request));
        http.Response.Headers["Sec-WebSocket-Extensions"] = "permessage-deflate";
        SocketHandshake.Accept(http, "chat");
        var said = http.Response.Headers;
        Assert.Equal(
            (Answer, "chat", "websocket"),
            (said["Sec-WebSocket-Accept"].ToString(), said["Sec-WebSocket-Protocol"].ToString(), said.Upgrade.ToString()));
        Assert.Empty(said["Sec-WebSocket-Extensions"].ToString());
    }

    [Theory]
    [InlineData("Sec-WebSocket-Version", "8"), InlineData("Sec-WebSocket-Version", null)]
    [InlineData("Sec-WebSocket-Key", "short"), InlineData("Sec-WebSocket-Key", null)]
    [InlineData("Sec-WebSocket-Key", "no base64 at all 123456=")]
    [InlineData("Sec-WebSocket-Key", "YSBsb3QgbG9uZ2VyIHRoYW4gc2l4dGVlbiBieXRlcyBpcyBub25lLCBhbmQgdGhpcyBpcyBvbmUgb2YgdGhlbQ==")]
    public void A_handshake_that_is_none_is_refused_by_the_name_of_the_header(string header, string? value)
    {
        var http = Asking();
        http.Request.Headers[header] = value;
        Assert.Equal((400, header), SocketHandshake.Check(http.Request) is { } problem ? (problem.Status, problem.Param) : default);
    }

    /// <summary>Who proves nothing may be a cache or a server of something else.</summary>
    [Fact]
    public void A_provider_has_taken_it_when_it_proves_that_and_has_chosen_of_what_was_offered()
    {
        Assert.True(IsTaken(said => { }, out var protocol));
        Assert.Equal("chat", protocol);
        Assert.True(IsTaken(said => said.Headers.Remove("Sec-WebSocket-Protocol"), out protocol));
        Assert.Null(protocol);
        Assert.False(IsTaken(said => said.StatusCode = HttpStatusCode.OK, out _));
        Assert.False(IsTaken(said => said.Headers.Remove("Sec-WebSocket-Accept"), out _));
        Assert.False(IsTaken(said => Put(said, "Sec-WebSocket-Accept", "x"), out _));
        Assert.False(IsTaken(said => Put(said, "Sec-WebSocket-Protocol", "other"), out _));
        Assert.False(IsTaken(said => Put(said, "Sec-WebSocket-Extensions", "permessage-deflate"), out _));

        static bool IsTaken(Action<HttpResponseMessage> change, out string? protocol)
        {
            using var said = new HttpResponseMessage(HttpStatusCode.SwitchingProtocols);
            Put(said, "Sec-WebSocket-Accept", Answer);
            Put(said, "Sec-WebSocket-Protocol", "chat");
            change(said);
            return SocketHandshake.IsTaken(Asking().Request, said, Key, out protocol);
        }

        static void Put(HttpResponseMessage said, string name, string value)
        {
            said.Headers.Remove(name);
            said.Headers.TryAddWithoutValidation(name, value);
        }
    }

    [Fact]
    public void A_provider_is_told_no_protocol_that_repeats_the_callers_credential()
    {
        var http = Asking();
        http.Request.Headers["Sec-WebSocket-Protocol"] = "chat, key.llm_gw_secret, superchat";
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://provider.example/");
        SocketHandshake.Ask(http.Request, request, Key, "llm_gw_secret");
        Assert.Equal("chat, superchat", request.Headers.NonValidated["Sec-WebSocket-Protocol"].ToString());
        Assert.Equal(
            ("Upgrade", "websocket", Key),
            (request.Headers.NonValidated["Connection"].ToString(), request.Headers.NonValidated["Upgrade"].ToString(),
                request.Headers.NonValidated["Sec-WebSocket-Key"].ToString()));
    }

    [Theory]
    [InlineData("requestMessages + responseMessages", 3), InlineData("requestBytes + 10 * responseBytes", 15 + 70)]
    [InlineData("(requestBytes + responseBytes) / 10", 3), InlineData("1", 1), InlineData("count(lines(allData))", 1)]
    public void What_has_passed_is_counted_both_ways_at_any_moment(string expression, long units)
    {
        var meter = Metering(CustomRoute.Requests, expression);
        Push(false, "0123456789", begins: true);
        Push(false, "01234", begins: false);
        Push(true, "first", begins: true);
        Assert.NotNull(meter.SoFar().Units);
        Push(true, "12", begins: true);
        Assert.Equal(units, meter.SoFar().Units);

        void Push(bool isAnswer, string piece, bool begins) => meter.Push(isAnswer, Encoding.UTF8.GetBytes(piece), begins);
    }

    [Fact]
    public void A_message_counts_from_its_beginning_because_it_may_never_end()
    {
        var meter = Metering(CustomRoute.Requests, "requestMessages");
        meter.Push(isAnswer: false, "begun"u8, begins: true);
        Assert.Equal(1, meter.SoFar().Units);
    }

    [Fact]
    public void Units_are_requests_or_tokens_as_the_route_says()
    {
        var (requests, tokens) = (Metering(CustomRoute.Requests, "requestBytes"), Metering(CustomRoute.Tokens, "requestBytes"));
        Assert.Equal((7, 7), (requests.Read(7).Usage[Meter.Request], requests.Requests(7)));
        Assert.Equal((7, 1, 1), (tokens.Read(7).Usage.OutputTokens, tokens.Read(7).Usage[Meter.Request], tokens.Requests(7)));
        Assert.Equal((true, "expression_no_number"), requests.Read(7, "expression_no_number") is var failed
            ? (failed.Estimated, failed.Reason) : default);
    }

    /// <summary>As much of the body of a refusal as a closing frame has room for.</summary>
    [Fact]
    public void An_end_of_ours_says_its_code_and_when_to_come_again_to_programs()
    {
        var limit = new LimitState("customer", "requests", "5", "5", "1", null);
        var end = SocketEnd.Refused(Problems.LimitReached("A long sentence for people.", limit, 86400));
        Assert.Equal((WebSocketCloseStatus.PolicyViolation, "limit_reached"), (end.Code, end.Reason));
        var said = JsonDocument.Parse(end.Words!).RootElement;
        Assert.Equal(
            ("limit_reached", 86400, "1"),
            (said.GetProperty("code").GetString(), said.GetProperty("retryAfter").GetInt32(), said.GetProperty("missing").GetString()));
        Assert.Equal("""{"code":"idle"}""", SocketEnd.Idle.Words);
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, SocketEnd.Refused(Problems.Unavailable).Code);
        var missing = new LimitState("wallet", "usd", null, null, new string('9', 200), null);
        Assert.Equal("""{"code":"wallet_exhausted"}""", SocketEnd.Refused(Problems.WalletExhausted("x", missing)).Words);
    }

    [Fact]
    public void A_side_that_closes_is_told_to_the_other_in_its_own_words_where_they_fit()
    {
        Assert.Equal(("bye", true), SocketEnd.Closed((WebSocketCloseStatus)4001, "bye") is var end ? (end.Words, end.IsClosed) : default);
        Assert.Null(SocketEnd.Closed((WebSocketCloseStatus)4001, new string('x', 124)).Words);
        Assert.Equal((WebSocketCloseStatus.Empty, null), SocketEnd.Closed(null, "bye") is var none ? (none.Code, none.Words) : default);
    }

    static SocketMeter Metering(string unit, string expression)
    {
        Assert.True(MeteringExpression.TryParse(expression, out var parsed, out _));
        return new(new("/x", "p") { Kind = CustomRoute.WebSocket, Unit = unit, MaxUnits = 1000 }, parsed, new Facts { Status = 101 });
    }

    static DefaultHttpContext Asking()
    {
        var http = new DefaultHttpContext();
        http.Request.Headers["Sec-WebSocket-Version"] = "13";
        http.Request.Headers["Sec-WebSocket-Key"] = Key;
        http.Request.Headers["Sec-WebSocket-Protocol"] = "superchat, chat";
        return http;
    }
}
