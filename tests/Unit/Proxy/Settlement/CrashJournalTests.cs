using System.Text;
using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>
/// What the next process finds of requests that were running. Opening the folder again stands for that process: both see the same pages.
/// </summary>
public sealed class CrashJournalTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("llmgateway-journal-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_last_line_of_every_request_that_has_not_ended_is_found()
    {
        var journal = new CrashJournal(_folder);
        var (first, second, ended) = (journal.Take()!, journal.Take()!, journal.Take()!);
        foreach (var line in (string[])["one", "two, longer", "three"])
            first.Put(Bytes(line));
        second.Put(Bytes("other"));
        ended.Put(Bytes("ended"));
        ended.Free();

        Assert.Equal(["other", "three"], Left());
    }

    [Fact]
    public void A_line_that_is_too_long_leaves_the_one_before()
    {
        var slot = new CrashJournal(_folder).Take()!;
        slot.Put(Bytes("short"));
        slot.Put(new byte[5000]);

        Assert.Equal(["short"], Left());
    }

    [Fact]
    public void A_slot_that_is_used_again_shows_nothing_of_its_last_request()
    {
        var journal = new CrashJournal(_folder);
        var slot = journal.Take()!;
        slot.Put(Bytes("last"));
        slot.Free();

        Assert.Same(slot, journal.Take());
        Assert.Empty(Left());
    }

    /// <summary>
    /// A request that gets no slot is refused, and what it holds goes back. In this folder the kernel makes files for nobody.
    /// </summary>
    [Fact]
    public void A_folder_that_takes_no_files_has_no_slot()
    {
        const string Folder = "/dev/pts";
        Assert.Throws<UnauthorizedAccessException>(() => File.Create($"{Folder}/{Guid.NewGuid():N}"));

        Assert.Null(new CrashJournal(Folder).Take());
    }

    [Fact]
    public void More_requests_than_a_file_has_room_for_take_another_file()
    {
        var journal = new CrashJournal(_folder);
        var lines = Enumerable.Range(0, 1200).Select(i => $"{i:D4}").ToArray();
        foreach (var line in lines)
            journal.Take()!.Put(Bytes(line));

        Assert.Equal(lines, Left());
    }

    [Fact]
    public void A_file_that_an_earlier_version_left_is_found_and_deleted_with_the_others()
    {
        new CrashJournal(_folder).Take()!.Put(Bytes("old"));
        var file = Assert.Single(Directory.GetFiles(_folder));
        Assert.Equal(".journal", Path.GetExtension(file));
        File.Move(file, Path.ChangeExtension(file, ".inflight"));
        new CrashJournal(_folder).Take()!.Put(Bytes("new"));

        Assert.Equal(["new", "old"], Left());
        new CrashJournal(_folder).ForgetLeft();
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public void Without_a_disk_there_is_no_slot_for_a_request()
    {
        var journal = new CrashJournal(_folder);
        Directory.Delete(_folder);

        Assert.Null(journal.Take());
        Directory.CreateDirectory(_folder);
    }

    [Fact]
    public void After_an_orderly_stop_no_file_remains_unless_a_request_was_left()
    {
        var journal = new CrashJournal(_folder);
        journal.Take()!.Free();
        journal.Dispose();
        Assert.Empty(Directory.GetFiles(_folder));

        var broken = new CrashJournal(_folder);
        broken.Take()!.Put(Bytes("left"));
        broken.Dispose();
        Assert.Equal(["left"], Left());

        new CrashJournal(_folder).ForgetLeft();
        Assert.Empty(Left());
    }

    IEnumerable<string> Left() => new CrashJournal(_folder).Left.Select(Encoding.UTF8.GetString).Order(StringComparer.Ordinal);

    static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
