using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.Contracts;

/// <summary>
/// The source of all ids. In tables and messages an id is a version 7 uuid, so that rows of one time lie together. Callers see it as
/// <c>prefix_</c> and 32 hexadecimal digits.
/// </summary>
public static class Ids
{
    public const string Customer = "cus", Wallet = "wal", Lot = "lot", Session = "ses", Key = "key", SecretKey = "skey", Project = "prj",
        Audit = "aud", Request = "req", Response = "resp", Transfer = "txn", Window = "win", Event = "evt", WebhookEndpoint = "we",
        Delivery = "del", Payment = "pay", Refund = "rfd", Promotion = "promo", Redemption = "red", Payout = "pyo",
        ConnectAccount = "cna", Invoice = "inv", Member = "mem", MemberToken = "mtk";

    /// <summary>
    /// Random bytes for many ids are fetched from the operating system at once. A system call for each id would add to every request's
    /// cost.
    /// </summary>
    const int RandomAhead = 4096;

    [ThreadStatic] static byte[]? t_random;
    [ThreadStatic] static int t_randomUsed;

    public static Guid New() => New(DateTimeOffset.UtcNow);

    /// <param name="moment">By whose clock the id is made. Its month is where the ledger books a request.</param>
    public static Guid New(DateTimeOffset moment)
    {
        if (t_random is null || t_randomUsed == RandomAhead)
            (t_random, t_randomUsed) = (RandomNumberGenerator.GetBytes(RandomAhead), 0);
        Span<byte> id = stackalloc byte[16];
        t_random.AsSpan(t_randomUsed, 16).CopyTo(id);
        t_randomUsed += 16;
        var (time, random) = ((ulong)moment.ToUnixTimeMilliseconds(), BinaryPrimitives.ReadUInt16BigEndian(id[6..]));
        BinaryPrimitives.WriteUInt64BigEndian(id, (time << 16) | 0x7000 | (random & 0x0FFFu));
        id[8] = (byte)((id[8] & 0x3F) | 0x80);
        return new Guid(id, bigEndian: true);
    }

    /// <summary>The lowest id that <see cref="New(DateTimeOffset)"/> can make at that moment.</summary>
    public static Guid FirstAt(DateTimeOffset moment)
    {
        Span<byte> id = stackalloc byte[16];
        id.Clear();
        BinaryPrimitives.WriteUInt64BigEndian(id, (ulong)moment.ToUnixTimeMilliseconds() << 16);
        return new Guid(id, bigEndian: true);
    }

    /// <summary>Always the same id for the same name in the same scope. It makes a repeated command recognisable.</summary>
    public static Guid Derive(Guid scope, string name)
    {
        var input = new byte[16 + Encoding.UTF8.GetByteCount(name)];
        scope.TryWriteBytes(input, bigEndian: true, out _);
        Encoding.UTF8.GetBytes(name, input.AsSpan(16));
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(input, hash);
        hash[6] = (byte)((hash[6] & 0x0F) | 0x80); // version 8: custom
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }

    /// <summary>A customer's wallet, whether it exists or not.</summary>
    public static Guid WalletOf(Guid customer) => Derive(customer, "wallet");

    public static string Show(string prefix, Guid id) => $"{prefix}_{id:N}";

    public static bool TryParse(string prefix, ReadOnlySpan<char> text, out Guid id)
    {
        id = default;
        return text.Length == prefix.Length + 33
            && text.StartsWith(prefix, StringComparison.Ordinal)
            && text[prefix.Length] == '_'
            && Guid.TryParseExact(text[(prefix.Length + 1)..], "N", out id);
    }
}
