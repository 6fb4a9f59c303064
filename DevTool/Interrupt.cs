using System.Runtime.InteropServices;

namespace LlmGateway.DevTool;

/// <summary>
/// Ctrl-C, a termination or a closed terminal become a cancelled token, so that everything is stopped in order. System.CommandLine's own
/// handling does not know a closed terminal, and ends the process when its time is over.
/// </summary>
sealed class Interrupt : IDisposable
{
    readonly CancellationTokenSource _source;
    readonly PosixSignalRegistration[] _registrations;

    public Interrupt(CancellationToken token)
    {
        _source = CancellationTokenSource.CreateLinkedTokenSource(token);
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, Cancel),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, Cancel),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, Cancel),
        ];

        void Cancel(PosixSignalContext context)
        {
            context.Cancel = true;
            _source.Cancel();
        }
    }

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
        _source.Dispose();
    }
}
