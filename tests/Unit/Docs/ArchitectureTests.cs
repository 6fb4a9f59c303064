using System.Text.RegularExpressions;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>Every file and folder that the documents name exists.</summary>
public sealed partial class ArchitectureTests
{
    internal static readonly string Repository = Root(AppContext.BaseDirectory);

    /// <summary>What git ignores is none of them: it is in hidden folders, <c>artifacts</c> and <c>node_modules</c>.</summary>
    static readonly string[] Files =
    [
        .. Directory.EnumerateFiles(
                Repository, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.Hidden })
            .Select(path => path[Repository.Length..])
            .Where(path =>
                !path.Contains("/artifacts/", StringComparison.Ordinal) && !path.Contains("/node_modules/", StringComparison.Ordinal)),
    ];

    /// <summary>All but decisions that a later one has replaced.</summary>
    public static TheoryData<string> Documents =>
    [
        .. Files.Where(file => file.EndsWith(".md", StringComparison.Ordinal) && !TextOf(file).Contains("**Superseded**")).Order(),
    ];

    /// <summary>
    /// A name without a folder is in the folder of the last path before it in the same table cell or sentence, where there is one.
    /// </summary>
    [Theory]
    [MemberData(nameof(Documents))]
    public void Every_file_that_a_document_names_exists(string document)
    {
        foreach (var part in CellOrSentence().Split(TextOf(document)))
        {
            var folder = "";
            foreach (var name in Named().Matches(part).Select(match => match.Groups["name"].Value))
            {
                var isBare = !name.Contains('/');
                if (!isBare)
                    folder = name[..(name.LastIndexOf('/') + 1)];
                var path = isBare ? folder + name : name;
                Assert.True(
                    Array.Exists(Files, file => path.EndsWith('/')
                        ? file.Contains($"/{path}", StringComparison.Ordinal)
                        : file.EndsWith($"/{path}", StringComparison.Ordinal)),
                    $"{document} names {path}");
            }
        }
    }

    /// <summary>Of the repository's own folders: other names with a slash are models, types of media and the like.</summary>
    [Theory]
    [MemberData(nameof(Documents))]
    public void Every_folder_that_a_document_names_exists(string document) =>
        Assert.All(NamedFolder().Matches(TextOf(document)).Select(match => match.Groups["name"].Value), name =>
            Assert.True(
                Array.Exists(Files, file => file == $"/{name}" || file.StartsWith($"/{name}/", StringComparison.Ordinal)),
                $"{document} names {name}"));

    [Fact]
    public void The_architecture_names_the_files_of_every_stage() =>
        Assert.True(Named().Count(TextOf("/docs/architecture.md")) > 30);

    [Fact]
    public void The_rules_of_the_ledger_have_no_database_and_no_clock_of_their_own() =>
        Assert.All(Directory.EnumerateFiles(Path.Combine(Repository, "services/Wallet/Ledger"), "*.cs"), file =>
            Assert.DoesNotMatch("Npgsql|ServiceDefaults|TimeProvider|UtcNow|async ", File.ReadAllText(file)));

    [Fact]
    public void No_service_refers_to_the_sandbox() =>
        Assert.All(
            Directory.EnumerateFiles(Path.Combine(Repository, "services"), "*.csproj", SearchOption.AllDirectories)
                .Where(project => !project.EndsWith("/Sandbox.csproj", StringComparison.Ordinal)),
            project => Assert.DoesNotContain("Sandbox", File.ReadAllText(project)));

    static string TextOf(string document) => File.ReadAllText(Repository + document);

    [GeneratedRegex(@"\||\n\n|(?<=\.)\s")]
    private static partial Regex CellOrSentence();

    [GeneratedRegex(@"`(?<name>[\w./-]+\.(cs|sql)|[A-Z][\w.-]*/)`")]
    private static partial Regex Named();

    [GeneratedRegex(@"`(?<name>(AppHost|Contracts|DevTool|ServiceDefaults|benchmarks|docs|services|tests)/[\w./-]*\w)/?`")]
    private static partial Regex NamedFolder();

    static string Root(string folder) =>
        File.Exists(Path.Combine(folder, "LlmGateway.sln")) ? folder : Root(Path.GetDirectoryName(folder)!);
}
