namespace LlmGateway.EndToEnd;

/// <summary>Tests of which each has deliveries and a listening system of its own.</summary>
public abstract class OnOwnWebhooks : IAsyncLifetime
{
    private protected OwnWebhooks _webhooks = null!;
    private protected WebhookListener _listener = null!;

    private protected static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() =>
        (_webhooks, _listener) = (await OwnWebhooks.StartAsync(), await WebhookListener.StartAsync());

    public async ValueTask DisposeAsync()
    {
        await _listener.DisposeAsync();
        await _webhooks.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
