using System.Security.Cryptography;
using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>
/// What a key stands for, as <c>paid_call.state</c> says it. The table and the purpose of the answers' seal have the name that keyed calls
/// had first: both are stored.
/// </summary>
public enum CallState
{
    Running = 0,
    /// <summary>It may still run. Its proxy was silent for too long, or is said to be dead.</summary>
    Doubted = 1,
    /// <summary>Its caller got no whole answer.</summary>
    Free = 2,
    /// <summary>It was charged and its answer is not kept.</summary>
    Charged = 3,
    Answered = 4,
}

/// <summary>What a repetition meets.</summary>
public enum Repetition { Running, Answer, NoAnswer, OtherInput }

/// <summary>A call that has a key now.</summary>
/// <param name="Overdue">Its time is over by the database's clock.</param>
public sealed record StoredCall(byte[] InputHash, CallState State, bool Overdue, byte[]? Sealed)
{
    /// <summary>What another request with the same key is told.</summary>
    /// <param name="inputHash">Of what it asks.</param>
    public Repetition MetBy(ReadOnlySpan<byte> inputHash) =>
        !CryptographicOperations.FixedTimeEquals(InputHash, inputHash) ? Repetition.OtherInput
        : State switch
        {
            CallState.Answered => Repetition.Answer,
            CallState.Charged => Repetition.NoAnswer,
            // What is free was freed a moment ago; the next repetition takes it.
            _ => Repetition.Running,
        };

    /// <summary>
    /// Its proxy is about to be given up. That takes two steps with time between them, so that after an outage of the ledger, when every
    /// call is overdue, those that run are renewed and not run again.
    /// </summary>
    public bool IsToBeDoubted => State == CallState.Running && Overdue;

    /// <summary>The state that a settlement leaves its call in.</summary>
    /// <param name="hasAnswer">The answer came with it and is not too large to be kept.</param>
    public static CallState After(KeyEnd end, bool hasAnswer) => end switch
    {
        KeyEnd.Used => hasAnswer ? CallState.Answered : CallState.Charged,
        _ => CallState.Free,
    };
}
