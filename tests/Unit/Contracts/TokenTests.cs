using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

public sealed class TokenTests
{
    [Theory]
    [InlineData(Token.LiveSecret, CredentialKind.SecretKey, false)]
    [InlineData(Token.TestSecret, CredentialKind.SecretKey, true)]
    [InlineData(Token.Session, CredentialKind.Session, false)]
    [InlineData(Token.TestSession, CredentialKind.Session, true)]
    [InlineData(Token.CustomerKey, CredentialKind.CustomerKey, false)]
    [InlineData(Token.LiveMember, CredentialKind.Member, false)]
    [InlineData(Token.TestMember, CredentialKind.Member, true)]
    public void A_new_token_is_told_by_its_prefix(string prefix, CredentialKind kind, bool test)
    {
        var token = Token.New(prefix);
        Assert.True(Token.TryRead(token, out var readKind, out var readTest));
        Assert.Equal((kind, test), (readKind, readTest));
        Assert.True(Token.HasChecksum(token));
        Assert.NotEqual(token, Token.New(prefix));
    }

    [Fact]
    public void Every_single_typing_error_is_noticed_without_a_look_up()
    {
        var token = Token.New(Token.CustomerKey);
        for (var i = Token.CustomerKey.Length; i < token.Length; i++)
        {
            var typo = token.ToCharArray();
            typo[i] = typo[i] == 'a' ? 'b' : 'a';
            Assert.False(Token.TryRead(typo, out _, out _));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("sk_live_")]
    [InlineData("sk_live_short")]
    [InlineData("pk_0123456789012345678901234567890123456789")]
    [InlineData("Bearer llm_gw_0123456789012345678901234567890123456789")]
    [InlineData("llm_gw_01234567890123456789 12345678901234567890")]
    [InlineData("llm_gw_01234567890123456789é2345678901234567890")]
    [InlineData("llm_gw_0123456789012345678901234567890\n")]
    [InlineData("LLM_GW_0123456789012345678901234567890123456789")]
    [InlineData("es_01234567890123456789012345678901")]
    [InlineData("es_test_01234567890123456789012345678901")]
    [InlineData("es_0123456789012345678901234567890123456789012345678")]
    [InlineData("mt_01234567890123456789012345678901")]
    [InlineData("mt_live_01234567890123456789012345678901")]
    [InlineData("mt_test_01234567890123456789012345678901")]
    [InlineData("mt_live_0123456789012345678901234567890123456789012345678")]
    [InlineData("llm_gw_0123456789012345678901234567890123456789012345678")]
    public void What_cannot_be_a_token_is_refused(string text) => Assert.False(Token.TryRead(text, out _, out _));

    [Fact]
    public void A_token_beyond_the_longest_is_refused()
    {
        Assert.True(Token.TryRead("llm_gw_" + new string('x', Token.MaxLength - 7), out _, out _));
        Assert.False(Token.TryRead("llm_gw_" + new string('x', Token.MaxLength - 6), out _, out _));
    }

    [Theory]
    [InlineData("llm_gw_demo-key-that-an-operator-made-up-himself")]
    [InlineData("sk_live_demo-key-that-an-operator-made-up-himself")]
    public void A_literal_key_of_an_operator_is_accepted_without_a_checksum(string key)
    {
        Assert.True(Token.TryRead(key, out _, out _));
        Assert.False(Token.HasChecksum(key));
    }

    [Fact]
    public void The_fingerprint_is_the_sha256_of_the_token() =>
        Assert.Equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", Token.Fingerprint("abc"));
}
