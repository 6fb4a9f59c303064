using System.Text.Json;
using Npgsql;
using RabbitMQ.Client;

namespace LlmGateway.EndToEnd;

/// <summary>What the ledger tells arrives at Webhooks: every event once, with numbers without gaps, whatever dies on the way.</summary>
[Collection(nameof(Outages))]
public sealed class EventTests
{
    /// <summary>What came back is tried again after half a minute.</summary>
    static readonly TimeSpan TriedAgain = TimeSpan.FromSeconds(60);

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_wallet_that_falls_below_its_mark_is_told_of_once_in_the_form_of_the_contract()
    {
        var user = await Backend.App.NewUserAsync("1.2");
        foreach (var amount in (string[])["0.1", "0.2", "0.3"])
            (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/debit", $$"""{"amount":"{{amount}}"}""")).MustBe(200);
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/freeze", "{}")).MustBe(200);

        var events = await ToldAsync(user, 3);

        Assert.Equal(["wallet.credited", "wallet.low_balance", "wallet.frozen"], events.Select(told => told.Text("type")));
        Assert.Equal([1, 2, 3], events.Select(told => told.GetProperty("sequence").GetInt64()));
        Assert.All(events, told => Assert.Equal(
            ["id", "type", "created", "apiVersion", "data", "sequence", "series"], told.EnumerateObject().Select(member => member.Name)));
        Assert.StartsWith("evt_", events[1].Text("id"));
        Assert.Equal(
            $$"""{"customerId":"{{user.CustomerId}}","walletId":"{{user.WalletId}}","balance":"0.9","threshold":"1"}""",
            events[1].GetProperty("data").GetRawText());
    }

    [Fact]
    public async Task A_limit_is_told_of_at_its_percentages_with_its_name_and_when_it_resets()
    {
        var user = await Backend.App.NewUserAsync("10");
        var limits = await Backend.App.PutAsync(
            $"/v1/customers/{user.CustomerId}/limits", """[{"id":"calls","unit":"requests","amount":"2","cycle":"day"}]""");
        limits.MustBe(200);
        for (var i = 0; i < 2; i++)
            (await user.ChatAsync("small", "hello")).MustBe(200);

        var events = await ToldAsync(user, 4);

        var told = events.Where(one => one.Text("type") == "limit.threshold").Select(one => one.GetProperty("data")).ToList();
        Assert.Equal(
            [(50, "1"), (80, "2"), (100, "2")], told.Select(data => (data.GetProperty("percent").GetInt32(), data.Text("used"))));
        Assert.All(told, data => Assert.Equal(
            ("calls", "requests", "2", limits.Json[0].Text("resets")),
            (data.Text("limitId"), data.Text("unit"), data.Text("limit"), data.Text("resets"))));
    }

    [Fact]
    public async Task Whoever_is_killed_every_event_arrives_once_and_none_is_missing()
    {
        var users = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => Backend.App.NewUserAsync("1")));
        foreach (var victim in (string[])["wallet", "webhooks", "wallet"])
        {
            var killed = Outage.KillAsync(victim);
            await Task.WhenAll(users.Select(user => CreditAsync(user, 8)));
            await killed;
        }

        await Books.WaitUntilAllIsToldAsync();

        foreach (var user in users)
        {
            var events = await ToldAsync(user, 25);
            Assert.Equal(Enumerable.Range(1, 25), events.Select(told => told.GetProperty("sequence").GetInt32()));
            var balances = events.Select(told => told.GetProperty("data").GetProperty("balance").GetString()).ToList();
            Assert.Equal(25, balances.Distinct().Count());
        }
    }

    [Fact]
    public async Task While_the_queue_is_away_events_wait_and_then_arrive_in_their_order()
    {
        var user = await Backend.App.NewUserAsync("1");
        await Books.WaitUntilAllIsToldAsync();
        await using (await Outage.StopAsync("webhooks"))
        {
            await using (var broker = await new ConnectionFactory { Uri = new(Stack.Connection("rabbitmq")) }.CreateConnectionAsync(Token))
            await using (var channel = await broker.CreateChannelAsync(cancellationToken: Token))
                await channel.QueueDeleteAsync("webhooks-events.2", cancellationToken: Token);
            await CreditAsync(user, 3);
            await Eventually.HoldsAsync(
                async () => await NumberAsync("wallet", "select count(*) from outbox_message where attempts > 0") > 0,
                "the event's return");
        }

        var events = await ToldAsync(user, 4, TriedAgain);

        Assert.Equal([1, 2, 3, 4], events.Select(told => told.GetProperty("sequence").GetInt32()));
        await Books.WaitUntilAllIsToldAsync();
    }

    /// <summary>Each under a key of its own, again until it is answered.</summary>
    static async Task CreditAsync(User user, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var key = Guid.NewGuid().ToString();
            await Eventually.GetAsync(
                () => Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/credit", """{"amount":"0.01"}""", key),
                reply => reply.Status == 200, "a credit", TimeSpan.FromSeconds(90));
        }
    }

    static Task<List<JsonElement>> ToldAsync(User user, int count, TimeSpan? atMost = null) => Eventually.GetAsync(async () =>
    {
        await using var database = NpgsqlDataSource.Create(Stack.Connection("webhooks"));
        await using var query = database.CreateCommand("select body from event where subject = $1 order by sequence");
        query.Parameters.Add(new() { Value = user.Customer });
        var events = new List<JsonElement>();
        await using var row = await query.ExecuteReaderAsync(Token);
        while (await row.ReadAsync(Token))
            events.Add(JsonSerializer.Deserialize<JsonElement>(row.GetString(0)));
        return events;
    }, events => events.Count >= count, $"{count} events", atMost);

    static async Task<long> NumberAsync(string database, string sql)
    {
        await using var source = NpgsqlDataSource.Create(Stack.Connection(database));
        await using var query = source.CreateCommand(sql);
        return (long)(await query.ExecuteScalarAsync(Token))!;
    }
}
