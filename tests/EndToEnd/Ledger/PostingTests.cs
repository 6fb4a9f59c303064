using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>Posts, on a real server: what is known of each for ever, also of those of earlier versions.</summary>
public sealed class PostingTests
{
    [Fact]
    public async Task A_credit_of_the_version_before_is_recognised_and_another_one_under_its_id_is_refused()
    {
        var (database, credit, debit) = (OwnLedger.NewDatabase(), Ids.New(), Ids.New());
        await OwnLedger.MigrateAsync(database, count: 6);
        var wallet = Ids.New();
        await using (var before = Npgsql.NpgsqlDataSource.Create(database))
        await using (var insert = before.CreateCommand($"""
            insert into transfer (id, type, wallet, asked, created_at)
            values ('{credit}', 1, '{wallet}', 70, now()), ('{debit}', 2, '{wallet}', -20, now())
            """))
            await insert.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        await using var ledger = await OwnLedger.StartAsync(database, wallet);

        Assert.Equal(
            [
                new Answer.Done(Repeated: true), new Answer.Differs(), new Answer.Done(Repeated: true), new Answer.Differs(),
                new Answer.Differs(),
            ],
            await ledger.Writer.RunAsync(
            [
                ledger.Credit(credit, null, 70), ledger.Credit(credit, null, 71), Debit(debit, 20), Debit(debit, 70), Debit(credit, 70),
            ]));

        Post Debit(Guid id, long amount) => new(id, PostType.Debit, ledger.Scope, [amount]);
    }

    [Fact]
    public async Task What_a_post_has_moved_is_its_answer_again_after_any_time()
    {
        await using var ledger = await OwnLedger.StartAsync();
        var dispute = new Post(Ids.New(), PostType.Dispute, ledger.Scope, [3 * Money.NanosPerUsd, 0, 0])
        {
            Reference = "dp_1", Text = "chargeback",
        };

        var first = (Answer.Done)await ledger.Writer.RunAsync(dispute);
        var again = (Answer.Done)await ledger.Writer.RunAsync(dispute);

        Assert.Equal((false, true), (first.Repeated, again.Repeated));
        Assert.Equal([Money.NanosPerUsd, 2 * Money.NanosPerUsd], first.Moved.Select(leg => leg.Amount));
        Assert.Equal(first.Moved, again.Moved);
        await ledger.VerifyAsync();
    }

    /// <summary>Also what a version of before has frozen, which says nobody, and what it has let go.</summary>
    [Theory]
    [InlineData("frozen = frozen", "True 3", "True 1")]
    [InlineData("frozen = true, frozen_by = 0", "True 3", "True 1")]
    [InlineData("frozen = false, frozen_by = 3", "True 2", "False 0")]
    public async Task Who_has_frozen_a_wallet_is_kept_until_they_let_it_go(string before, string frozen, string left)
    {
        await using var ledger = await OwnLedger.StartAsync();
        await ledger.Writer.RunAsync(new Freeze(ledger.Wallet, true));
        await ledger.RunAsync($"update account set {before} where id = $1", ledger.Wallet);

        await ledger.Writer.RunAsync(new Freeze(ledger.Wallet, true, Freezer.Billing));
        Assert.Equal([frozen], await MarksAsync());
        await ledger.Writer.RunAsync(new Freeze(ledger.Wallet, false, Freezer.Billing));
        Assert.Equal([left], await MarksAsync());
        await ledger.Writer.RunAsync(new Freeze(ledger.Wallet, false));
        Assert.Equal(["False 0"], await MarksAsync());

        Task<List<string>> MarksAsync() => ledger.RowsAsync("select frozen, frozen_by from account where id = $1", ledger.Wallet);
    }

    [Theory]
    [InlineData("insert into entry select account, version + 1000, transfer, type, amount, balance + amount, created_at from entry")]
    [InlineData("update account set posted = 1 where kind = 108")]
    public async Task Books_that_somebody_has_changed_are_found_out(string change)
    {
        await using var ledger = await OwnLedger.StartAsync();
        await ledger.Writer.RunAsync(new Post(Ids.New(), PostType.Dispute, ledger.Scope, [3 * Money.NanosPerUsd, 0, 0]));
        await ledger.VerifyAsync();

        await ledger.RunAsync(change);

        Assert.False((bool)(await ledger.GetAsync("/internal/verify"))["ok"]!);
    }
}
