using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>Statements of wallets, on a real server.</summary>
public sealed class StatementTests : OnOwnLedger
{
    readonly Guid _owed = Ids.New();

    /// <summary>Such movements have no entry of the wallet by which a page could end between them.</summary>
    [Fact]
    public async Task All_that_has_moved_a_debt_alone_is_on_its_page_or_the_page_is_refused()
    {
        await _ledger.RunAsync("""
            insert into account (id, kind, unit, organization, project, owner, test)
            select $1, 108, unit, organization, project, owner, test from account where id = $2
            """, _owed, _ledger.Wallet);
        await OweAsync(1, 1_500);

        var page = await ReadAsync();
        Assert.Equal((1_501, (long?)null), (page.Lines.Count, page.Next));
        Assert.Equal(1_500, page.Lines.Where(line => line.Owed is not null).Select(line => line.Id).Distinct().Count());

        await OweAsync(1_501, Statement.MaxOfDebt + 1);
        var refused = await Assert.ThrowsAsync<ProblemException>(ReadAsync);
        Assert.Equal((400, "from"), (refused.Problem.Status, refused.Problem.Param));
    }

    Task<Statement.Page> ReadAsync() => Statement.ReadAsync(_ledger.Database, _ledger.Wallet, 50, null, null, null, Token);

    /// <summary>Refunds of which all is owed, a cent each, by their numbers.</summary>
    async Task OweAsync(int first, int last)
    {
        await _ledger.RunAsync("""
            insert into transfer (id, type, created_at, result)
            select md5(i::text)::uuid, 5, now(), jsonb_build_array(jsonb_build_object('from', $1::uuid, 'to', $2::uuid, 'amount', 10000000))
            from generate_series($3::int, $4::int) i
            """, _owed, Guid.NewGuid(), first, last);
        await _ledger.RunAsync("""
            insert into entry (account, version, transfer, type, amount, balance, created_at)
            select $1, i, md5(i::text)::uuid, 5, -10000000, -10000000 * i::bigint, now() from generate_series($2::int, $3::int) i
            """, _owed, first, last);
    }
}
