using System.Text.RegularExpressions;
using LlmGateway.UnitTests.Docs;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>
/// A list that is read from the code: every file of Sessions that writes. Where proxies have copies of what it writes, the commit stands in
/// a change of HotCopies, and no token of the request can end it half-way.
/// </summary>
public sealed partial class ChangesTests
{
    static readonly string Folder = Path.Combine(ArchitectureTests.Repository, "services", "Sessions");

    /// <summary>What writes nothing that proxies have copies of, and why.</summary>
    static readonly Dictionary<string, string> Untold = new(StringComparer.Ordinal)
    {
        ["AuditConsumer.cs"] = "the audit is not copied",
        ["CatalogueWriter.cs"] = "its callers commit",
        ["ClaimBatches.cs"] = "batches are not copied",
        ["CreateCustomer.cs"] = "nobody has a copy of what did not exist",
        ["CreateKey.cs"] = "nobody has a copy of what did not exist",
        ["CreateMember.cs"] = "nobody has a copy of what did not exist",
        ["CreateMemberToken.cs"] = "nobody has a copy of what did not exist",
        ["CreateSecretKey.cs"] = "nobody has a copy of what did not exist",
        ["DeleteObject.cs"] = "objects are not copied",
        ["DeleteResponse.cs"] = "kept responses are not copied",
        ["Eviction.cs"] = "kept responses are not copied",
        ["FindObjects.cs"] = "it reads",
        ["FindResponses.cs"] = "it reads",
        ["KeepResponse.cs"] = "kept responses are not copied",
        ["KeyCheck.cs"] = "proofs are not copied",
        ["ReadCredential.cs"] = "it reads",
        ["MintSession.cs"] = "nobody has a copy of what did not exist, and proxies have no copy of a name",
        ["NameOwner.cs"] = "nobody has a copy of what did not exist",
        ["RecordKeyUse.cs"] = "the last use is not copied",
        ["RegisterObject.cs"] = "objects are not copied",
        ["Reseal.cs"] = "it says the same under another key",
        ["SessionsDb.cs"] = "a lock",
        ["SettleBatch.cs"] = "batches are not copied",
    };

    static readonly Dictionary<string, string> Writing = Directory.EnumerateFiles(Folder, "*.cs", SearchOption.AllDirectories)
        .ToDictionary(file => Path.GetFileName(file), File.ReadAllText)
        .Where(file => Writes().IsMatch(file.Value)).ToDictionary();

    public static TheoryData<string> Told => [.. Writing.Keys.Except(Untold.Keys).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Told))]
    public void Every_write_is_told_whatever_becomes_of_its_commit(string file)
    {
        var source = Writing[file];
        var commits = Commits().Matches(source) is { Count: > 0 } own ? own : Saves().Matches(source);
        Assert.All(commits, commit => Assert.Matches(ToldCommit(), source[..(commit.Index + commit.Length)]));
        Assert.NotEmpty(commits);
        // A call that is repeated tells as well: the first one may have ended before it told anybody.
        Assert.DoesNotContain("Results.NoContent()", source[..commits[0].Index]);
    }

    [Fact]
    public void Who_tells_nobody_writes() => Assert.Subset(Writing.Keys.ToHashSet(), Untold.Keys.ToHashSet());

    [GeneratedRegex(@"\.(SaveChanges|Commit|Execute(Update|Delete|NonQuery|Sql\w*))Async\(|\.Sql\(|\.CreateBatch\(")]
    private static partial Regex Writes();

    [GeneratedRegex(@"\.CommitAsync\([^)]*\)")]
    private static partial Regex Commits();

    [GeneratedRegex(@"\.SaveChangesAsync\([^)]*\)")]
    private static partial Regex Saves();

    /// <summary>The innermost change is still open at the commit: its block, if it has one, has not ended.</summary>
    [GeneratedRegex(
        @"await using \(.*\bcopies\.\w+Changing\(.*\)\s+(await using \(var transaction = .*\)\s+)?(\{(?:[^{}]|\{[^{}]*\})*)?"
        + @"await \w+\.\w+Async\(CancellationToken\.None\)$")]
    private static partial Regex ToldCommit();
}
