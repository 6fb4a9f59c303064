using LlmGateway.ServiceDefaults;

namespace LlmGateway.Faults;

/// <summary>A call that fails, and fails again while its failure is settled.</summary>
public sealed class DoubleFaultTests : IAsyncLifetime
{
    const string Name = "proxy2";

    public async ValueTask InitializeAsync() => await Processes.HealthyAsync();

    public async ValueTask DisposeAsync() => await Books.MustBeRightAsync();

    [Fact]
    public async Task It_keeps_neither_what_it_holds_nor_its_idempotency_key()
    {
        var (user, process) = (await Load.Backend.NewUserAsync(), Stack.ProcessId(Name)!.Value);
        (await Load.Backend.PutAsync($"/v1/customers/{user.CustomerId}/rates", """{"concurrent":1}""")).MustBe(200);
        await Processes.RestartAsync(Name, Failpoint.Variable, "proxy.request.reserved:1:throw,proxy.end.priced:1:throw");
        await Processes.BackAsync(Name, process);
        var call = KeyedCall.Chat(user, "small", "one two three");

        Assert.Equal(503, (await SendAsync(call)).Status);
        (await SendAsync(call)).MustBe(200);

        Assert.Equal(Price.OfQuestion + Price.OfAnswer, (await Books.OnlyUsageAsync(user)).Charged);
    }

    static async Task<Reply> SendAsync(KeyedCall call) => await Reply.ReadAsync(await Gateway.OpenAsync(call.Request(Stack.Url(Name))));
}
