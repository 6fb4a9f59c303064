using LlmGateway.UnitTests.Docs;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>What an accountant reads of posts is what the ledger does.</summary>
public sealed class PostingRulesTests
{
    [Fact]
    public void The_table_of_the_document_is_that_of_the_ledger()
    {
        var text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "docs/money.md"));

        Assert.Equal(Enum.GetValues<PostType>().Order(), PostingRules.All.Keys.Order());
        Assert.All(PostingRules.All, rule => Assert.Contains($"\n| {rule.Key} | {Legs(rule.Value)} | `{Entry(rule.Value)}` | ", text));
        Assert.All(
            PostingRules.All.Where(rule => rule.Value.Reference is not null),
            rule => Assert.Contains($"`{Entry(rule.Value)}` | the {rule.Value.Reference} |\n", text));
    }

    static string Legs(PostingRule rule) => string.Join("; ", rule.Legs.Select(leg =>
        $"{Name(leg.From)} → {Name(leg.To)}{Limit(leg.AtMost)}{(leg.Else is { } other ? $", else {Name(other)}" : "")}"));

    static string Limit(AtMost limit) => limit switch
    {
        AtMost.WhatFromHas => ", at most what it has free",
        AtMost.WhatToOwes => ", at most what it owes",
        AtMost.BelowZero => ", even below zero",
        _ => "",
    };

    static string Name(Party party) => party.ToString().ToLowerInvariant();

    static string Entry(PostingRule rule) => rule.Type.ToString().ToLowerInvariant();
}
