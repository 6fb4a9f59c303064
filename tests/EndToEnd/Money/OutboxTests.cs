using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>Events are written in the transaction of their cause and published when the broker is up.</summary>
[Collection(nameof(Outages))]
public sealed class OutboxTests
{
    [Fact]
    public async Task An_event_waits_in_the_outbox_while_the_broker_is_away_and_leaves_when_it_is_back()
    {
        var name = $"outbox-{Guid.NewGuid():N}";
        await using (await Outage.StopAsync("rabbitmq"))
        {
            (await Backend.App.PostAsync("/v1/customers", $$"""{"externalId":"{{name}}"}""")).MustBe(201);
            Assert.Equal(1, await CountAsync(name));
        }

        await Eventually.GetAsync(() => CountAsync(name), count => count == 0, "the event's departure", TimeSpan.FromSeconds(90));
    }

    /// <summary>Other customers are made beside it.</summary>
    static async Task<long> CountAsync(string name)
    {
        await using var database = NpgsqlDataSource.Create(Stack.Connection("sessions"));
        await using var count = database.CreateCommand(
            "select count(*) from outbox_message where type like '%CustomerCreated' and body::text like '%' || $1 || '%'");
        count.Parameters.Add(new() { Value = name });
        return (long)(await count.ExecuteScalarAsync())!;
    }
}
