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
    public void A_settlement_that_the_disk_refuses_stops_the_admission_of_requests()
    {
        using var spool = NewSpool();
        using var publisher = new SpoolPublisher(spool, null!, NullLogger<SpoolPublisher>.Instance);
        Assert.Null(publisher.Refusal);

        // The records fill the spool's file, and there is no disk space for another one.
        Directory.Delete(_folder, recursive: true);
        publisher.Add(new byte[5 * 1024 * 1024], null, null);

        Assert.Equal(503, publisher.Refusal!.Status);
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
        Assert.Equal(1, NewSpool().Undelivered);
    }

    [Fact]
    public async Task A_spool_that_is_full_stops_admission_and_says_why_until_the_broker_has_taken_some()
    {
        using var spool = new Spool(_folder, NullLogger<Spool>.Instance, megabytes: 4);
        using var publisher = new SpoolPublisher(spool, new Taking(), NullLogger<SpoolPublisher>.Instance);
        var record = new byte[3 * 1024 * 1024];
        BitConverter.TryWriteBytes(record, record.Length - 4);
        publisher.Add(record, null, null);
        Assert.Null(publisher.Refusal);

        publisher.Add(record, null, null); // does not fit into the one file that the spool may have

        Assert.Equal(503, publisher.Refusal!.Status);
        Assert.Contains("broker", publisher.Refusal.Message, StringComparison.Ordinal);
        await DeliverAsync(publisher);
        Assert.Null(publisher.Refusal);
    }

    [Fact]
    public void A_long_outage_of_the_broker_costs_the_same_memory_for_a_thousand_and_for_many_thousand_requests()
    {
        using var spool = NewSpool();
        using var publisher = new SpoolPublisher(spool, new Away(), NullLogger<SpoolPublisher>.Instance);
        Add(1_000);
        var before = GC.GetAllocatedBytesForCurrentThread();

        Add(100_000);

        // What is never allocated cannot be kept: ten bytes for each at most.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
        Assert.Equal(101_000, publisher.Undelivered);

        void Add(int records)
        {
            for (var i = 0; i < records; i++)
                publisher.Add(First, null, null);
        }
    }

    [Fact]
    public async Task A_file_that_cannot_be_read_to_its_end_is_kept_and_the_others_are_delivered()
    {
        byte[] broken = [255, 255, 255, 127, 1, 2, 3];
        await File.WriteAllBytesAsync(Path.Combine(_folder, $"{1:D12}.spool"), broken, Token);
        await File.WriteAllBytesAsync(Path.Combine(_folder, $"{2:D12}.spool"), [.. First, .. broken], Token);
        await File.WriteAllBytesAsync(Path.Combine(_folder, $"{3:D12}.spool"), [.. Last, 0, 0, 0, 0], Token);
        using var spool = NewSpool();
        using var publisher = new SpoolPublisher(spool, new Taking(), NullLogger<SpoolPublisher>.Instance);

        await DeliverAsync(publisher);

        var kept = Directory.GetFiles(_folder, "*.broken").Order(StringComparer.Ordinal).ToArray();
        Assert.Equal([broken, [.. First, .. broken]], kept.Select(File.ReadAllBytes));
        Assert.False(File.Exists(Path.Combine(_folder, $"{3:D12}.spool")));
    }

    [Fact]
    public void A_request_whose_end_is_on_disk_is_not_settled_by_its_last_checkpoint_too()
    {
        byte[] ended = [17, 0, 0, 0, 2, .. Guid.NewGuid().ToByteArray()], running = [17, 0, 0, 0, 2, .. Guid.NewGuid().ToByteArray()];
        var dead = NewSpool();
        dead.Append(ended);
        dead.Journal.Take()!.Put(ended);
        dead.Journal.Take()!.Put(running);

        using var next = new Spool(CopyOfFolder(), NullLogger<Spool>.Instance);

        Assert.Equal(2, next.Undelivered);
    }

    [Fact]
    public void Who_ends_in_order_and_leaves_settlements_is_named_to_the_next_process()
    {
        var spool = NewSpool();
        spool.Append(First);
        spool.Dispose();
        using (var next = NewSpool())
        {
            Assert.Equal([spool.Holder], next.GoneHolders);
            next.Delivered.Add(1);
            next.ForgetGoneHolders();
        }
        using var last = NewSpool();
        Assert.Empty(last.GoneHolders);
    }

    [Fact]
    public void Files_are_made_before_they_are_needed()
    {
        using var spool = NewSpool();
        var record = new byte[1024 * 1024];
        BitConverter.TryWriteBytes(record, record.Length - 4);
        for (var i = 0; i < 3; i++)
            spool.Append(record);

        Assert.True(SpinWait.SpinUntil(() => Directory.GetFiles(_folder, "*.spool").Length == 2, TimeSpan.FromMinutes(1)));
    }

    static async Task DeliverAsync(SpoolPublisher publisher)
    {
        await publisher.StartAsync(Token);
        Assert.True(SpinWait.SpinUntil(() => publisher.Undelivered == 0, TimeSpan.FromMinutes(1)));
        await publisher.StopAsync(Token);
    }

    Spool NewSpool() => new(_folder, NullLogger<Spool>.Instance);

    /// <summary>What the next process finds, also while the one before still has its files open.</summary>
    string CopyOfFolder()
    {
        var copy = Directory.CreateDirectory(Path.Combine(_folder, "copy")).FullName;
        foreach (var file in Directory.GetFiles(_folder).Where(path => Path.GetFileName(path) != "owner"))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        return copy;
    }

    /// <summary>A broker that confirms everything at once.</summary>
    sealed class Taking : ISendEndpointProvider
    {
        public Task<ISendEndpoint> GetSendEndpoint(Uri address) => Task.FromResult(DispatchProxy.Create<ISendEndpoint, Confirming>());

        public ConnectHandle ConnectSendObserver(ISendObserver observer) => throw new NotSupportedException();
    }

    public class Confirming : DispatchProxy
    {
        protected override object Invoke(MethodInfo? targetMethod, object?[]? args) => Task.CompletedTask;
    }

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
