using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>An answer as it was sent. A repeated call with the same key gets it again, whatever its status was.</summary>
sealed record KeptAnswer(int Status, byte[] Body, string Request);

/// <summary>Answers by account and idempotency key, for 24 hours of the sandbox's clock.</summary>
sealed class IdempotentCalls
{
    const long Lifetime = 24 * 60 * 60;
    const int Most = 100_000;
    const int MaxKey = 255;

    sealed class Entry
    {
        public required byte[] Fingerprint { get; init; }

        public required long Since { get; init; }

        /// <summary>Null while the first call runs.</summary>
        public KeptAnswer? Answer { get; set; }
    }

    readonly Dictionary<string, Entry> entries = [];
    readonly Queue<string> inOrder = new();

    /// <summary>The answer to repeat, or null when the caller is the first and has to end with <see cref="End"/>.</summary>
    /// <exception cref="Refusal">The key belongs to another call, or its first call still runs.</exception>
    public KeptAnswer? Begin(string account, string key, string call, string body, long now)
    {
        if (key.Length > MaxKey)
        {
            throw Conflict(400, $"Idempotency keys may be at most {MaxKey} characters long.", null);
        }
        var place = $"{account} {key}";
        var fingerprint = SHA256.HashData(Encoding.UTF8.GetBytes($"{call}\n{body}"));
        if (entries.TryGetValue(place, out var known) && now - known.Since < Lifetime)
        {
            if (!known.Fingerprint.AsSpan().SequenceEqual(fingerprint))
            {
                throw Conflict(400, "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                    + $"Try using a key other than '{key}' if you meant to execute a different request.", null);
            }
            return known.Answer ?? throw Conflict(
                409,
                "There is currently another in-progress request using this Stripe-Idempotency key (that probably means you submitted "
                    + "twice, and the other request is still going through). Please try again later.",
                "idempotency_key_in_use");
        }
        entries[place] = new() { Fingerprint = fingerprint, Since = now };
        inOrder.Enqueue(place);
        if (inOrder.Count > Most)
        {
            entries.Remove(inOrder.Dequeue());
        }
        return null;
    }

    /// <param name="answer">Null when nothing was executed. The key is free then.</param>
    public void End(string account, string key, KeptAnswer? answer)
    {
        var place = $"{account} {key}";
        if (answer is null)
        {
            entries.Remove(place);
        }
        else if (entries.TryGetValue(place, out var entry))
        {
            entry.Answer = answer;
        }
    }

    static Refusal Conflict(int status, string message, string? code) =>
        new(status, "idempotency_error", message) { Code = code, IsKept = false };
}
