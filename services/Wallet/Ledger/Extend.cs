using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

public static partial class Ledger
{
    /// <summary>
    /// What is left after the need of now is divided by this. A lease gets at most that share beyond its need, so that other holders find
    /// something, too.
    /// </summary>
    const int PlentyDivisor = 16;

    /// <summary>
    /// A proxy knows this clock only as well as its calls are fast, so a claim may come this long before its cycle begins or after its end.
    /// </summary>
    static readonly TimeSpan CycleTolerance = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Gives a lease what it asks for, of all its lines or of none. Every limit line gives by itself what is asked of it. The sources
    /// together give what covers the payment line, in their order.
    /// </summary>
    static Answer Apply(Book book, Extend extend)
    {
        var request = extend.Request;
        // A counter is open from its first claim on, and a wallet has its mark by the last one, whatever becomes of that.
        foreach (var line in request.Lines)
            if (line.Counter is { } counter)
                KeepUntil(book, line.Register, counter);
            else if (request.SaysMarks && line.Counter is null && book.Find(line.Register) is { Kind: AccountKind.Wallet } wallet)
                wallet.LowMark = line.LowMark;
        var lease = book.Leases.GetValueOrDefault(request.Lease);
        if (lease is { Expired: false, Slots: LeaseSlots.Freed })
            return new Answer.Refused(request.Lines[0].Register, RefusalReason.SlotsFreed, 0);
        if (lease is { Expired: false } && request.Fence == lease.Fence)
        {
            // The holder counts the lease's time from its last question, so a repeated one renews the lease, too.
            lease.ExpiresAt = book.Now.AddSeconds(LeaseRequest.TtlSeconds);
            return Granted(book, extend, [.. request.Lines.Select(line => lease.Lines.GetValueOrDefault(line.Register)?.LastGranted ?? 0)]);
        }
        // An unknown lease is opened by its first call. A later one means that it has ended and was deleted.
        if (lease is null ? request.Fence > 1 : lease.Expired || request.Fence < lease.Fence)
            return new Answer.Refused(request.Lines[0].Register, RefusalReason.LeaseClosed, 0);

        if (lease?.LotsExpireAt <= book.Now)
            return new Answer.Refused(request.Lines[0].Register, RefusalReason.LotExpired, 0);

        if (Obstacle(book, extend, lease) is { } obstacle)
            return obstacle;
        if (lease is null)
        {
            var hasSlots = request.Lines.Any(line => line.Counter?.Kind == AccountKind.Slots);
            lease = new() { Id = request.Lease, Holder = request.Holder, Slots = hasSlots ? LeaseSlots.Held : LeaseSlots.None };
            book.Leases.Add(request.Lease, lease);
        }
        lease.Fence = request.Fence;
        lease.ExpiresAt = book.Now.AddSeconds(LeaseRequest.TtlSeconds);
        var granted = new long[request.Lines.Count];
        for (var i = 0; i < extend.FirstSource; i++)
            granted[i] = OfLimit(RoomOf(book, request.Lines[i]), request.Lines[i]);
        OfSources(book, extend, granted);
        for (var i = 0; i < granted.Length; i++)
        {
            var (register, term) = (request.Lines[i].Register, request.Lines[i].Counter);
            var account = book.Accounts[register];
            if (term is not null)
                Note(account, term);
            if (!lease.Lines.TryGetValue(register, out var leased))
                lease.Lines.Add(register, leased = new());
            leased.Granted += granted[i];
            leased.LastGranted = granted[i];
            Reserve(account, granted[i]);
        }
        LimitByLots(book, lease, request);
        return Granted(book, extend, granted);
    }

    /// <summary>
    /// A counter is there until the latest end of its cycle that any claim has said, because it is deleted some time after that. A claim
    /// that is refused says it, too: a limit that is used up has no others.
    /// </summary>
    static void KeepUntil(Book book, Guid register, CounterTerm term)
    {
        book.Created.Remove(register);
        if (book.Find(register) is { } counter && counter.Kind.IsCounter() && !(counter.EndsAt >= term.Resets))
            counter.EndsAt = term.Resets;
    }

