using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmGateway.EndToEnd;

/// <summary>An instance that stands still, or whose host is gone, with something that others wait for.</summary>
public sealed class StandstillTests : OnOwnLedger
{
    static readonly DateTimeOffset Hour = DateTimeOffset.UtcNow.AddHours(-1);

    /// <summary>Each attempt keeps all others from booking for a second.</summary>
    [Fact]
    public async Task While_a_batch_does_not_end_it_is_waited_for_once_in_ten_seconds()
    {
        await using var connection = await _ledger.Database.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await BookStore.LockAsync(connection, transaction, [new Freeze(Ids.New(), true)], new ExistingAccounts(), Token);
        var time = new AskedTime();
        using var rollups = new Rollups(_ledger.Database, _ledger.Ready, time, NullLogger<Rollups>.Instance);

        await rollups.StartAsync(Token);

        Assert.Equal(TimeSpan.FromSeconds(10), await time.Pause.WaitAsync(TimeSpan.FromSeconds(20), Token));
        await rollups.StopAsync(Token);
    }

    /// <summary>Its lock is lost with the connection that had it, and it goes on beside the round that has the lock now.</summary>
    [Fact]
    public async Task A_round_of_sums_that_has_lost_its_lock_adds_nothing_twice()
    {
        await _ledger.SettleAsync(_ledger.Settlement(Hour), _ledger.Settlement(Hour));
        await using var connection = await _ledger.Database.OpenConnectionAsync(Token);
        await using var transaction = await connection.BeginTransactionAsync(Token);
        await connection.RunAsync("lock table rollup in exclusive mode", Token);
        var lost = _ledger.Rollups.SumUpAsync(Token);
        await WaitAsync(1);
        await _ledger.RunAsync("""
            select pg_terminate_backend(pid) from pg_locks join pg_database d on d.oid = database
            where locktype = 'advisory' and granted and datname = current_database()
            """);
        var next = _ledger.Rollups.SumUpAsync(Token);
        await WaitAsync(2);
        await transaction.CommitAsync(Token);

        var failed = 0;
        foreach (var round in (Task[])[lost, next])
            failed += await Record.ExceptionAsync(() => round) is { } ? 1 : 0;

        Assert.InRange(failed, 1, 2);
        await _ledger.Rollups.SumUpAsync(Token);
        Assert.Equal(["2"], await _ledger.RowsAsync("select requests from rollup where grain = 0 and dimension = 0"));
        await _ledger.VerifyAsync();

        Task WaitAsync(int rounds) => Eventually.HoldsAsync(
            async () => await _ledger.RowsAsync(
                "select count(*) from pg_locks where not granted and relation = 'rollup'::regclass") is [var waiting]
                && waiting == $"{rounds}",
            "the wait for the sums");
    }

    /// <summary>In any transaction that locks what others need.</summary>
    [Fact]
    public async Task What_an_instance_has_locked_that_stands_still_is_free_after_a_while()
    {
        Assert.Equal("30s", await _ledger.Database.ByIndexAsync(IdleAsync, Token));
        await using (var connection = await _ledger.Database.OpenConnectionAsync(Token))
        await using (await connection.BeginTransactionAsync(Token))
        {
            await ClockLock.TakeAloneAsync(connection, Token);
            Assert.Equal("5s", await IdleAsync(connection));
        }
        await _ledger.RunAsync("""
            create table seen (idle text);
            create function see() returns trigger language plpgsql as $$ begin
                insert into seen values (current_setting('idle_in_transaction_session_timeout'));
                return new;
            end $$;
            create trigger seen before insert on counter_opening for each row execute function see();
            """);
        await _ledger.SettleAsync(_ledger.Settlement(DateTimeOffset.UtcNow));
        await CounterOpenings.OpenAsync(
            _ledger.Database,
            new(OwnLedger.Organization, OwnLedger.Project, _ledger.Wallet, false),
            new(Ids.New(), new(AccountKind.Limit, Unit.Requests, null, 9, Hour, Hour.AddHours(2)), null),
            Token);
        Assert.Equal(["30s"], await _ledger.RowsAsync("select idle from seen"));

        static async Task<string> IdleAsync(Npgsql.NpgsqlConnection connection)
        {
            await using var bound = connection.Sql("show idle_in_transaction_session_timeout");
            return (string)(await bound.ExecuteScalarAsync(Token))!;
        }
    }

    /// <summary>Says how long it was asked to wait first.</summary>
    sealed class AskedTime : TimeProvider
    {
        readonly TaskCompletionSource<TimeSpan> _pause = new();

        public Task<TimeSpan> Pause => _pause.Task;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _pause.TrySetResult(dueTime);
            return base.CreateTimer(callback, state, dueTime, period);
        }
    }
}
