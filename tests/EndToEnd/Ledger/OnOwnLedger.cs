namespace LlmGateway.EndToEnd;

/// <summary>Tests of which each has a ledger of its own.</summary>
public abstract class OnOwnLedger : IAsyncLifetime
{
    private protected OwnLedger _ledger = null!;

    private protected static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _ledger = await OwnLedger.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _ledger.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