    /// <summary>What a claim says of a counter, for those who look at it and those who are told of it.</summary>
    static void Note(Account counter, CounterTerm term)
    {
        (counter.Ceiling, counter.Name) = (term.Ceiling, term.Name);
        if (!term.Thresholds.AsSpan().SequenceEqual(counter.Thresholds))
            counter.Thresholds = term.Thresholds;
    }

    static bool IsOver(Book book, CounterTerm counter) =>
        book.Now < counter.From - CycleTolerance || book.Now >= counter.To + CycleTolerance;

    /// <summary>What a register can still give. A counter that was lowered below its use can give nothing.</summary>
    static long RoomOf(Book book, LeaseDemand line)
    {
        var account = book.Accounts[line.Register];
        return line.Counter is { } counter ? Math.Max(0, counter.Ceiling - account.Posted - account.Reserved) : account.Available;
    }

    static long RoomWithoutHolds(Book book, LeaseDemand line)
    {
        var posted = book.Accounts[line.Register].Posted;
        return line.Counter is { } counter ? Math.Max(0, counter.Ceiling - posted) : posted;
    }

    static long OfLimit(long room, LeaseDemand line) => room >= line.All
        ? line.All + Math.Clamp(line.Wanted - line.All, 0, (room - line.All) / PlentyDivisor)
        : room;

    /// <summary>
    /// Enough for all who wait, or else what is there. Beyond that only the first source that is not empty gives, from plenty: what others
    /// hold of a source that comes first would let them pass it.
    /// </summary>
    static void OfSources(Book book, Extend extend, long[] granted)
    {
        var sources = extend.Sources;
        Span<long> have = stackalloc long[sources.Length], take = stackalloc long[sources.Length];
        WhatTheyHave(book, sources, have);
        var covered = Take(sources, have, line => line.All, take, together: true);
        var hasPlenty = covered;
        for (var k = 0; k < sources.Length; k++)
        {
            var (room, line) = (RoomOf(book, sources[k]), sources[k]);
            var amount = Math.Clamp((covered ? take[k] : have[k]) - line.Idle, 0, room);
            if (hasPlenty && room > amount)
            {
                amount += Math.Clamp(line.Wanted - line.All, 0, (room - amount) / PlentyDivisor);
                hasPlenty = false;
            }
            granted[extend.FirstSource + k] = amount;
        }
    }

    /// <param name="together">
    /// The sum of all requests that wait is asked. Each takes its own of an indivisible source, so together they take what is there.
    /// </param>
    static bool Take(
        ReadOnlySpan<LeaseDemand> sources, ReadOnlySpan<long> have, Func<LeaseDemand, long> full, Span<long> take, bool together = false)
    {
        Span<long> alone = stackalloc long[sources.Length];
        ulong whole = 0;
        for (var k = 0; k < sources.Length; k++)
        {
            alone[k] = full(sources[k]);
            whole |= sources[k].Whole && !together ? 1UL << k : 0;
        }
        return Waterfall.Take(have, alone, whole, take);
    }

    static void WhatTheyHave(Book book, ReadOnlySpan<LeaseDemand> sources, Span<long> have)
    {
        for (var k = 0; k < sources.Length; k++)
            have[k] = checked(sources[k].Idle + RoomOf(book, sources[k]));
    }

    /// <summary>The reason why a lease cannot be extended, or null. It is extended for all lines or none.</summary>
    static Answer? Obstacle(Book book, Extend extend, Lease? lease)
    {
        var lines = extend.Request.Lines;
        List<Guid>? shortOf = null;
        LeaseDemand? usedUp = null;
        for (var i = 0; i < lines.Count; i++)
        {
            var line = lines[i];
            if (book.Find(line.Register) is not { } account || account.Kind.IsCounter() != line.Counter is not null)
                return new Answer.Refused(line.Register, RefusalReason.Unknown, 0);
            var room = RoomOf(book, line);
            // A frozen source refuses the claim. It is never passed.
            if (account.Frozen)
                return new Answer.Refused(line.Register, RefusalReason.Frozen, room);
            if (line.Counter is { } counter && IsOver(book, counter))
                return new Answer.Refused(line.Register, RefusalReason.CycleOver, 0);
            if (i >= extend.FirstSource)
                continue;
            if (room < line.First && !extend.Final && OthersHold(account, lease) && !extend.InUse.Contains(line.Register))
                (shortOf ??= []).Add(line.Register);
            else if (room < line.Minimum && IsLonger(book, line, usedUp))
                usedUp = line;
        }
        var refused = ObstacleOfSources(book, extend, lease, ref shortOf);
        if (usedUp is not null && (refused is null || lines[^1].Counter is null || !IsLonger(book, lines[^1], usedUp)))
            refused = new(usedUp.Register, RefusalReason.Exhausted, RoomOf(book, usedUp))
            {
                Held = HeldByOthers(book.Accounts[usedUp.Register], lease), Over = Over(book, usedUp),
            };
        return refused is not null ? refused
            : shortOf is null ? null
            : new Answer.Shortage(shortOf)
            {
                Room = lines.Where(line => shortOf.Contains(line.Register)).Aggregate((Int128)0, (sum, line) => sum + RoomOf(book, line)),
            };
    }

