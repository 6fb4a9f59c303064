namespace LlmGateway.Harness;

/// <summary>Starts the app before the first test, and has it prove its books after the last one.</summary>
public sealed class AppUnderTest : IAsyncLifetime
{
    RunningApp? _app;

    public async ValueTask InitializeAsync()
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "seeds");
        string[] seeds = [.. Directory.GetFiles(folder, "*.seed.json").Order()];
        Stack.App = _app = await RunningApp.StartAsync(seeds, Stack.Faults, TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is null)
            return;
        var (ok, text) = await _app.VerifyAsync();
        await _app.DisposeAsync();
        Assert.True(ok, text);
    }
}
