using System.Net;
using System.Net.Http.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What a refusal tells of call credits, and what it costs the ledger.</summary>
public sealed class OwnCreditsTests : IDisposable
{
    static readonly Guid Customer = Ids.New(), Project = Ids.New();

    readonly FakeTimeProvider _time = new();
    readonly Balances _ledger = new();
    readonly OwnCredits _credits;

    public OwnCreditsTests() => _credits = new(
        null!, null!, new(new(_ledger) { BaseAddress = new("http://wallet") }, new(_time), _time), _time);

    public void Dispose() => _ledger.Dispose();

    /// <summary>A caller without credits calls on and on.</summary>
    [Fact]
    public async Task Many_refusals_of_a_second_ask_the_ledger_once()
    {
        var caller = With("premium", "standard");
        await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => TellAsync(caller, 0)));
        _time.Advance(TimeSpan.FromMilliseconds(999));
        await TellAsync(caller, 0);
        Assert.Equal(1, _ledger.Questions);

        _time.Advance(TimeSpan.FromMilliseconds(1));
        await TellAsync(caller, 0);
        Assert.Equal(2, _ledger.Questions);
        await TellAsync(With("standard") with { Customer = Ids.New() }, 0);
        Assert.Equal(3, _ledger.Questions);
    }

    [Fact]
    public async Task Of_the_type_that_is_used_up_it_tells_what_the_refusal_says()
    {
        var caller = With("premium", "standard");
        Assert.Equal([("premium", 7), ("standard", 0)], await TellAsync(caller, 0));
        Assert.Equal([("premium", 7), ("standard", 2)], await TellAsync(caller, 2));
    }

    [Fact]
    public async Task A_customer_that_has_more_types_than_one_question_may_ask_is_told_all()
    {
        var told = await TellAsync(With([.. Enumerable.Range(0, CallCredits.MaxTypes + 10).Select(i => $"t{i:D2}")]), 0);
        Assert.Equal(CallCredits.MaxTypes + 10, told.Count(one => one.Item2 == 7));
        Assert.Equal(2, _ledger.Questions);
    }

    [Fact]
    public async Task While_the_ledger_is_away_it_tells_what_the_refusal_says()
    {
        _ledger.IsAway = true;
        Assert.Equal([("standard", 0)], await TellAsync(With("premium", "standard"), 0));
        await TellAsync(With("premium", "standard"), 0);
        Assert.Equal(1, _ledger.Questions);
    }

    async Task<IEnumerable<(string, long)>> TellAsync(Credential caller, long left)
    {
        var refusal = Problems.NotEnoughCredits("", CreditState.Of("standard", [new("standard", left)]));
        var told = (await _credits.TellAsync(refusal, caller, CancellationToken.None)).Credits!;
        Assert.Equal(left, told.Current.Count);
        return told.Balances.Select(balance => (balance.Type, balance.Count));
    }

    static Credential With(params string[] types) => new(
        Ids.New(), CredentialKind.CustomerKey, false, CredentialStatus.Active, Project, Ids.New(), Customer, null, null, null, null, [],
        null)
    {
        Claim = new([], [.. types.Select(type => PaySource.OfCredits(Project, Customer, type))]),
    };

    /// <summary>A ledger in which everybody has seven of everything.</summary>
    sealed class Balances : HttpMessageHandler
    {
        int _questions;

        public int Questions => _questions;

        public bool IsAway { get; set; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _questions);
            if (IsAway)
                return new(HttpStatusCode.ServiceUnavailable);
            var asked = (await request.Content!.ReadFromJsonAsync<CreditsQuery>(Defaults.Json, cancellationToken))!.Balances;
            return asked.Count > CallCredits.MaxTypes
                ? new(HttpStatusCode.BadRequest)
                : new(HttpStatusCode.OK)
                {
                    Content = JsonContent.Create(new CreditsLeft(asked.ToDictionary(id => id, _ => 7L)), options: Defaults.Json),
                };
        }
    }
}
