using System.Collections.Concurrent;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmGateway.EndToEnd;

/// <summary>The outbox's relay on the ledger's tables, with a broker in memory that sends back what a test orders it to.</summary>
public sealed class OutboxRelayTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_comes_back_stays_and_the_later_ones_of_its_customer_wait_behind_it()
    {
        await using var ledger = await OwnLedger.StartAsync();
        var (blocked, free, later) = (Ids.New(), Ids.New(), Ids.New());
        await ledger.RunAsync("delete from outbox_message");
        await TellAsync(ledger, 3, blocked, free);
        await using (var relay = await Relay.StartAsync(ledger, comesBack: told => told.Subject == blocked && told.Sequence == 2))
        {
            Assert.Equal(
                [(blocked, 1), (free, 1), (free, 2), (free, 3)],
                (await relay.PublishedAsync(4)).OrderBy(told => told.Subject == free).ThenBy(told => told.Sequence));
            // What comes later is claimed in a round in which nothing waits but what must.
            await TellAsync(ledger, 1, later);
            Assert.Equal((later, 1), (await relay.PublishedAsync(5))[4]);
        }

        Assert.Equal(
            ["2 1 True", "3 0 False"],
            await ledger.RowsAsync("select body ->> 'sequence', attempts, claimed_until > now() from outbox_message order by position"));

        await ledger.RunAsync("update outbox_message set claimed_until = now()");
        await using (var relay = await Relay.StartAsync(ledger, comesBack: _ => false))
            Assert.Equal([(blocked, 2), (blocked, 3)], await relay.PublishedAsync(2));
        Assert.Equal(["0"], await ledger.RowsAsync("select count(*) from outbox_message"));
    }

    [Fact]
    public async Task Two_relays_publish_each_event_once_and_those_of_one_customer_in_their_order()
    {
        await using var ledger = await OwnLedger.StartAsync();
        await ledger.RunAsync("delete from outbox_message");
        var subjects = Enumerable.Range(0, 20).Select(_ => Ids.New()).ToArray();
        await TellAsync(ledger, 30, subjects);
        var published = new ConcurrentQueue<(Guid, long)>();
        await using (var first = await Relay.StartAsync(ledger, _ => false, published))
        await using (var second = await Relay.StartAsync(ledger, _ => false, published))
            await first.PublishedAsync(600);

        Assert.All(subjects, subject => Assert.Equal(
            Enumerable.Range(1, 30).Select(number => (subject, (long)number)), published.Where(told => told.Item1 == subject)));
        Assert.Equal(["0"], await ledger.RowsAsync("select count(*) from outbox_message"));
    }

    /// <summary>The broker takes half a minute for the first, and another relay has claimed the others by then.</summary>
    [Fact]
    public async Task What_another_relay_has_claimed_meanwhile_is_left_to_it()
    {
        await using var ledger = await OwnLedger.StartAsync();
        await ledger.RunAsync("delete from outbox_message");
        var (subject, time) = (Ids.New(), new LeapingTime());
        await TellAsync(ledger, 3, subject);
        await using (var relay = await Relay.StartAsync(
            ledger,
            told =>
            {
                time.Leap(TimeSpan.FromSeconds(31));
                if (told.Sequence == 1)
                    ledger.RunAsync("update outbox_message set attempts = 5, claimed_until = '2100-01-01'").GetAwaiter().GetResult();
                return false;
            },
            time: time))
        {
            await Eventually.HoldsAsync(
                async () => await ledger.RowsAsync("select count(*) from outbox_message where body ->> 'sequence' = '1'") is ["0"],
                "the end of the first");
            Assert.Equal([(subject, 1L)], await relay.PublishedAsync(1));
        }

        Assert.Equal(
            ["2 5 True", "3 5 True"],
            await ledger.RowsAsync(
                "select body ->> 'sequence', attempts, claimed_until = '2100-01-01' from outbox_message order by position"));
    }

    [Fact]
    public async Task A_relay_that_stands_still_in_its_claim_stops_the_others_for_a_moment_only()
    {
        await using var ledger = await OwnLedger.StartAsync();
        await ledger.RunAsync("""
            create table seen (waits text, idle text);
            create function see() returns trigger language plpgsql as $$ begin
                insert into seen values (current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout'));
                return new;
            end $$;
            create trigger seen before update on outbox_message for each row
                when (new.attempts > old.attempts) execute function see(); -- a claim; what a relay gives back when it ends is none
            """);
        await TellAsync(ledger, 1, Ids.New());
        await using (var relay = await Relay.StartAsync(ledger, _ => false))
            await relay.PublishedAsync(1);

        Assert.Equal(["1s 5s"], await ledger.RowsAsync("select distinct waits, idle from seen"));
    }

    /// <summary>The subjects take turns, so that each batch of a relay has some of every one.</summary>
    static Task TellAsync(OwnLedger ledger, int count, params Guid[] subjects) => ledger.RunAsync("""
        insert into outbox_message (id, type, body, created_at, subject)
        select gen_random_uuid(), 'LlmGateway.Contracts.PublicEvent', jsonb_build_object(
            'id', gen_random_uuid(), 'type', 'wallet.credited', 'created', '2026-11-01T00:00:00Z', 'subject', subject, 'sequence', n,
            'organization', gen_random_uuid(), 'project', gen_random_uuid(), 'test', false, 'data', '{}'), now(), subject
        from generate_series(1, $1) n, unnest($2::uuid[]) subject order by n
        """, count, subjects);

    sealed class Relay(IHost host, ConcurrentQueue<(Guid Subject, long Sequence)> published) : IAsyncDisposable
    {
        public static async Task<Relay> StartAsync(
            OwnLedger ledger, Func<PublicEvent, bool> comesBack, ConcurrentQueue<(Guid, long)>? published = null, TimeProvider? time = null)
        {
            var sent = published ?? [];
            var builder = Host.CreateEmptyApplicationBuilder(null);
            builder.Services.AddSingleton(ledger.Database);
            builder.Services.AddSingleton(ledger.Ready);
            builder.Services.AddSingleton(time ?? TimeProvider.System);
            builder.Services.AddSingleton<OutboxSignal>();
            builder.Services.AddMassTransit(bus => bus.UsingInMemory((_, broker) => broker.ConfigureSend(pipe =>
                pipe.UseExecute(context =>
                {
                    if (context is not SendContext<PublicEvent> { Message: var told, DestinationAddress: { } to }
                        || !to.AbsolutePath.EndsWith(KnownQueues.Webhooks, StringComparison.Ordinal))
                        return;
                    if (comesBack(told))
                        throw new MessageReturnedException("there is no such queue");
                    sent.Enqueue((told.Subject, told.Sequence));
                }))));
            builder.Services.AddHostedService<OutboxRelay>();
            var host = builder.Build();
            await host.StartAsync(Token);
            return new(host, sent);
        }

        /// <summary>What was published, once there is so much and the relay has rested.</summary>
        public async Task<IReadOnlyList<(Guid Subject, long Sequence)>> PublishedAsync(int count) =>
            await Eventually.GetAsync(
                () => Task.FromResult(published.ToArray()), told => told.Length >= count, $"the publishing of {count} events");

        public async ValueTask DisposeAsync()
        {
            await host.StopAsync(CancellationToken.None);
            host.Dispose();
        }
    }
}
