using System.Collections.Concurrent;
using System.Reflection;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Wallet;
using MassTransit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class SpoolPublisherTests : IDisposable
{
    /// <summary>As the spool sees them: a length, and that many bytes.</summary>
    static readonly byte[] First = [1, 0, 0, 0, 1], Last = [2, 0, 0, 0, 2, 2];

    readonly string _folder = Directory.CreateTempSubdirectory("llmgateway-spool-").FullName;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_settlement_that_the_disk_refuses_stops_the_admission_of_paid_requests()
    {
        using var spool = NewSpool();
        using var publisher = new SpoolPublisher(spool, null!, NullLogger<SpoolPublisher>.Instance);
        Assert.True(publisher.CanAccept);

        // The records fill the spool's file, and there is no disk space for another one.
        Directory.Delete(_folder, recursive: true);
        publisher.Add(new byte[5 * 1024 * 1024], null, null);

        Assert.False(publisher.CanAccept);
        Directory.CreateDirectory(_folder);
    }

    [Fact]
    public async Task An_orderly_stop_hands_in_what_was_spooled_last_although_the_host_s_time_is_over()
    {
        var arrivals = new BlockingCollection<byte[]>();
        var bus = Bus.Factory.CreateUsingInMemory(memory => memory.ReceiveEndpoint(SettlementBatch.Queue, queue =>
        {
            queue.AddDeserializer(new SettlementDeserializer());
            queue.Handler<SettlementBatch>(context =>
            {
                arrivals.Add(context.Message.Records);
                return Task.CompletedTask;
            });
        }));
        await bus.StartAsync(Token);
        using var spool = NewSpool();
        using var publisher = new SpoolPublisher(spool, bus, NullLogger<SpoolPublisher>.Instance);
        await publisher.StartAsync(Token);
        publisher.Add(First, null, null);
        Assert.Equal(First, arrivals.Take(Token));

        publisher.Add(Last, null, null);
        await publisher.StopAsync(new CancellationToken(canceled: true));

        Assert.Equal(0, publisher.Undelivered);
        // The first record comes again when its confirm was cut off; it counts once.
        Assert.Equal(Last, arrivals.Take(Token)[^Last.Length..]);
        await bus.StopAsync(Token);
    }

    [Fact]
    public async Task Without_a_broker_an_orderly_stop_ends_and_the_next_process_finds_what_was_spooled()
    {
        using (var spool = NewSpool())
        {
            using var publisher = new SpoolPublisher(spool, new Away(), NullLogger<SpoolPublisher>.Instance);
            await publisher.StartAsync(Token);
            publisher.Add(Last, null, null);

            await publisher.StopAsync(Token).WaitAsync(TimeSpan.FromMinutes(1), Token);
        }
        Assert.Equal(1, NewSpool().RecordsLeft);
    }

    Spool NewSpool() => new(_folder, NullLogger<Spool>.Instance);

    /// <summary>A broker that confirms nothing.</summary>
    sealed class Away : ISendEndpointProvider
    {
        public Task<ISendEndpoint> GetSendEndpoint(Uri address) => Task.FromResult(DispatchProxy.Create<ISendEndpoint, Silent>());

        public ConnectHandle ConnectSendObserver(ISendObserver observer) => throw new NotSupportedException();
    }

    public class Silent : DispatchProxy
    {
        protected override object Invoke(MethodInfo? targetMethod, object?[]? args) =>
            Task.Delay(Timeout.Infinite, args!.OfType<CancellationToken>().Single());
    }
}
