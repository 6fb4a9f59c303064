using System.Diagnostics;
using System.Globalization;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Places between two steps where a test can end, fail or delay the process, named in <see cref="All"/> and switched on by the environment:
/// <c>FAILPOINTS=name:hit:action[,…]</c>. The action happens at the given passage, counted from 1, and only then:
/// <c>kill</c> (SIGKILL, no clean-up), <c>throw</c> (an <see cref="IOException"/>, as from a disk or a peer that is gone), <c>delay=MS</c>.
/// Switched off, which is always but in a test, a point costs nothing: the compiler folds the flag away.
/// </summary>
public static class Failpoint
{
    public const string Variable = "FAILPOINTS";

    /// <summary>Every point there is; a test holds that the source has each of them exactly once.</summary>
    public static readonly IReadOnlyDictionary<string, string> All = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["proxy.request.identified"] = "A caller is known; nothing has been read.",
        ["proxy.request.read"] = "The body is read and has a price.",
        ["proxy.request.limited"] = "The rates have counted the request.",
        ["proxy.request.reserved"] = "The request holds its upper bound; the provider knows nothing of it.",
        ["proxy.journal.begun"] = "The request is written down as one that has delivered nothing.",
        ["proxy.journal.checkpoint"] = "What a stream has delivered is written down.",
        ["proxy.journal.recovered"] = "What a dead predecessor left is in the spool, and still in its own files.",
        ["proxy.gone.told"] = "The ledger has been told of a dead predecessor; nobody here has noted it.",
        ["proxy.forward.answered"] = "The provider's head is here.",
        ["proxy.whole.read"] = "A whole answer is read and not settled.",
        ["proxy.whole.settled"] = "A whole answer is settled and not told.",
        ["proxy.stream.piece"] = "A piece of a stream has reached the caller.",
        ["proxy.stream.ended"] = "A stream has ended and is not settled.",
        ["proxy.stream.settled"] = "A stream is settled, its end not told.",
        ["proxy.broken.ending"] = "The caller has left or the provider broke off; nothing is settled.",
        ["proxy.end.priced"] = "The cost is known, the hold still whole.",
        ["proxy.end.released"] = "The rest of the hold is free again, the charge not on disk.",
        ["proxy.end.spooled"] = "The charge is on disk.",
        ["proxy.spool.begin"] = "A new spool file is about to be made, at the start too.",
        ["proxy.spool.append"] = "A record is about to be appended.",
        ["proxy.spool.appended"] = "The record is there.",
        ["proxy.spool.delete"] = "A file whose records are all confirmed is about to be deleted.",
        ["proxy.spool.deleted"] = "The file is gone.",
        ["proxy.publish.read"] = "A batch has been read from the spool and not sent.",
        ["proxy.publish.confirmed"] = "The broker has the batch; nobody here has noted it.",
        ["proxy.publish.noted"] = "The confirm is noted; the file is still there.",
        ["proxy.slice.extend"] = "A lease is about to be asked for.",
        ["proxy.slice.extended"] = "The ledger has answered; nobody was served.",
        ["proxy.slice.return"] = "Idle amounts are out of memory and not yet back in the ledger.",
        ["proxy.slice.returned"] = "The ledger has them back.",
        ["proxy.slice.renew"] = "Leases are about to be renewed.",
        ["proxy.slice.renewed"] = "They are renewed in the ledger; nobody here knows.",
        ["proxy.recall.received"] = "Another proxy needs what is idle here.",
        ["proxy.recall.returned"] = "What was idle is back; the recall is not answered.",
        ["wallet.writer.begun"] = "A transaction is open, nothing is locked.",
        ["wallet.writer.locked"] = "Everything that the batch touches is locked and read.",
        ["wallet.writer.applied"] = "The batch is applied in memory.",
        ["wallet.writer.written"] = "Everything is written and not committed.",
        ["wallet.writer.committed"] = "Committed; nobody has been answered.",
        ["wallet.writer.answered"] = "Everybody has been answered.",
        ["wallet.settlements.received"] = "A batch of settlements is here and not in the ledger.",
        ["wallet.settlements.settled"] = "It is in the ledger; the broker does not know.",
        ["wallet.sweeper.found"] = "Expired leases are known and not ended.",
        ["wallet.sweeper.ended"] = "They are ended.",
        ["wallet.lease.shortage"] = "A register is short; the others will be asked.",
        ["wallet.lease.recalled"] = "The others have answered; the lease is not decided.",
        ["wallet.lease.renewed"] = "Renewals are in the database and not answered.",
        ["wallet.lease.returned"] = "A return is committed and not answered.",
        ["wallet.recall.publish"] = "A recall is about to be published.",
        ["wallet.register.opened"] = "Registers are open; Sessions does not know.",
        ["wallet.adjusted"] = "A credit or debit is committed; its caller does not know.",
        ["idempotency.claimed"] = "A key is claimed; its call has not run.",
        ["idempotency.executed"] = "The call has run; its answer is not stored.",
        ["idempotency.finished"] = "The answer is stored and not sent.",
        ["outbox.claimed"] = "Events are claimed and not published.",
        ["outbox.published"] = "Events are published and still in the table.",
        ["outbox.finished"] = "They have left the table.",
        ["sessions.mint.checked"] = "A session may be minted; the wallet is not open.",
        ["sessions.mint.opened"] = "The wallet is open; the session does not exist.",
        ["sessions.mint.saved"] = "The session exists; its token was not told.",
        ["sessions.refresh.counted"] = "The old token's end is written in an open transaction; the new one does not exist.",
        ["sessions.refresh.committed"] = "Both are committed and nobody told.",
        ["sessions.revoke.saved"] = "A session is revoked in the database; proxies do not know.",
        ["sessions.key.created"] = "A key exists; its secret was not told.",
        ["sessions.key.revoked"] = "A key is revoked in the database; proxies do not know.",
        ["sessions.copies.forgotten"] = "The copy in Redis is overwritten; the push is not sent.",
        ["sessions.copies.told"] = "The push is sent; the change is not answered.",
        ["sessions.credential.read"] = "A credential is read and not answered.",
    };

    static readonly string Spec = Environment.GetEnvironmentVariable(Variable) ?? "";
    static readonly bool On = Spec.Length > 0;
    static readonly Lazy<ILookup<string, Armed>> Points = new(() => Parse(Spec).ToLookup(armed => armed.Name, StringComparer.Ordinal));

    /// <summary>Refuses a start with failpoints that do not exist.</summary>
    public static void RequireKnown() => _ = Points.Value;

    public static void Hit(string name)
    {
        if (On)
            foreach (var armed in Points.Value[name])
                armed.Pass();
    }

    /// <summary>Throws <see cref="FormatException"/>, naming what is wrong.</summary>
    public static IReadOnlyList<Armed> Parse(string spec) =>
        [.. spec.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(One)];

    static Armed One(string text)
    {
        if (text.Split(':') is not [var name, var hit, var action])
            throw new FormatException($"{Variable}: '{text}' is not name:hit:action");
        if (!All.ContainsKey(name))
            throw new FormatException($"{Variable}: there is no failpoint '{name}'");
        if (!int.TryParse(hit, NumberStyles.None, CultureInfo.InvariantCulture, out var at) || at < 1)
            throw new FormatException($"{Variable}: '{hit}' is not a passage, counted from 1");
        return action switch
        {
            "kill" => new(name, at, action, TimeSpan.Zero),
            "throw" => new(name, at, action, TimeSpan.Zero),
            _ when action.StartsWith("delay=", StringComparison.Ordinal) && int.TryParse(action["delay=".Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var ms) =>
                new(name, at, "delay", TimeSpan.FromMilliseconds(ms)),
            _ => throw new FormatException($"{Variable}: '{action}' is not kill, throw or delay=MS"),
        };
    }

    /// <param name="At">The passage that acts.</param>
    public sealed record Armed(string Name, int At, string Action, TimeSpan Delay)
    {
        int _passed;

        internal void Pass()
        {
            if (Interlocked.Increment(ref _passed) != At)
                return;
            // Whoever armed it looks for this line, to know that the point was reached.
            Console.Error.WriteLine($"failpoint {Name}: {Action}");
            switch (Action)
            {
                case "kill":
                    Process.GetCurrentProcess().Kill();
                    Thread.Sleep(Timeout.Infinite);
                    break;
                case "throw":
                    throw new IOException($"failpoint {Name}");
                default:
                    Thread.Sleep(Delay);
                    break;
            }
        }
    }
}
