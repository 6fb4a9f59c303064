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

    /// <summary>Months of the usage log are told by it, here and in PostgreSQL, which compares the bytes as they are shown.</summary>
    [Fact]
    public void Ids_are_compared_as_they_are_shown_and_none_is_lower_than_the_first_of_its_moment()
    {
        var moment = DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
        Guid[] ids = [
            Ids.New(), Ids.New(), Ids.FirstAt(moment), Ids.FirstAt(moment.AddMilliseconds(-1)), Ids.FirstAt(moment.AddYears(2)),
            Guid.AllBitsSet, Guid.Empty];

        Assert.Equal(ids.Order().Select(id => $"{id}"), ids.Select(id => $"{id}").Order(StringComparer.Ordinal));
        Assert.True(Ids.New() >= Ids.FirstAt(moment));
        Assert.Equal("018cc251-f400-0000-0000-000000000000", $"{Ids.FirstAt(new(2024, 1, 1, 0, 0, 0, TimeSpan.Zero))}");
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
