using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>The operator's keys, as settings. What was sealed and hashed with them must stay readable.</summary>
public sealed class KeySettingTests
{
    /// <summary>32 bytes in base64, as every key had to be at first.</summary>
    const string MasterKey = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=", Pepper = "IB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgE=";

    const string Secret = "fingerprint-of-a-credential";

    static readonly Guid Id = Guid.Parse("0198c0de-0000-7000-8000-000000000001");

    [Fact]
    public void What_was_sealed_with_32_bytes_in_base64_opens_with_the_same_setting()
    {
        const string stored = "AZsFP+1j2NzdjWzVIicmtJfwXc+KOFB0O8bWUzd+bMLK7kAj0V14Fq6Sl5vYzyk9zzM9M8XqGswLPrS+xcgW7aTip64RJIXDtcYrvigg1M1Q"
            + "HFQFtR0N8EmLHwP26wfZ+oZpZLSFLvv8s549/ID4kUTfGSM=";

        Assert.Equal(Secret, Credentials(MasterKey, Pepper).Fingerprint(new(Id, stored)));
    }

    [Fact]
    public void A_credential_under_an_accepted_pepper_is_looked_for_and_new_ones_are_under_the_first()
    {
        byte[] old = KeySetting.Read(Pepper, KeySetting.Pepper), next = new byte[32];
        var (before, after) = (new CredentialSeal([old], new([next])), new CredentialSeal([next, old], new([next])));

        Assert.Contains(before.Hash(Secret), after.Hashes(Secret));
        Assert.Equal(after.Hashes(Secret)[0], after.Hash(Secret));
        Assert.NotEqual(before.Hash(Secret), after.Hash(Secret));
    }

    [Fact]
    public void A_credential_that_was_hashed_with_32_bytes_in_base64_is_found_with_the_same_setting() => Assert.Equal(
        "6c62ee8aa6c10fa845bd1b7ee49c23514ddd05706bb573a1b8e5658b59b92f2d",
        Convert.ToHexStringLower(Credentials(MasterKey, Pepper).Hash(Secret)));

    [Theory]
    [InlineData("thirty-two characters, no base64")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")] // base64 of 24 bytes
    public void Any_other_text_of_32_characters_is_a_key_for_one_purpose(string text)
    {
        var credentials = Credentials(text, text);

        Assert.Equal(Secret, Credentials(text, text).Fingerprint(new(Id, credentials.Seal(Secret, Id))));
        Assert.NotEqual(KeySetting.Read(text, KeySetting.MasterKey), KeySetting.Read(text, KeySetting.Pepper));
    }

    [Fact]
    public void A_shorter_text_is_refused_by_its_setting_s_name() => Assert.Contains(
        KeySetting.MasterKey,
        Assert.Throws<InvalidOperationException>(() => KeySetting.Read("thirty-one characters, no base6", KeySetting.MasterKey)).Message,
        StringComparison.Ordinal);

    static CredentialSeal Credentials(string masterKey, string pepper) => new(
        [KeySetting.Read(pepper, KeySetting.Pepper)], new([KeySetting.Read(masterKey, KeySetting.MasterKey)]));
}
