using LlmGateway.Proxy;
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
        var cors = new Cors(sessions.Client(_clock), _clock);
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
        var cors = new Cors(sessions.Client(_clock), _clock);
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
        var cors = new Cors(new SessionsInMemory(_ => answers.Dequeue()).Client(_clock), _clock);
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
        var cors = new Cors(new SessionsInMemory(_ => throw new HttpRequestException("away")).Client(_clock), _clock);

        await Assert.ThrowsAsync<HttpRequestException>(() => PreflightAsync(cors, Mine));
    }

    static async Task<int> PreflightAsync(Cors cors, string origin)
    {
        var http = new DefaultHttpContext();
        http.Request.Method = "OPTIONS";
        http.Request.Headers.Origin = origin;
        http.Request.Headers["Access-Control-Request-Method"] = "POST";
        await cors.InvokeAsync(http, _ => throw new InvalidOperationException("a preflight ends here"));
        return http.Response.StatusCode;
    }
}
