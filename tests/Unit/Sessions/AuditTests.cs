using System.Text.Json;
using LlmGateway.Sessions;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>What the audit has of a change, and that no table or column was forgotten. Nothing is connected to.</summary>
public sealed class AuditTests : IDisposable
{
    readonly SessionsDb _db = new(new DbContextOptionsBuilder<SessionsDb>().UseNpgsql("Host=nobody").Options)
    {
        Author = new("skey_1", "req_1", DateTimeOffset.UnixEpoch),
    };

    public void Dispose() => _db.Dispose();

    [Fact]
    public void Every_table_is_audited_or_says_why_not() => Assert.Equal(
        _db.Model.GetEntityTypes().Select(type => type.ClrType.Name).Order(),
        AuditedTables.All.Keys.Concat(AuditedTables.Not.Keys).Select(type => type.Name).Order());

    [Fact]
    public void Every_column_of_an_audited_table_is_shown_or_hidden_or_left_out()
    {
        foreach (var (type, rule) in AuditedTables.All)
            Assert.Equal(
                (type.Name, string.Join(' ', _db.Model.FindEntityType(type)!.GetProperties().Select(column => column.Name).Order())),
                (type.Name, string.Join(' ', rule.Shown.Concat(rule.Hidden).Concat(rule.Left).Order())));
    }

    [Fact]
    public void An_entry_has_what_differs_in_the_form_in_which_callers_write_it()
    {
        var project = new Project
        {
            Id = Guid.NewGuid(), OrganizationId = Guid.NewGuid(), Name = "app", Test = false, Active = true, MarkupPpm = 0,
            PlatformFeePpm = 50_000, EndUserSessions = false, KeysInQuery = false, PublishableKey = "pk", CreatedAt = default,
        };
        _db.Attach(project);
        (project.MarkupPpm, project.LowBalanceNanos, project.TopUpLimits) = (125_000, 1_500_000_000, """{"perDay": 2}""");

        AuditTrail.Write(_db);

        var entry = Assert.Single(_db.ChangeTracker.Entries<AuditEntry>()).Entity;
        Assert.Equal(("project.changed", "skey_1", "req_1"), (entry.Action, entry.Actor, entry.RequestId));
        Assert.Equal(project.Id, entry.ProjectId);
        Assert.Equal("""{"markup":"0","lowBalance":null,"topUpLimits":null}""", entry.Before);
        Assert.Equal("""{"markup":"12.5","lowBalance":"1.5","topUpLimits":{"perDay":2}}""", entry.After);
    }

    [Fact]
    public void A_secret_is_hidden_and_that_it_is_another_one_is_said()
    {
        var key = new ProviderKey { ProjectId = Guid.NewGuid(), ProviderId = "openai", Position = 0, SealedSecret = "sealed", Weight = 1 };
        _db.Attach(key);
        key.SealedSecret = "sealed anew";

        AuditTrail.Write(_db);

        var entry = Assert.Single(_db.ChangeTracker.Entries<AuditEntry>()).Entity;
        Assert.Equal(("provider_key.changed", "providers/openai/keys/0"), (entry.Action, entry.Subject));
        Assert.Equal("""{"secret":"(hidden)"} {"secret":"(hidden)"}""", $"{entry.Before} {entry.After}");
        Assert.DoesNotContain("sealed", JsonSerializer.Serialize(entry), StringComparison.Ordinal);
    }

    [Fact]
    public void What_differs_in_nothing_that_is_audited_has_no_entry()
    {
        var key = new ProviderKey { ProjectId = Guid.NewGuid(), ProviderId = "openai", Position = 0, SealedSecret = "sealed", Weight = 1 };
        _db.Attach(key);
        key.Weight = 1;

        AuditTrail.Write(_db);

        Assert.Empty(_db.ChangeTracker.Entries<AuditEntry>());
    }

    /// <summary>Nothing of a token says what it is.</summary>
    [Fact]
    public void What_is_of_a_whole_organization_has_its_entry_in_the_project_that_it_was_changed_from()
    {
        var project = Guid.NewGuid();
        _db.Author = _db.Author! with { Project = project };
        var member = new Member
        {
            Id = Guid.NewGuid(), OrganizationId = Guid.NewGuid(), Role = "owner", Email = "ada@example.com", CreatedAt = default,
        };
        _db.Attach(member);
        (member.RemovedAt, member.Email) = (DateTimeOffset.UnixEpoch, null);
        _db.Add(new MemberToken
        {
            Id = Guid.NewGuid(), MemberId = member.Id, ProjectId = project, Test = false, Hash = [1, 2, 3], SealedFingerprint = "sealed",
            CreatedAt = default, ExpiresAt = default,
        });

        AuditTrail.Write(_db);

        var entries = _db.ChangeTracker.Entries<AuditEntry>().Select(entry => entry.Entity).ToList();
        Assert.Equal(["member.removed", "member_token.created"], entries.Select(entry => entry.Action).Order());
        Assert.All(entries, entry => Assert.Equal(project, entry.ProjectId));
        Assert.Contains("ada@example.com", entries.Single(entry => entry.Action == "member.removed").Before, StringComparison.Ordinal);
        Assert.DoesNotContain("sealed", JsonSerializer.Serialize(entries), StringComparison.Ordinal);
    }

    [Fact]
    public void A_save_that_is_tried_again_has_each_entry_once()
    {
        _db.Add(new ProviderKey { ProjectId = Guid.NewGuid(), ProviderId = "openai", Position = 0, SealedSecret = "sealed", Weight = 1 });

        AuditTrail.Write(_db);
        AuditTrail.Write(_db);

        Assert.Single(_db.ChangeTracker.Entries<AuditEntry>(), entry => entry.State == EntityState.Added);
    }

    [Theory]
    [InlineData("secret-key:0199aa0000007000800000000000abcd", "skey_0199aa0000007000800000000000abcd")]
    [InlineData("skey_0199aa0000007000800000000000abcd", "skey_0199aa0000007000800000000000abcd")]
    [InlineData("secret-key:x", "secret-key:x")]
    [InlineData("seed", "seed")]
    public void A_key_is_also_found_by_the_name_that_the_ledger_had_for_it(string named, string actor) =>
        Assert.Equal(actor, Author.Named(named));

    /// <summary>Contexts are used again.</summary>
    [Fact]
    public void A_call_of_nobody_is_not_written_under_the_name_of_the_caller_before()
    {
        using var services = new ServiceCollection().AddSingleton(_db).BuildServiceProvider();

        Author.Say(new DefaultHttpContext { RequestServices = services });

        Assert.Null(_db.Author);
    }

    [Fact]
    public void Nothing_is_changed_by_nobody()
    {
        _db.Author = null;
        _db.Add(new ProviderKey { ProjectId = Guid.NewGuid(), ProviderId = "openai", Position = 0, SealedSecret = "sealed", Weight = 1 });

        Assert.Throws<InvalidOperationException>(() => AuditTrail.Write(_db));
    }
}
