using System.Net;
using System.Net.Http.Json;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>A proxy's part of keyed calls, before a ledger that does as it is told.</summary>
public sealed class KeyedCallsTests : HttpMessageHandler
{
    const string Endpoint = "/v1/chat/completions";

    static readonly byte[] Body = """{"model":"small"}"""u8.ToArray(), Settlement = [1, 2, 3];

    readonly string _folder = Directory.CreateTempSubdirectory("llmgateway-keys-").FullName;
    readonly FakeTimeProvider _clock = new();
    readonly List<string> _asked = [];
    readonly Caller _caller = new(SessionsInMemory.Credential() with { Customer = Ids.New() }, null!, "");
    readonly Spool _spool;
    readonly KeyedCalls _calls;

    HttpStatusCode _answer = HttpStatusCode.NoContent;
    byte[] _kept = [];
    IReadOnlyList<Guid> _renewed = [];
    Guid _booked;

    public KeyedCallsTests()
    {
        _spool = new Spool(_folder, NullLogger<Spool>.Instance);
        _calls = new(
            new(new HttpClient(this, disposeHandler: false) { BaseAddress = new("http://wallet") }),
            new Envelope([new byte[32]]),
            new BodyBudget(1 << 30, 1 << 30),
            _spool,
            _clock,
            NullLogger<KeyedCalls>.Instance);
    }

    [Fact]
    public async Task A_repetition_gets_the_bytes_and_headers_of_the_first_answer()
    {
        var first = await BegunAsync();
        first.Http.Response.ContentType = "application/json";
        first.Http.Response.Headers["X-LLMGateway-Cost"] = "0.000043";
        first.Http.Response.Headers["X-Request-Id"] = first.Http.RequestId();
        first.Http.Response.Headers["X-RateLimit-Remaining-Requests"] = "7";
        await EndAsync(first, "the answer"u8.ToArray());

        var (again, told) = (NewCall(), new MemoryStream());
        again.Http.Response.Body = told;
        _answer = HttpStatusCode.OK;
        Assert.Equal((true, null), await BeginAsync(again));

        Assert.Equal("the answer", Encoding.UTF8.GetString(told.ToArray()));
        var headers = again.Http.Response.Headers;
        Assert.Equal(
            ("application/json", "0.000043", first.Http.RequestId(), "true"),
            (headers.ContentType.ToString(), headers["X-LLMGateway-Cost"].ToString(), headers["X-Request-Id"].ToString(),
                headers["Idempotent-Replayed"].ToString()));
        Assert.False(headers.ContainsKey("X-RateLimit-Remaining-Requests"));
        Assert.Null(again.Keyed);
    }

    [Fact]
    public async Task An_answer_of_another_customer_or_another_key_does_not_open()
    {
        await EndAsync(await BegunAsync(), "the answer"u8.ToArray());
        _answer = HttpStatusCode.OK;

        Assert.Equal((false, Problems.IdempotencyUnreadable), await BeginAsync(NewCall(), key: "another"));
        var stranger = NewCall();
        stranger.Caller = new(SessionsInMemory.Credential() with { Customer = Ids.New() }, null!, "");
        Assert.Equal((false, Problems.IdempotencyUnreadable), await BeginAsync(stranger));
    }

    [Theory]
    [InlineData(HttpStatusCode.Conflict, "idempotency_key_in_use")]
    [InlineData(HttpStatusCode.Gone, "idempotency_answer_not_kept")]
    [InlineData(HttpStatusCode.UnprocessableEntity, "idempotency_key_reused")]
    public async Task What_has_the_key_is_told_and_nothing_runs(HttpStatusCode answer, string code)
    {
        _answer = answer;
        var call = NewCall();

        var (isAnswered, problem) = await BeginAsync(call);

        Assert.Equal((false, code), (isAnswered, problem!.Code));
        Assert.Null(call.Keyed);
    }

    [Fact]
    public async Task Without_the_ledger_nothing_runs()
    {
        _answer = HttpStatusCode.ServiceUnavailable;
        var call = NewCall();
        var refused = await Assert.ThrowsAsync<ProblemException>(() => BeginAsync(call));
        Assert.Equal(503, refused.Problem.Status);

        // The ledger may have taken the key all the same.
        await _calls.RenewAsync();
        _answer = HttpStatusCode.NoContent;
        await _calls.RenewAsync();
        await _calls.RenewAsync();
        Assert.Equal(2, _asked.Count(asked => asked == $"DELETE /internal/calls/{call.Id:N}"));
    }

    [Fact]
    public async Task An_answer_that_is_too_large_is_not_sent_and_its_charge_is()
    {
        await EndAsync(await BegunAsync(), new byte[KeyTerms.MaxAnswerBytes]);
        Assert.Equal(Settlement, _kept);
    }

    [Fact]
    public async Task A_call_without_a_whole_answer_frees_its_key_once_and_one_with_it_never()
    {
        var failed = await BegunAsync();
        await _calls.FreeAsync(failed);
        await _calls.FreeAsync(failed);
        var ended = await BegunAsync();
        await EndAsync(ended, "x"u8.ToArray());
        await _calls.FreeAsync(ended);

        var freed = _asked.Where(asked => asked.StartsWith("DELETE", StringComparison.Ordinal));
        Assert.Equal([$"DELETE /internal/calls/{failed.Id:N}"], freed);
    }

