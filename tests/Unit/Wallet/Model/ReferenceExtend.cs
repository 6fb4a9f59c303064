using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>Claims and who pays them.</summary>
sealed partial class ReferenceLedger
{
    /// <summary>Rules 4 and 5.</summary>
    Answer Apply(Extend extend, DateTimeOffset now)
    {
        var request = extend.Request;
        // A claim opens its counters, whatever becomes of it.
        foreach (var line in request.Lines.Where(line => line.Counter is not null))
            OpenCounter(line.Register, line.Counter!);
        // Rule 10.
        if (Leases.TryGetValue(request.Lease, out var lease) && lease is { Expired: false, SlotsFreed: true })
            return new Answer.Refused(request.Lines[0].Register, RefusalReason.SlotsFreed, 0);
        // A repeated call gets the first answer and is a word from the holder like any other, unless the lease has ended.
        if (lease is { Expired: false } && lease.Fence == request.Fence)
        {
            lease.ExpiresAt = now.AddSeconds(LeaseRequest.TtlSeconds);
            return new Answer.Granted([.. request.Lines.Select(line => lease.LastGranted.GetValueOrDefault(line.Register))])
            {
                LotsExpireAt = lease.Until,
            };
        }
        // docs/money.md: a lease that has ended cannot be extended, whether the ledger still has it or has forgotten it.
        if (lease is null ? request.Fence != 1 : lease.Expired || request.Fence < lease.Fence)
            return new Answer.Refused(request.Lines[0].Register, RefusalReason.LeaseClosed, 0);
        if (lease?.Until <= now)
            return new Answer.Refused(request.Lines[0].Register, RefusalReason.LotExpired, 0);
        return Obstacle(extend, lease, now) ?? Grant(extend, lease, now);
    }

    /// <summary>Why a lease gets nothing, or null.</summary>
    Answer? Obstacle(Extend extend, ModelLease? lease, DateTimeOffset now)
    {
        var (request, shortage, usedUp) = (extend.Request, new List<Guid>(), new List<LeaseDemand>());
        foreach (var (index, line) in request.Lines.Index())
        {
            if (!Registers.TryGetValue(line.Register, out var register) || register.Kind.IsCounter() != line.Counter is not null)
                return new Answer.Refused(line.Register, RefusalReason.Unknown, 0);
            var room = Room(line);
            if (IsFrozen(line.Register))
                return new Answer.Refused(line.Register, RefusalReason.Frozen, room);
            var second = TimeSpan.FromSeconds(1);
            if (line.Counter is { } term && (now < term.From - second || now >= term.To + second))
                return new Answer.Refused(line.Register, RefusalReason.CycleOver, 0);
            if (index >= extend.FirstSource)
                continue;
            if (room < line.First && WithOthers(line) && !extend.Final && !extend.InUse.Contains(line.Register))
                shortage.Add(line.Register);
            else if (room < line.Minimum)
                usedUp.Add(line);
        }
        Answer.Refused? bySources = null;
        var sources = request.Lines.Skip(extend.FirstSource).ToList();
        if (sources.Count > 0)
        {
            var (enough, last, _) = Share(sources, line => line.First);
            var asked = sources.Take(enough ? last : sources.Count).Where(WithOthers)
                .Where(line => !extend.Final && !(enough && extend.InUse.Contains(line.Register))).ToList();
            shortage.AddRange(asked.Select(line => line.Register));
            if (!enough && asked.Count == 0 && !Share(sources, line => line.Minimum).Enough)
            {
                bySources = Refusal(sources[^1]) with
                {
                    Busy = sources.Count > 1 && Share(sources, line => line.Minimum, IfNothingWereHeld).Enough,
                };
                if (sources[^1].Counter is not null)
                    usedUp.Add(sources[^1]);
            }
        }
        // The one that refuses longest: what is only held may be free in a moment, and of the others that which resets last.
        var longest = usedUp.OrderByDescending(line => IfNothingWereHeld(line) < line.Minimum)
            .ThenByDescending(line => line.Counter?.Resets ?? DateTimeOffset.MaxValue).FirstOrDefault();
        if (longest is not null || bySources is not null)
            return longest is null || longest.Register == bySources?.Register ? bySources! : Refusal(longest);
        return shortage.Count > 0 ? new Answer.Shortage(shortage) : null;

        Answer.Refused Refusal(LeaseDemand line) => new(line.Register, RefusalReason.Exhausted, Room(line))
        {
            Held = OfOthers(line),
            Over = line.Counter is { } counter
                ? Math.Max(0, Registers[line.Register].Posted + Reserved(line.Register) - counter.Ceiling)
                : 0,
        };

        bool WithOthers(LeaseDemand line) => OfOthers(line) > 0;

        long OfOthers(LeaseDemand line) => Reserved(line.Register) - (lease?.Held.GetValueOrDefault(line.Register) ?? 0);

        long IfNothingWereHeld(LeaseDemand line)
        {
            var posted = Registers[line.Register].Posted;
            return line.Counter is { } counter ? Math.Max(0, counter.Ceiling - posted) : posted;
        }
    }

