using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Preflights, which carry no credential and come in crowds.</summary>
public sealed class CorsTests
{
    const string Mine = "https://app.example.com";

    static readonly TimeSpan Later = TimeSpan.FromSeconds(6);

    readonly FakeTimeProvider _clock = new();

    [Fact]
    public async Task Preflights_that_come_together_are_one_question()
    {
        var answer = new TaskCompletionSource<string>();
        var sessions = new SessionsInMemory(_ => answer.Task);
        var cors = NewCors(sessions);
        var preflights = Enumerable.Range(0, 100).Select(_ => PreflightAsync(cors, Mine)).ToArray();

        answer.SetResult($$"""{"any":false,"origins":["{{Mine}}"]}""");

        Assert.All(await Task.WhenAll(preflights), status => Assert.Equal(204, status));
        Assert.Equal(1, sessions.Asked);
    }

    [Fact]
    public async Task While_Sessions_is_away_the_last_list_goes_on_and_is_asked_for_again_after_a_while()
    {
        var answers = new Queue<Func<string>>(
        [
            () => $$"""{"any":false,"origins":["{{Mine}}"]}""",
            () => throw new HttpRequestException("away"),
            () => """{"any":false,"origins":["https://other.example.com"]}""",
        ]);
        var sessions = new SessionsInMemory(_ => Task.FromResult(answers.Dequeue()()));
        var cors = NewCors(sessions);
        Assert.Equal(204, await PreflightAsync(cors, Mine));

        _clock.Advance(Later);
        Assert.Equal(204, await PreflightAsync(cors, Mine));
        Assert.Equal(403, await PreflightAsync(cors, "https://evil.example.com"));
        Assert.Equal(2, sessions.Asked);

        // Asked for again; the preflight that brings that about does not wait for the answer.
        _clock.Advance(Later);
        Assert.Equal(204, await PreflightAsync(cors, Mine));
        Assert.Equal(403, await PreflightAsync(cors, Mine));
    }

    [Fact]
    public async Task While_Sessions_hangs_the_last_list_goes_on_for_whom_it_allows_and_nobody_is_refused_by_it()
    {
        const string added = "https://new.example.com";
        var answer = new TaskCompletionSource<string>();
        var answers = new Queue<Task<string>>([Task.FromResult($$"""{"any":false,"origins":["{{Mine}}"]}"""), answer.Task]);
        var cors = NewCors(new SessionsInMemory(_ => answers.Dequeue()));
        Assert.Equal(204, await PreflightAsync(cors, Mine));
        _clock.Advance(Later);

        var waiting = PreflightAsync(cors, added);
        var allowed = PreflightAsync(cors, Mine);
        Assert.True(allowed.IsCompleted);
        answer.SetResult($$"""{"any":false,"origins":["{{added}}"]}""");

        Assert.Equal((204, 204), (await allowed, await waiting));
        Assert.Equal(403, await PreflightAsync(cors, Mine));
    }

    [Fact]
    public async Task Without_any_list_nobody_is_allowed()
    {
        var cors = NewCors(new(_ => throw new HttpRequestException("away")));

        await Assert.ThrowsAsync<HttpRequestException>(() => PreflightAsync(cors, Mine));
    }

    /// <summary>Google's clients put the key into the address, which a preflight has.</summary>
    [Theory]
    [InlineData(null, 204)]
    [InlineData(new string[0], 403)]
    [InlineData(new[] { Mine }, 204)]
    [InlineData(new[] { "https://other.example.com" }, 403)]
    public async Task Where_the_address_has_a_key_its_project_s_list_decides_a_preflight(string[]? list, int expected)
    {
        var key = Token.New(Token.CustomerKey);
        var credential = SessionsInMemory.Credential();
        var sessions = new SessionsInMemory(path => Task.FromResult(path switch
        {
            "/internal/credentials" => Text(Token.Fingerprint(key), credential),
            "/internal/projects" => Text($"{credential.Project}", SessionsInMemory.Project(credential.Project, list)),
            _ => """{"any":true,"origins":[]}""",
        }));

        Assert.Equal(expected, await PreflightAsync(NewCors(sessions), Mine, "/v1beta/models/m:generateContent", $"?key={key}"));
    }

    Cors NewCors(SessionsInMemory sessions) => new(sessions.Identity(_clock), sessions.Client(_clock), _clock);

    static string Text<T>(string key, T value) => JsonSerializer.Serialize(new Dictionary<string, T> { [key] = value }, Defaults.Json);

    static async Task<int> PreflightAsync(Cors cors, string origin, string path = "/v1/chat/completions", string query = "")
    {
        var http = new DefaultHttpContext { Request = { Path = path, QueryString = new(query) } };
        http.Request.Method = "OPTIONS";
        http.Request.Headers.Origin = origin;
        http.Request.Headers["Access-Control-Request-Method"] = "POST";
        await cors.InvokeAsync(http, _ => throw new InvalidOperationException("a preflight ends here"));
        return http.Response.StatusCode;
    }
}