    [Fact]
    public async Task A_key_that_could_not_be_freed_is_freed_as_soon_as_the_ledger_answers()
    {
        var failed = await BegunAsync();
        _answer = HttpStatusCode.ServiceUnavailable;
        await _calls.FreeAsync(failed);
        _answer = HttpStatusCode.NoContent;

        await _calls.RenewAsync();
        await _calls.RenewAsync();

        Assert.Equal(2, _asked.Count(asked => asked == $"DELETE /internal/calls/{failed.Id:N}"));
    }

    [Fact]
    public async Task However_many_keys_are_to_be_freed_those_that_run_are_renewed_soon()
    {
        var running = await BegunAsync();
        _answer = HttpStatusCode.ServiceUnavailable;
        for (var i = 0; i < 1_000; i++)
            await Assert.ThrowsAsync<ProblemException>(() => BeginAsync(NewCall()));
        _answer = HttpStatusCode.NoContent;
        _asked.Clear();

        await _calls.RenewAsync();
        Assert.Equal([running.Id], await RenewedAsync());

        Assert.InRange(_asked.Count(asked => asked.StartsWith("DELETE", StringComparison.Ordinal)), 1, 500);
    }

    [Fact]
    public async Task A_key_is_renewed_while_its_call_runs_and_until_the_ledger_has_booked_it()
    {
        var (running, ended) = (await BegunAsync(), await BegunAsync());
        _answer = HttpStatusCode.ServiceUnavailable;
        await EndAsync(ended, "x"u8.ToArray());
        _answer = HttpStatusCode.NoContent;
        Assert.Equivalent((Guid[])[running.Id, ended.Id], await RenewedAsync(), strict: true);
        _booked = ended.Id;
        await RenewedAsync();
        Assert.Equal([running.Id], await RenewedAsync());

        await EndAsync(running, "x"u8.ToArray());
        Assert.Empty(await RenewedAsync());
    }

    [Theory]
    [InlineData(null, false, null, false)]
    [InlineData("gemini-small", false, "gemini-large", false)]
    [InlineData("gemini-small", false, "gemini-small", true)]
    public void What_the_address_says_is_a_part_of_what_is_asked(string? model, bool stream, string? other, bool otherStream)
    {
        var asked = KeyedCall.HashOf(new(model, stream, stream), Body);
        Assert.Equal(model is null, asked.SequenceEqual(KeyedCall.HashOf(new(other, otherStream, otherStream), Body)));
        Assert.NotEqual(asked, KeyedCall.HashOf(new(model, stream, stream), [.. Body, (byte)' ']));
    }

    [Fact]
    public void A_key_is_its_customers_its_modes_and_its_routes()
    {
        var test = _caller with { Credential = _caller.Credential with { Test = !_caller.Credential.Test } };
        var other = _caller with { Credential = _caller.Credential with { Customer = Ids.New() } };
        var another = _caller with { Credential = _caller.Credential with { Id = Ids.New() }, Fingerprint = "another credential" };

        Assert.Equal(KeyedCall.IdOf(_caller, Endpoint, "k"), KeyedCall.IdOf(another, Endpoint, "k"));
        Assert.Equal(5, ((Guid[])[
            KeyedCall.IdOf(_caller, Endpoint, "k"), KeyedCall.IdOf(_caller, Endpoint, "l"), KeyedCall.IdOf(_caller, "/v1/responses", "k"),
            KeyedCall.IdOf(test, Endpoint, "k"), KeyedCall.IdOf(other, Endpoint, "k"),
        ]).Distinct().Count());
    }

    ModelCall NewCall() => new(new DefaultHttpContext(), Endpoint, new(_clock), _clock) { Caller = _caller };

    Task<(bool, Problem?)> BeginAsync(ModelCall call, string key = "key") => _calls.BeginAsync(call, Endpoint, key, default, Body);

    async Task<ModelCall> BegunAsync()
    {
        var call = NewCall();
        Assert.Equal((false, null), await BeginAsync(call));
        return call;
    }

    Task EndAsync(ModelCall call, byte[] answer)
    {
        call.Keyed!.IsWhole = true;
        return _calls.EndAsync(call, Settlement, answer);
    }

    /// <summary>Of whom the next renewal tells the ledger.</summary>
    async Task<IReadOnlyList<Guid>> RenewedAsync()
    {
        _renewed = [];
        await _calls.RenewAsync();
        return _renewed;
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var path = request.RequestUri!.AbsolutePath;
        _asked.Add($"{request.Method} {path}");
        if (path.EndsWith("/renew", StringComparison.Ordinal))
        {
            _renewed = (await request.Content!.ReadFromJsonAsync<KeyRenewal>(Defaults.Json, cancellationToken))!.Requests;
            var running = new KeyRenewal([.. _renewed.Where(asked => asked != _booked)]);
            return new(HttpStatusCode.OK) { Content = JsonContent.Create(running, options: Defaults.Json) };
        }
        if (request.Method == HttpMethod.Post && path != "/internal/calls")
            _kept = await request.Content!.ReadAsByteArrayAsync(cancellationToken);
        return new(_answer) { Content = new ByteArrayContent(_answer == HttpStatusCode.OK ? _kept[Settlement.Length..] : []) };
    }

    protected override void Dispose(bool disposing)
    {
        _calls.Dispose();
        _spool.Dispose();
        Directory.Delete(_folder, recursive: true);
        base.Dispose(disposing);
    }
}