    Answer.Granted Grant(Extend extend, ModelLease? lease, DateTimeOffset now)
    {
        var request = extend.Request;
        var sources = request.Lines.Skip(extend.FirstSource).ToList();
        lease ??= Leases[request.Lease] = new() { HasSlots = request.Lines.Any(line => line.Counter?.Kind == AccountKind.Slots) };
        (lease.Fence, lease.ExpiresAt) = (request.Fence, now.AddSeconds(LeaseRequest.TtlSeconds));
        var granted = request.Lines.Take(extend.FirstSource).Select(line => Room(line) is var room && room < line.All
            ? room
            : line.All + Math.Min(line.Wanted - line.All, (room - line.All) / 16)).ToList();
        var (all, _, shares) = Share(sources, line => line.All, together: true);
        var plenty = all;
        foreach (var (line, share) in sources.Zip(shares))
        {
            var room = Room(line);
            var amount = all ? Math.Max(0, share - line.Idle) : room;
            if (plenty && room > amount)
            {
                amount += Math.Min(line.Wanted - line.All, (room - amount) / 16);
                plenty = false;
            }
            granted.Add(amount);
        }
        foreach (var (line, amount) in request.Lines.Zip(granted))
        {
            lease.Held[line.Register] = lease.Held.GetValueOrDefault(line.Register) + amount;
            lease.LastGranted[line.Register] = amount;
        }
        if (FirstExpiry(request) is { } end && !(lease.Until <= end))
            lease.Until = end;
        return new(granted) { LotsExpireAt = lease.Until };
    }

    long Room(LeaseDemand line) => line.Counter is { } counter
        ? Math.Max(0, counter.Ceiling - Registers[line.Register].Posted - Reserved(line.Register))
        : Available(line.Register);

    /// <summary>
    /// Rule 5: each source pays as much as it has of the part that is left unpaid. The part is a fraction of the whole, in decimals.
    /// </summary>
    /// <param name="room">What each has. Null: idle with the asker, or in the books.</param>
    /// <param name="together">All who wait together: each takes its own of what is indivisible.</param>
    /// <returns>Whether they suffice, the one that pays last, and what each pays.</returns>
    (bool Enough, int Last, List<long> Shares) Share(
        List<LeaseDemand> sources, Func<LeaseDemand, long> alone, Func<LeaseDemand, long>? room = null, bool together = false)
    {
        var (unpaid, shares, last) = (1m, new List<long>(), 0);
        foreach (var (index, source) in sources.Index())
        {
            var has = room?.Invoke(source) ?? source.Idle + Room(source);
            var needed = (long)Math.Ceiling(Math.Round(alone(source) * unpaid, 15));
            var pays = unpaid == 0 ? 0 : needed <= has ? needed : source.Whole && !together ? 0 : has;
            shares.Add(pays);
            last = pays > 0 ? index : last;
            unpaid = unpaid == 0 || needed <= has ? 0 : pays == 0 ? unpaid : (decimal)(needed - pays) / alone(source);
        }
        return (sources.Count == 0 || unpaid == 0, last, shares);
    }
}
