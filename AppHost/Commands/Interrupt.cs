using System.Runtime.InteropServices;

namespace LlmGateway.AppHost.Commands;

/// <summary>Ctrl-C, a termination or a closed terminal become a cancelled token, so that everything is stopped in order instead of dying.</summary>
sealed class Interrupt : IDisposable
{
    readonly CancellationTokenSource source = new();
    readonly PosixSignalRegistration[] registrations;

    public Interrupt() => registrations = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(signal => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        source.Cancel();
    }))];

    public CancellationToken Token => source.Token;

    public async Task WaitAsync()
    {
        var received = new TaskCompletionSource();
        using var registration = Token.Register(received.SetResult);
        await received.Task;
    }

    public void Dispose()
    {
        foreach (var registration in registrations)
            registration.Dispose();
        source.Dispose();
    }
}
