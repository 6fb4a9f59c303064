namespace LlmGateway.Wallet;

/// <summary>A lock per register that exists only while someone holds it or waits for it.</summary>
sealed class Turns
{
    readonly Dictionary<Guid, (SemaphoreSlim Gate, int Users)> _gates = [];

    /// <summary>Disposing the result lets the next one run.</summary>
    public async Task<IDisposable> TakeAsync(IReadOnlyList<Guid> registers, CancellationToken token)
    {
        var turns = new Stack<IDisposable>();
        try
        {
            // In one order, so that two cannot wait for each other.
            foreach (var register in registers.Order())
                turns.Push(await TakeAsync(register, token));
            return new AllTurns(turns);
        }
        catch
        {
            new AllTurns(turns).Dispose();
            throw;
        }
    }

    async Task<IDisposable> TakeAsync(Guid register, CancellationToken token)
    {
        SemaphoreSlim gate;
        lock (_gates)
        {
            var entry = _gates.TryGetValue(register, out var existing) ? existing : (Gate: new SemaphoreSlim(1), Users: 0);
            gate = entry.Gate;
            _gates[register] = (gate, entry.Users + 1);
        }
        try
        {
            await gate.WaitAsync(token);
        }
        catch
        {
            Leave(register);
            throw;
        }
        return new Turn(this, register, gate);
    }

    void Leave(Guid register)
    {
        lock (_gates)
        {
            var (gate, users) = _gates[register];
            if (users == 1)
                _gates.Remove(register);
            else
                _gates[register] = (gate, users - 1);
        }
    }

    sealed class Turn(Turns turns, Guid register, SemaphoreSlim gate) : IDisposable
    {
        public void Dispose()
        {
            gate.Release();
            turns.Leave(register);
        }
    }

    sealed class AllTurns(Stack<IDisposable> turns) : IDisposable
    {
        public void Dispose()
        {
            while (turns.TryPop(out var turn))
                turn.Dispose();
        }
    }
}
