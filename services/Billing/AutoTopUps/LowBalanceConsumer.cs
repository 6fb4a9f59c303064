using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using MassTransit;

namespace LlmGateway.Billing;

/// <summary>The ledger has told that a wallet has little or nothing: it is looked at now, and not when its turn comes.</summary>
public sealed class LowBalanceConsumer(AutoTopUps topUps, DatabaseReady ready) : IConsumer<PublicEvent>
{
    public static void Configure(IReceiveEndpointConfigurator queue, IRegistrationContext context)
    {
        queue.PublishFaults = false;
        queue.ConfigureConsumer<LowBalanceConsumer>(context);
    }

    public async Task Consume(ConsumeContext<PublicEvent> context)
    {
        var token = context.CancellationToken;
        if (WalletOf(context.Message) is not { } wallet)
            return;
        await ready.Task.WaitAsync(token);
        await topUps.TellAsync(wallet, token);
    }

    /// <summary>Null: nothing follows from it.</summary>
    static Guid? WalletOf(PublicEvent told)
    {
        if (told.Type is not (EventTypes.WalletLowBalance or EventTypes.WalletExhausted))
            return null;
        using var data = JsonDocument.Parse(told.Data);
        return data.RootElement.TryGetProperty("walletId", out var id) && Ids.TryParse(Ids.Wallet, id.GetString() ?? "", out var wallet)
            ? wallet
            : null;
    }
}
