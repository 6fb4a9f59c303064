using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

public sealed class IdsTests
{
    [Fact]
    public void An_id_reads_back_as_it_was_shown()
    {
        var id = Ids.New();
        var shown = Ids.Show(Ids.Wallet, id);
        Assert.StartsWith("wal_", shown, StringComparison.Ordinal);
        Assert.True(Ids.TryParse(Ids.Wallet, shown, out var read));
        Assert.Equal(id, read);
        Assert.False(Ids.TryParse(Ids.Customer, shown, out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("wal_")]
    [InlineData("wal_0123456789abcdef0123456789abcde")]
    [InlineData("wal_0123456789abcdef0123456789abcdeg")]
    [InlineData("wal-0123456789abcdef0123456789abcdef")]
    [InlineData("wal_0123456789abcdef0123456789abcdef0")]
    [InlineData("wal_01234567-89ab-cdef-0123-456789abcdef")]
    public void What_is_no_id_is_refused(string text) => Assert.False(Ids.TryParse(Ids.Wallet, text, out _));

    [Fact]
    public void New_ids_are_version_7_and_all_different()
    {
        var ids = Enumerable.Range(0, 1000).Select(_ => Ids.New()).ToArray();
        Assert.Equal(1000, ids.Distinct().Count());
        Assert.All(ids, id => Assert.Equal(7, id.Version));
    }

    [Fact]
    public void A_derived_id_is_the_same_for_ever_and_different_for_every_name_and_scope()
    {
        var scope = new Guid("00112233-4455-6677-8899-aabbccddeeff");
        Assert.Equal(Ids.Derive(scope, "wallet"), Ids.Derive(scope, "wallet"));
        Assert.NotEqual(Ids.Derive(scope, "wallet"), Ids.Derive(scope, "wallet2"));
        Assert.NotEqual(Ids.Derive(scope, "wallet"), Ids.Derive(Guid.Empty, "wallet"));
        Assert.Equal(8, Ids.Derive(scope, "größe").Version);
    }
}
