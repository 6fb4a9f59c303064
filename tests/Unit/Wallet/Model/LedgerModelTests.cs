using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Core;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>
/// Random histories, made and shrunk by FsCheck: after each commit, the ledger and <see cref="ReferenceLedger"/> agree on every answer and
/// every balance. A failure prints a short history that fails, and a seed in brackets; <c>SEED=a,b</c> in the environment runs that history
/// alone.
/// </summary>
public sealed class LedgerModelTests
{
    const int Histories = 300, StepsPerHistory = 5_000;

    [Fact]
    public void A_million_random_steps_leave_the_ledger_and_the_model_in_agreement()
    {
        var commands = 0;
        var property = Prop.ForAll(LedgerHistory.OfLength(StepsPerHistory), history => { commands += LedgerRun.Of(history); });

        var config = Config.QuickThrowOnFailure
            .WithMaxTest(Histories)
            .WithReplay(FSharpOption<Replay>.Some(Replayed is { } seed ? This(seed) : SameEveryDay));
        Check.One(config, property);

        Assert.True(commands >= 1_000_000 || Replayed is not null, $"only {commands} commands");
    }

    /// <summary>With a size FsCheck runs the history of that very seed and stops; the size itself means nothing to a history.</summary>
    static Replay This(Rnd seed) => new(seed, FSharpOption<int>.Some(1));

    /// <summary>The same histories in every run, so that only a change of the code can make the test fail.</summary>
    static Replay SameEveryDay => new(new(20_261_121, 1), FSharpOption<int>.None);

    static Rnd? Replayed => Environment.GetEnvironmentVariable("SEED")?.Split(',') is [var seed, var gamma]
        ? new(ulong.Parse(seed, CultureInfo.InvariantCulture), ulong.Parse(gamma, CultureInfo.InvariantCulture))
        : null;
}