    /// <summary>
    /// Of several lines that refuse a request the answer names the one that refuses longest, so that whoever comes again when it resets is
    /// not refused by another. What is only held may be free in a moment.
    /// </summary>
    static bool IsLonger(Book book, LeaseDemand line, LeaseDemand? than) => than is null || End(book, line).CompareTo(End(book, than)) > 0;

    static (bool UsedUp, DateTimeOffset Resets) End(Book book, LeaseDemand line) =>
        (RoomWithoutHolds(book, line) < line.Minimum, line.Counter?.Resets ?? DateTimeOffset.MaxValue);

    /// <summary>How far a counter is beyond its ceiling, which was lowered.</summary>
    static long Over(Book book, LeaseDemand line) => line.Counter is { } counter && book.Accounts[line.Register] is var account
        ? Math.Max(0, account.Posted + account.Reserved - counter.Ceiling)
        : 0;

    /// <summary>
    /// A source is passed only when what others hold idle of it was called back before, so that the sources pay in their order.
    /// </summary>
    /// <param name="shortOf">Receives the sources that others could relieve.</param>
    static Answer.Refused? ObstacleOfSources(Book book, Extend extend, Lease? lease, ref List<Guid>? shortOf)
    {
        var sources = extend.Sources;
        if (sources.Length == 0)
            return null;
        Span<long> have = stackalloc long[sources.Length], take = stackalloc long[sources.Length];
        WhatTheyHave(book, sources, have);
        var suffices = Take(sources, have, line => line.First, take);
        var passed = suffices ? Math.Max(0, take.LastIndexOfAnyExcept(0)) : sources.Length;
        var canBeRelieved = false;
        for (var k = 0; k < passed && !extend.Final; k++)
            if (OthersHold(book.Accounts[sources[k].Register], lease) && !(suffices && extend.InUse.Contains(sources[k].Register)))
            {
                (shortOf ??= []).Add(sources[k].Register);
                canBeRelieved = true;
            }
        if (suffices || canBeRelieved || Take(sources, have, line => line.Minimum, take))
            return null;
        var last = sources[^1];
        for (var k = 0; k < sources.Length; k++)
            have[k] = RoomWithoutHolds(book, sources[k]);
        return new(last.Register, RefusalReason.Exhausted, RoomOf(book, last))
        {
            Held = HeldByOthers(book.Accounts[last.Register], lease),
            Busy = sources.Length > 1 && Take(sources, have, line => line.Minimum, take),
            Over = Over(book, last),
        };
    }

    static bool OthersHold(Account account, Lease? lease) => HeldByOthers(account, lease) > 0;

    static long HeldByOthers(Account account, Lease? lease) =>
        account.Reserved - (lease?.Lines.GetValueOrDefault(account.Id)?.Outstanding ?? 0);

    static Answer.Granted Granted(Book book, Extend extend, long[] amounts)
    {
        ulong empty = 0, usedUp = 0;
        var sources = extend.Sources;
        var lease = book.Leases.GetValueOrDefault(extend.Request.Lease);
        for (var k = 0; k < sources.Length; k++)
            if (book.Find(sources[k].Register) is { } account && RoomOf(book, sources[k]) == 0)
            {
                empty |= 1UL << k;
                usedUp |= OthersHold(account, lease) ? 0 : 1UL << k;
            }
        return new(amounts) { Empty = empty, UsedUp = usedUp, Now = book.Now, LotsExpireAt = lease?.LotsExpireAt };
    }
}
