using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using RabbitMQ.Client;

namespace LlmGateway.Faults;

/// <summary>The ledger dies at every step of dropping a month of its usage log.</summary>
public sealed class MonthTests : IAsyncLifetime
{
    const string Name = "wallet";
    const long Start = 1_000_000_000, Cost = 5_000;

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>What providers said is dropped first, by the same steps, and then the log itself.</summary>
    public static TheoryData<string, int> Passages()
    {
        var all = new TheoryData<string, int>();
        foreach (var point in Points.OfMonths)
            for (var passage = 1; passage <= (point == "wallet.month.counted" ? 1 : 2); passage++)
                all.Add(point, passage);
        return all;
    }

    public async ValueTask InitializeAsync()
    {
        await Processes.HealthyAsync();
        Stack.App.Always(Name, ("Wallet__UsageRetention", "35d"));
    }

    public async ValueTask DisposeAsync()
    {
        Stack.App.Always(Name);
        await Books.MustBeRightAsync();
    }

    [Theory, MemberData(nameof(Passages))]
    public async Task A_month_that_was_half_dropped_when_the_ledger_died_is_dropped_by_its_next_life_and_the_books_stay(
        string point, int passage)
    {
        var user = await Load.Backend.NewUserAsync();
        var month = await OpenMonthAsync();
        await SettleAsync(user, month.AddDays(3));
        Assert.Equal(Cost, (await Books.OnlyUsageAsync(user)).Charged);

        var (before, process) = (Processes.LogEnd(Name), Stack.ProcessId(Name)!.Value);
        Stack.App.Once(Name, Failpoint.Variable, string.Create(CultureInfo.InvariantCulture, $"{point}:{passage}:kill"));
        await Processes.KillAsync(Name);
        await Eventually.HoldsAsync(
            () => Task.FromResult(Processes.Passages(Name, before).Contains($"{point}: kill")), $"the passage through {point}", Limit);
        await Processes.BackAsync(Name, process);

        foreach (var table in (string[])["usage_record", "usage_raw"])
            await Eventually.HoldsAsync(
                async () => await OneAsync($"select to_regclass('{table}_{month:yyyy_MM}') is null") is true, $"the end of {table}", Limit);
        Assert.Equal($"1 {Cost} 0", await OneAsync(
            $"select concat_ws(' ', requests, charged, absorbed) from usage_month where month = '{month:yyyy-MM-dd}'"));
        Assert.Equal(Start - Cost, await user.BalanceAsync());
    }

    /// <summary>A month that nobody has opened yet, longer ago than the log is kept.</summary>
    static async Task<DateTimeOffset> OpenMonthAsync()
    {
        var oldest = (DateTime)(await OneAsync("select min(month)::timestamp from usage_month"))!;
        var month = new DateTimeOffset(oldest, TimeSpan.Zero).AddMonths(-1);
        var latest = DateTimeOffset.UtcNow.AddMonths(-4);
        month = month < latest ? month : new(latest.Year, latest.Month, 1, 0, 0, 0, TimeSpan.Zero);
        await OneAsync($"select open_usage_month('{month:yyyy-MM-dd}')");
        return month;
    }

    /// <summary>As from a proxy that was away for a long time.</summary>
    static async Task SettleAsync(User user, DateTimeOffset at)
    {
        var wallet = Ids.WalletOf(user.Customer);
        var (organization, project) = ((Guid)(await OneAsync($"select organization from account where id = '{wallet}'"))!,
            await Books.ProjectAsync(user));
        var record = SettlementRecord.Encode(new(Ids.New(at), null, [new(wallet, Cost)], new(
            organization, project, user.Customer, Ids.New(), null, false, "/v1/chat/completions", "small", "p", "m", null, false, at, 1,
            null, 200, RequestOutcome.Completed, new Usage { [Meter.Input] = 1 }.ToArray(), new(Cost), false, null, "{}"))).ToArray();
        var ofSettlements = new BasicProperties { ContentType = SettlementBatch.ContentType };
        await BrokerTests.AtBrokerAsync(
            async channel => await channel.BasicPublishAsync(SettlementBatch.Queue, "", true, ofSettlements, record, Token));
    }

    static async Task<object?> OneAsync(string sql)
    {
        await using var query = Books.Wallet.CreateCommand(sql);
        return await query.ExecuteScalarAsync(Token);
    }
}
