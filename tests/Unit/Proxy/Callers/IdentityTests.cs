using System.Net;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What it costs that somebody tries credentials that nobody knows.</summary>
public sealed class IdentityTests : IDisposable
{
    const int Limit = 5;
    const string Literal = "llm_gw_an-operator-s-own-key-from-a-seed-file", Stranger = "203.0.113.7";

    readonly FakeTimeProvider _clock = new();
    readonly Dictionary<string, Credential> _known = [];
    readonly SessionsInMemory _sessions;
    readonly Identity _identity;

    public IdentityTests()
    {
        _sessions = new(path => Task.FromResult(path == "/internal/credentials"
            ? JsonSerializer.Serialize(_known, Defaults.Json)
            : JsonSerializer.Serialize(
                _known.Values.ToDictionary(known => known.Project, known => SessionsInMemory.Project(known.Project)), Defaults.Json)));
        _identity = _sessions.Identity(_clock, Limit);
    }

    [Theory]
    [InlineData("es_01234567890123456789012345678901")]
    [InlineData("es_test_01234567890123456789012345678901")]
    [InlineData("es_0123456789012345678901234567890123456789012345678")]
    [InlineData("llm_gw_0123456789012345678901234567890123456789012345678")]
    [InlineData("sk_live_0123456789012345678901234567890123456789012345678")]
    [InlineData("mt_live_01234567890123456789012345678901")]
    [InlineData("mt_live_0123456789012345678901234567890123456789012345678")]
    public async Task What_has_not_the_checksum_of_what_the_gateway_makes_costs_no_look_up(string token)
    {
        Assert.Equal("invalid_api_key", await RefusalAsync(token));
        Assert.Equal(0, _sessions.Asked);
    }

    [Fact]
    public async Task Who_tries_too_many_is_told_to_wait_and_costs_no_look_up_any_more()
    {
        await TryAsync(Limit);
        var asked = _sessions.Asked;

        var (_, problem) = await SendAsync("llm_gw_and-one-more-guess-of-many-guesses");

        Assert.Equal((429, 12), (problem!.Status, problem.RetryAfterSeconds));
        Assert.Contains($"{Limit} failed identifications per minute", problem.Message);
        Assert.Equal(asked, _sessions.Asked);
        Assert.Equal("invalid_api_key", await RefusalAsync("llm_gw_and-one-more-guess-of-many-guesses", "203.0.113.8"));

        _clock.Advance(TimeSpan.FromSeconds(12));
        Assert.Equal("invalid_api_key", await RefusalAsync("llm_gw_and-one-more-guess-of-many-guesses"));
    }

    [Fact]
    public async Task A_good_credential_from_such_an_address_goes_on()
    {
        var (kept, fresh) = (Know(Literal), Know(Token.New(Token.CustomerKey)));
        Assert.NotNull((await SendAsync(kept)).Caller);
        await TryAsync(2 * Limit);

        Assert.NotNull((await SendAsync(fresh)).Caller);
        Assert.NotNull((await SendAsync(kept)).Caller);
        _clock.Advance(Credential.MaxAge); // what is in memory is too old
        await TryAsync(2 * Limit);
        Assert.NotNull((await SendAsync(kept)).Caller);
    }

    [Fact]
    public async Task A_secret_key_of_a_page_is_refused_also_at_a_project_that_every_page_may_call()
    {
        var secret = Know(Token.New(Token.LiveSecret), CredentialKind.SecretKey);
        Assert.NotNull((await SendAsync(secret)).Caller);

        Assert.Equal(Problems.SecretKeyInBrowser, (await SendAsync(secret, origin: "https://app.example.com")).Problem);
    }

    [Fact]
    public async Task A_member_s_token_of_a_page_is_refused_and_calls_no_model()
    {
        var token = Know(Token.New(Token.LiveMember), CredentialKind.Member);
        var (caller, _) = await SendAsync(token);

        Assert.Equal("wrong_credential_kind", Permit.CheckInference(caller!.Credential)?.Code);
        Assert.Equal(Problems.MemberTokenInBrowser, (await SendAsync(token, origin: "https://app.example.com")).Problem);
    }

    [Fact]
    public async Task What_is_pushed_of_a_member_is_read_again_and_what_is_of_others_is_kept()
    {
        var (token, other) = (Know(Token.New(Token.LiveMember), CredentialKind.Member), Know(Token.New(Token.LiveSecret)));
        var member = (await SendAsync(token)).Caller!.Credential.Id;
        await SendAsync(other);
        var asked = _sessions.Asked;

        Assert.True(_identity.TryForget(new(Invalidation.MemberChanged, member.ToString("N"))));
        _clock.Advance(TimeSpan.FromMilliseconds(1)); // what is read now is of after the change
        await SendAsync(other);
        Assert.Equal(asked, _sessions.Asked);
        await SendAsync(token);

        Assert.Equal(asked + 1, _sessions.Asked);
    }

    [Theory]
    [InlineData("", Stranger, "198.51.100.1", Stranger)] // anybody can write the header
    [InlineData("10.0.0.0/8", Stranger, "198.51.100.1", Stranger)]
    [InlineData("10.0.0.0/8", "10.0.0.9", "198.51.100.1", "198.51.100.1")]
    [InlineData("10.0.0.0/8, ::1", "::ffff:10.0.0.9", "1.1.1.1, 198.51.100.1:443, 10.0.0.8", "198.51.100.1")]
    [InlineData("10.0.0.0/8", "10.0.0.9", "nonsense", "10.0.0.9")]
    [InlineData("10.0.0.9", "10.0.0.9", "", "10.0.0.9")]
    [InlineData("", "2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::")] // all of a /64 may be one caller's
    public void A_caller_is_counted_by_its_address_or_by_what_a_trusted_proxy_says(
        string trusted, string connection, string forwarded, string expected)
    {
        var http = Request("", connection);
        http.Request.Headers["X-Forwarded-For"] = forwarded;

        Assert.Equal(IPAddress.Parse(expected), new CallerAddress(trusted).Of(http));
    }

    [Fact]
    public void A_trusted_proxy_that_is_no_address_ends_the_start() =>
        Assert.Contains("'proxy.local'", Assert.Throws<InvalidOperationException>(() => new CallerAddress("proxy.local")).Message);

    public void Dispose() => _sessions.Dispose();

    string Know(string token, CredentialKind kind = CredentialKind.CustomerKey)
    {
        _known[Token.Fingerprint(token)] = SessionsInMemory.Credential(kind: kind);
        return token;
    }

    async Task TryAsync(int times)
    {
        for (var i = 0; i < times; i++)
            await SendAsync($"llm_gw_guess-number-{i}-of-a-stranger-who-guesses");
    }

    async Task<string?> RefusalAsync(string token, string address = Stranger) => (await SendAsync(token, address)).Problem?.Code;

    async Task<(Caller? Caller, Problem? Problem)> SendAsync(string token, string address = Stranger, string origin = "")
    {
        var http = Request(token, address);
        http.Request.Headers.Origin = origin;
        return await _identity.IdentifyAsync(http);
    }

    static DefaultHttpContext Request(string token, string address)
    {
        var http = new DefaultHttpContext { Connection = { RemoteIpAddress = IPAddress.Parse(address) } };
        http.Request.Headers.Authorization = $"Bearer {token}";
        return http;
    }
}
