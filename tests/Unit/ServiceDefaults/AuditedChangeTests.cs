using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>What the audit is told of a change that another service than Sessions makes.</summary>
public sealed class AuditedChangeTests
{
    static readonly Guid Project = Guid.NewGuid(), Customer = Guid.NewGuid();

    sealed record Thing(string Name, Money? Amount, IReadOnlyList<string> Events);

    static readonly Thing First = new("one", Money.Usd(1), ["a", "b"]);

    [Fact]
    public void It_has_the_members_that_differ_as_callers_see_them()
    {
        var told = Told(new("thing.changed", "things/1", First, First with { Name = "two", Amount = null }) { Customer = Customer })!;

        Assert.Equal("""{"name":"one","amount":"1"} {"name":"two","amount":null}""", $"{told.Before} {told.After}");
        Assert.Equal(
            (Project, true, (Guid?)Customer, "skey_1", "thing.changed", "things/1", "req_1", DateTimeOffset.UnixEpoch),
            (told.Project, told.Test, told.Customer, told.Actor, told.Action, told.Subject, told.RequestId, told.At));
    }

    [Fact]
    public void Of_what_is_new_or_gone_it_has_what_there_is()
    {
        var made = Told(new("thing.created", "things/1", null, First with { Amount = null }))!;
        var gone = Told(new("thing.deleted", "things/1", First with { Amount = null }, null))!;

        const string there = """{"name":"one","events":["a","b"]}""";
        Assert.Equal($" to {there}", $"{made.Before} to {made.After}");
        Assert.Equal($"{there} to ", $"{gone.Before} to {gone.After}");
    }

    [Fact]
    public void What_differs_in_nothing_is_not_told()
    {
        Assert.Null(Told(new("thing.changed", "things/1", First, First with { Events = ["a", "b"] })));
        Assert.Null(Told(new("thing.deleted", "things/1", null, null)));
    }

    [Fact]
    public void That_a_secret_is_another_one_is_said_and_nothing_else_differs()
    {
        var told = Told(new("thing.rotated", "things/1", First, First) { OfSecret = true })!;

        Assert.Equal("""{"secret":"(hidden)"} {"secret":"(hidden)"}""", $"{told.Before} {told.After}");
    }

    /// <summary>Rules of each thing keep it small. Where one is missing, nothing is changed that the audit could not have.</summary>
    [Fact]
    public void What_is_too_large_is_an_exception_and_so_no_change() => Assert.Throws<InvalidOperationException>(
        () => Told(new("thing.created", "things/1", null, First with { Name = new('x', AuditedChange.MaxLength) })));

    /// <summary>So do the ledger and every other place that says who it was.</summary>
    [Theory]
    [InlineData(CredentialKind.SecretKey, Ids.SecretKey)]
    [InlineData(CredentialKind.CustomerKey, Ids.Key)]
    [InlineData(CredentialKind.Session, Ids.Session)]
    [InlineData(CredentialKind.Member, Ids.Member)]
    public void It_names_who_calls_by_the_id_that_lists_show(CredentialKind kind, string prefix)
    {
        var id = Guid.NewGuid();

        Assert.Equal(Ids.Show(prefix, id), new Principal(kind, id, false, Guid.Empty, Project, null, null).Actor());
    }

    /// <summary>Without a row in the table a change would be published into no queue, and be lost.</summary>
    [Fact]
    public void Changes_are_published_into_the_queue_of_the_audit() =>
        Assert.Equal([KnownQueues.Audit], KnownQueues.All[typeof(Changed)]);

    static Changed? Told(AuditedChange change) => change.By("skey_1", "req_1", Project, test: true, DateTimeOffset.UnixEpoch);
}
