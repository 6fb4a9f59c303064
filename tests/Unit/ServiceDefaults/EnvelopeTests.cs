using System.Security.Cryptography;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

public sealed class EnvelopeTests
{
    static readonly byte[] Old = new byte[32], New = [.. Enumerable.Repeat((byte)1, 32)];

    [Fact]
    public void What_a_key_has_sealed_opens_as_long_as_the_key_is_listed()
    {
        var sealedByOld = new Envelope([Old]).Seal("secret", "owner");

        Assert.Equal("secret", new Envelope([New, Old]).Open(sealedByOld, "owner"));
        Assert.Throws<CryptographicException>(() => new Envelope([New]).Open(sealedByOld, "owner"));
    }

    [Fact]
    public void The_first_key_seals_and_what_it_seals_is_known_by_its_beginning()
    {
        Envelope before = new([Old]), after = new([New, Old]);
        var fresh = after.Seal("secret", "owner");

        Assert.Equal("secret", new Envelope([New]).Open(fresh, "owner"));
        Assert.StartsWith(after.CurrentMark, fresh);
        Assert.False(before.Seal("secret", "owner").StartsWith(after.CurrentMark, StringComparison.Ordinal));
    }

    [Fact]
    public void What_was_sealed_before_keys_had_ids_opens_with_any_that_is_listed()
    {
        // As in KeySettingTests, where the owner is a credential.
        const string stored = "AZsFP+1j2NzdjWzVIicmtJfwXc+KOFB0O8bWUzd+bMLK7kAj0V14Fq6Sl5vYzyk9zzM9M8XqGswLPrS+xcgW7aTip64RJIXDtcYrvigg1M1Q"
            + "HFQFtR0N8EmLHwP26wfZ+oZpZLSFLvv8s549/ID4kUTfGSM=";
        byte[] key = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];
        Assert.Equal("fingerprint-of-a-credential", new Envelope([New, key]).Open(stored, "credential:0198c0de000070008000000000000001"));
    }

    [Fact]
    public void A_secret_opens_for_its_owner_alone_and_only_unaltered()
    {
        var envelope = new Envelope([New]);
        var bytes = Convert.FromBase64String(envelope.Seal("secret", "owner"));

        Assert.Null(envelope.TryOpen(Convert.ToBase64String(bytes), "another"));
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 4;
            Assert.Null(envelope.TryOpen(Convert.ToBase64String(bytes), "owner"));
            bytes[i] ^= 4;
        }
        foreach (var nothing in (string[])["", "AQ==", "Ag=="])
            Assert.Null(envelope.TryOpen(nothing, "owner"));
    }
}
