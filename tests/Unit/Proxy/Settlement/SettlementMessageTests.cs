using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Wallet;
using MassTransit;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What a proxy sends and what the ledger reads of it, with a queue in memory between them.</summary>
public sealed class SettlementMessageTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null)]
    [InlineData("proxy-1")]
    public async Task The_body_of_the_message_is_the_spool_s_bytes_and_the_ledger_reads_the_batch(string? goneHolder)
    {
        byte[] records = goneHolder is null ? [7, 0, 255, 10, 0] : [];

        var received = await SendAsync(
            endpoint => endpoint.Send(new SettlementBatch(records, goneHolder), SettlementSerializer.Apply, Token));

        Assert.Equal(records, received.ReceiveContext.GetBody());
        Assert.Equal(SettlementBatch.ContentType, received.ReceiveContext.ContentType.MediaType);
        Assert.Equal(records, received.Message.Records);
        Assert.Equal(goneHolder, received.Message.GoneHolder);
    }

    [Fact]
    public async Task Headers_that_are_set_by_others_arrive()
    {
        var received = await SendAsync(endpoint => endpoint.Send(new SettlementBatch([1]), context =>
        {
            SettlementSerializer.Apply(context);
            context.Headers.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        }, Token));

        Assert.Equal("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", received.Headers.Get<string>("traceparent"));
    }

    [Fact]
    public async Task A_batch_in_an_envelope_is_still_read()
    {
        var received = await SendAsync(endpoint => endpoint.Send(new SettlementBatch([1, 2, 3], "proxy-1"), Token));

        Assert.Equal([1, 2, 3], received.Message.Records);
        Assert.Equal("proxy-1", received.Message.GoneHolder);
    }

    static async Task<ConsumeContext<SettlementBatch>> SendAsync(Func<ISendEndpoint, Task> send)
    {
        var arrival = new TaskCompletionSource<ConsumeContext<SettlementBatch>>(TaskCreationOptions.RunContinuationsAsynchronously);
        var bus = Bus.Factory.CreateUsingInMemory(memory => memory.ReceiveEndpoint(SettlementBatch.Queue, queue =>
        {
            queue.AddDeserializer(new SettlementDeserializer());
            queue.Handler<SettlementBatch>(context =>
            {
                arrival.TrySetResult(context);
                return Task.CompletedTask;
            });
        }));
        await bus.StartAsync(Token);
        try
        {
            await send(await bus.GetSendEndpoint(new Uri($"exchange:{SettlementBatch.Queue}")));
            return await arrival.Task.WaitAsync(TimeSpan.FromSeconds(30), Token);
        }
        finally
        {
            await bus.StopAsync(Token);
        }
    }
}
