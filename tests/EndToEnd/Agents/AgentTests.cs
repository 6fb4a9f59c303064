using System.Text.RegularExpressions;

namespace LlmGateway.EndToEnd;

/// <summary>
/// Agents as their users start them: each by its line of the README's table, with a model whose provider speaks its own wire and with one
/// that speaks another. It is asked, reads a file, edits it, answers, and is asked again; the bill is what the provider counted.
/// </summary>
public sealed partial class AgentTests
{
    static readonly Dictionary<string, Agent> Agents = new()
    {
        ["Claude Code"] = new(
            "--permission-mode acceptEdits -p \"$PROMPT\"",
            "--continue -p \"$PROMPT\"",
            file => $$"""Read {"file_path":"{{file}}"}""",
            file => $$"""Edit {"file_path":"{{file}}","old_string":"beta","new_string":"gamma"}"""),
        ["Codex"] = new(
            "exec --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox \"$PROMPT\"",
            "exec --skip-git-repo-check resume --last \"$PROMPT\"",
            file => $$"""exec_command {"cmd":"cat {{file}}"}""",
            _ => """apply_patch {"input":"*** Begin Patch\n*** Update File: notes.txt\n@@\n alpha\n-beta\n+gamma\n*** End Patch"}"""),
        ["Gemini CLI"] = new(
            "--skip-trust --approval-mode auto_edit -p \"$PROMPT\"",
            "--skip-trust --resume latest -p \"$PROMPT\"",
            file => $$"""read_file {"file_path":"{{file}}"}""",
            file => $$"""replace {"file_path":"{{file}}","old_string":"beta","new_string":"gamma","instruction":"change it"}"""),
        ["opencode"] = new(
            "run <<< \"$PROMPT\"",
            "run --continue <<< \"$PROMPT\"",
            file => $$"""read {"filePath":"{{file}}"}""",
            file => $$"""edit {"filePath":"{{file}}","oldString":"beta","newString":"gamma"}"""),
        ["npm `@openai/agents`"] = new(
            "",
            "",
            file => $$"""read_file {"path":"{{file}}"}""",
            file => $$"""edit_file {"path":"{{file}}","from":"beta","to":"gamma"}"""),
    };

    /// <summary>Codex has other tools for models that it does not know, and then edits by its shell.</summary>
    static readonly Agent CodexOfOtherModels = Agents["Codex"] with
    {
        Edit = file => $$"""exec_command {"cmd":"sed -i s/beta/gamma/ {{file}}"}""",
    };

    public static TheoryData<string, string> Rows => new()
    {
        { "Claude Code", "messages-agent" },
        { "Claude Code", "chat-agent" },
        { "Claude Code", "gemini-agent" },
        { "Codex", "gpt-5.5" },
        { "Codex", "gpt-5.6-sol" },
        { "Codex", "responses-agent" },
        { "Codex", "chat-agent" },
        { "Gemini CLI", "gemini-agent" },
        { "Gemini CLI", "chat-agent" },
        { "opencode", "chat-agent" },
        { "opencode", "messages-agent" },
        { "npm `@openai/agents`", "responses-agent" },
        { "npm `@openai/agents`", "messages-agent" },
    };

    [Fact]
    public void Each_agent_of_the_README_is_tried_and_each_that_is_tried_stands_there() =>
        Assert.Equal(Readme.Agents.Keys.Order(StringComparer.Ordinal), Agents.Keys.Order(StringComparer.Ordinal));

    [Theory, MemberData(nameof(Rows))]
    public async Task An_agent_reads_edits_and_goes_on_and_pays_what_the_provider_counted(string name, string model)
    {
        var agent = name == "Codex" && model.EndsWith("-agent", StringComparison.Ordinal) ? CodexOfOtherModels : Agents[name];
        var user = await Backend.Wires.NewUserAsync("10");
        var (_, key) = await Backend.Wires.NewKeyAsync(user.CustomerId);
        var tag = Sandbox.NewTag();
        using var place = new Workplace();
        var line = Configured(Readme.Agents[name], place, key, model);

        var first = await place.RunAsync(
            $"{line} {agent.First}",
            $"[[tag:{tag}]] please [[tool:{agent.Read(place.Notes)}]] [[then]] [[tool:{agent.Edit(place.Notes)}]] [[then]] thanks");
        var next = await place.RunAsync($"{line} {agent.Next}", "[[say:that was the second turn]]");

        Assert.Equal("alpha\ngamma\n", await File.ReadAllTextAsync(place.Notes, TestContext.Current.CancellationToken));
        Assert.True(Sentence().IsMatch(first), first);
        Assert.Contains("that was the second turn", next, StringComparison.Ordinal);
        var calls = (await Sandbox.CallsAsync(tag)).Where(call => !call.Path.EndsWith("/count_tokens", StringComparison.Ordinal)).ToList();
        Assert.All(calls, call => Assert.Equal("completed", call.Outcome));
        Assert.InRange(calls.Count, 4, 8);
        var rows = await Books.UsageAsync(user, calls.Count);
        Assert.Equal(calls.Count, rows.Count);
        Assert.All(rows, row => Assert.False(row.Estimated));
        var owed = calls.Sum(call => (call.TokensIn * Price.Input) + (call.TokensOut * Price.Output));
        Assert.Equal(owed, rows.Sum(row => row.Charged));
        Assert.Equal(10_000_000_000 - owed, await user.BalanceAsync());
    }

    /// <summary>
    /// A row's line with this stack's address and model and a customer's key in place of its own. Text in front of a colon names a file of
    /// the home or of the folder; the line behind it is that file's, and what is run comes after.
    /// </summary>
    static string Configured(string row, Workplace place, string key, string model)
    {
        var codes = Code().Matches(row).Select(match => match.Groups["code"].Value
            .Replace("http://127.0.0.1:4001", Stack.Proxy.ToString().TrimEnd('/'), StringComparison.Ordinal)
            .Replace("YOUR_KEY", key, StringComparison.Ordinal)
            .Replace("gpt-4o-mini", model, StringComparison.Ordinal)).ToList();
        foreach (var (file, text) in codes.SkipLast(1).Chunk(2).Select(pair => (pair[0], pair[1])))
        {
            var home = file.StartsWith("~/", StringComparison.Ordinal);
            var path = home ? Path.Combine(place.Home, file[2..]) : Path.Combine(place.Folder, file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
        }
        return codes[^1].Replace("node agent.mjs", $"node \"$AGENTS/agent.mjs\" {model}", StringComparison.Ordinal);
    }

    [GeneratedRegex("`(?<code>[^`]+)`")]
    private static partial Regex Code();

    /// <summary>The sandbox's usual answer: twenty words.</summary>
    [GeneratedRegex("[a-z]+( [a-z]+){19}")]
    private static partial Regex Sentence();
}
