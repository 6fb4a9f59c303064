using System.Net;
using System.Net.Http.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>What the ledger knows of idempotency keys, on a real server.</summary>
public sealed class KeyedCallTableTests : OnOwnLedger
{
    static readonly byte[] Asked = new byte[32], AskedOtherwise = [1, .. new byte[31]];

    readonly Guid _owner = Ids.New(), _call = Ids.New();

    [Fact]
    public async Task Charge_and_answer_are_booked_together_and_once()
    {
        var settle = await ClaimedAsync();
        await _ledger.RunAsync("alter table paid_call add constraint test_refuses_answers check (state < 4)");
        Assert.NotEqual(HttpStatusCode.NoContent, await EndAsync(settle, [1, 2, 3]));
        Assert.Equal(["0"], await _ledger.RowsAsync("select count(*) from usage_record"));

        await _ledger.RunAsync("alter table paid_call drop constraint test_refuses_answers");
        Assert.Equal(HttpStatusCode.NoContent, await EndAsync(settle, [1, 2, 3]));
        Assert.Equal(HttpStatusCode.NoContent, await EndAsync(settle, [1, 2, 3]));
        Assert.Equal(new Answer.Done(Repeated: true), Assert.Single(await _ledger.SettleAsync(settle)));

        Assert.Equal(["5"], await _ledger.RowsAsync("select charged from usage_record"));
        Assert.Equal((HttpStatusCode.OK, "010203"), await ClaimAsync(Ids.New()));
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task Of_many_who_ask_at_once_one_gets_the_key()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => ClaimAsync(Ids.New())));

        Assert.Single(answers, answer => answer.Status == HttpStatusCode.NoContent);
        Assert.Equal(29, answers.Count(answer => answer.Status == HttpStatusCode.Conflict));
    }

    [Fact]
    public async Task A_request_that_asks_again_has_its_key_already()
    {
        var request = Ids.New();
        Assert.Equal(HttpStatusCode.NoContent, (await ClaimAsync(request)).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await ClaimAsync(request)).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await ClaimAsync(Ids.New())).Status);
    }

    [Theory]
    [InlineData(KeyEnd.Used, HttpStatusCode.Gone)]
    [InlineData(KeyEnd.Free, HttpStatusCode.NoContent)]
    public async Task A_settlement_from_the_spool_says_what_becomes_of_its_key(KeyEnd end, HttpStatusCode met)
    {
        var settle = await ClaimedAsync();

        await _ledger.SettleAsync(settle with { Settlement = settle.Settlement with { Key = end } });

        Assert.Equal(met, (await ClaimAsync(Ids.New())).Status);
    }

    /// <summary>Its charge waits for a person, and its caller had its answer.</summary>
    [Fact]
    public async Task A_call_that_is_too_old_to_be_booked_has_ended_for_those_who_repeat_it()
    {
        var settle = await ClaimedAsync();
        await _ledger.RunAsync("update usage_month set closed = true");

        Assert.Equal([new Answer.Stale()], await _ledger.SettleAsync(settle));

        Assert.Equal(HttpStatusCode.Gone, (await ClaimAsync(Ids.New())).Status);
        Assert.Empty(await RenewAsync(settle.Settlement.RequestId));
    }

    [Fact]
    public async Task A_key_is_free_at_once_when_its_call_has_failed_and_not_when_it_has_ended()
    {
        var failed = Ids.New();
        await ClaimAsync(failed);
        await FreeAsync(failed);
        var settle = await ClaimedAsync();
        await EndAsync(settle, [7]);
        await FreeAsync(settle.Settlement.RequestId);

        Assert.Equal((HttpStatusCode.OK, "07"), await ClaimAsync(Ids.New()));
    }

    [Fact]
    public async Task Another_input_is_refused_whatever_has_become_of_the_first()
    {
        var settle = await ClaimedAsync();
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await ClaimAsync(Ids.New(), AskedOtherwise)).Status);
        await EndAsync(settle, [1]);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await ClaimAsync(Ids.New(), AskedOtherwise)).Status);
    }

    [Fact]
    public async Task A_key_is_free_when_its_day_is_over_though_nothing_was_purged()
    {
        await EndAsync(await ClaimedAsync(), [1]);
        await MoveAsync(KeyTerms.Life - TimeSpan.FromMinutes(1));
        Assert.Equal(HttpStatusCode.OK, (await ClaimAsync(Ids.New())).Status);

        await MoveAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(HttpStatusCode.NoContent, (await ClaimAsync(Ids.New(), AskedOtherwise)).Status);
    }

    [Fact]
    public async Task An_overdue_key_is_doubted_first_and_free_only_when_its_proxy_stays_silent()
    {
        var first = await ClaimedAsync();
        await MoveAsync(KeyTerms.Silence);
        Assert.Equal(HttpStatusCode.Conflict, (await ClaimAsync(Ids.New())).Status);
        Assert.Equal([first.Settlement.RequestId], await RenewAsync(first.Settlement.RequestId));
        await MoveAsync(KeyTerms.Doubt);
        Assert.Equal(HttpStatusCode.Conflict, (await ClaimAsync(Ids.New())).Status);

        await MoveAsync(KeyTerms.Silence);
        Assert.Equal(HttpStatusCode.Conflict, (await ClaimAsync(Ids.New())).Status);
        await MoveAsync(KeyTerms.Doubt);
        var second = await ClaimedAsync();

        // The first was only slow. It is charged, and the key is not its own any more.
        Assert.Empty(await RenewAsync(first.Settlement.RequestId));
        Assert.Equal(HttpStatusCode.NoContent, await EndAsync(first, [1]));
        await EndAsync(second, [2]);
        Assert.Equal((HttpStatusCode.OK, "02"), await ClaimAsync(Ids.New()));
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task The_keys_of_a_dead_proxy_are_free_when_its_last_settlements_are_in()
    {
        var settled = await ClaimedAsync();
        await RenewCalls.DoubtAsync(_ledger.Database, "proxy", Token);
        Assert.Equal(HttpStatusCode.Conflict, (await ClaimAsync(Ids.New())).Status);

        await _ledger.SettleAsync(settled);

        Assert.Equal(HttpStatusCode.Gone, (await ClaimAsync(Ids.New())).Status);
        var other = Ids.New();
        await ClaimAsync(Ids.New(), call: other);
        await RenewCalls.DoubtAsync(_ledger.Database, "proxy", Token);
        await MoveAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(HttpStatusCode.NoContent, (await ClaimAsync(Ids.New(), call: other)).Status);
    }

    [Fact]
    public async Task What_an_owner_has_too_much_leaves_the_oldest_first()
    {
        const int answers = 66;
        var (large, calls) = (new byte[KeyTerms.MaxAnswerBytes], Enumerable.Range(0, answers).Select(_ => Ids.New()).ToList());
        await EndAsync(await ClaimedAsync(owner: Ids.New()), [1]);

        foreach (var call in calls)
            Assert.Equal(HttpStatusCode.NoContent, await EndAsync(await ClaimedAsync(call), large));

        Assert.Equal(HttpStatusCode.OK, (await ClaimAsync(Ids.New())).Status); // of another owner
        Assert.Equal(HttpStatusCode.Gone, (await ClaimAsync(Ids.New(), call: calls[0])).Status);
        Assert.Equal(HttpStatusCode.OK, (await ClaimAsync(Ids.New(), call: calls[^1])).Status);
        var kept = long.Parse(Assert.Single(await _ledger.RowsAsync(
            "select sum(octet_length(sealed) + 512)::bigint from paid_call where owner = $1", _owner)));
        Assert.InRange(kept, KeyTerms.OwnerBytes - 2 * (large.Length + 512), KeyTerms.OwnerBytes);
    }

    [Fact]
    public async Task Answers_that_wait_while_commits_hang_have_a_bound_beyond_which_the_charge_alone_counts()
    {
        var (first, second) = (await ClaimedAsync(), await ClaimedAsync(Ids.New()));
        var answer = new byte[OwnLedger.AnswerBytes * 2 / 3];
        Task<HttpStatusCode> refused, kept;
        await using (var connection = await _ledger.Database.OpenConnectionAsync(Token))
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            await using var hold = new Npgsql.NpgsqlCommand("lock table account in exclusive mode", connection, transaction);
            await hold.ExecuteNonQueryAsync(Token);
            Task<HttpStatusCode>[] both = [EndAsync(first, answer), EndAsync(second, answer)];
            refused = await Task.WhenAny(both).WaitAsync(TimeSpan.FromSeconds(30), Token);
            kept = both.Single(end => end != refused);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, await refused);
        }

        Assert.Equal(HttpStatusCode.NoContent, await kept);
        await _ledger.SettleAsync(first, second); // from the spools
        Assert.Equal(["3", "4"], await _ledger.RowsAsync("select state from paid_call order by state"));
        await _ledger.VerifyAsync();
    }

    [Fact]
    public async Task Answers_of_one_batch_count_for_their_owner_one_by_one()
    {
        var settles = new List<Settle>();
        for (var i = 0; i < 5; i++)
            settles.Add(await ClaimedAsync(Ids.New()) with { Answer = new byte[1000] });

        await _ledger.SettleAsync([.. settles]);

        Assert.Equal(
            Enumerable.Range(1, 5).Select(i => $"{i * 1512}"),
            await _ledger.RowsAsync("select total from paid_call where owner = $1 order by total", _owner));
    }

    /// <summary>Takes the key for a new request, whose settlement this is.</summary>
    async Task<Settle> ClaimedAsync(Guid? call = null, Guid? owner = null)
    {
        var settle = _ledger.Settlement(DateTimeOffset.UtcNow);
        var settlement = settle.Settlement with { Key = KeyEnd.Used };
        Assert.Equal(HttpStatusCode.NoContent, (await ClaimAsync(settlement.RequestId, call: call, owner: owner)).Status);
        return new(settlement) { Record = SettlementRecord.Encode(settlement).ToArray() };
    }

    async Task<(HttpStatusCode Status, string Answer)> ClaimAsync(
        Guid request, byte[]? asked = null, Guid? call = null, Guid? owner = null)
    {
        var asking = new KeyRequest(call ?? _call, owner ?? _owner, request, "proxy", asked ?? Asked);
        using var response = await _ledger.Http.PostAsJsonAsync("/internal/calls", asking, Defaults.Json, Token);
        return (response.StatusCode, Convert.ToHexString(await response.Content.ReadAsByteArrayAsync(Token)));
    }

    async Task<HttpStatusCode> EndAsync(Settle settle, byte[] answer)
    {
        using var body = new ByteArrayContent([.. settle.Record.Span, .. answer]);
        using var response = await _ledger.Http.PostAsync($"/internal/calls/{settle.Settlement.RequestId:N}", body, Token);
        return response.StatusCode;
    }

    async Task FreeAsync(Guid request)
    {
        using var response = await _ledger.Http.DeleteAsync($"/internal/calls/{request:N}", Token);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
    }

    async Task<IReadOnlyList<Guid>> RenewAsync(params Guid[] requests)
    {
        using var response = await _ledger.Http.PostAsJsonAsync(
            "/internal/calls/renew", new KeyRenewal(requests), Defaults.Json, Token);
        return (await response.Content.ReadFromJsonAsync<KeyRenewal>(Defaults.Json, Token))!.Requests;
    }

    /// <summary>As if so much time had passed.</summary>
    Task MoveAsync(TimeSpan time) => _ledger.RunAsync("update paid_call set until = until - $1", time);
}
