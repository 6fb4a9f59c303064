using System.Text.Json;
using System.Text.RegularExpressions;
using LlmGateway.Proxy.Translation;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>
/// How much a model of this wire is to think and how its words are chosen: settings that Anthropic refuses beside each other. What the
/// answer needs wins over how it is found: a forced tool over thoughts, thoughts over the choice of words.
/// </summary>
sealed partial class AnthropicThinking
{
    const int PrefixOfWords = 95; // percent: the least 'top_p' beside thoughts

    readonly Conversation _said;

    // Claude 4.6 and later decide themselves how much to think and take only a level. Older models, and models of other vendors on this
    // wire, take a budget.
    readonly bool _takesLevel;
    readonly (int Major, int Minor) _version;

    // At most one of the two. A level without thoughts is said beside a forced tool.
    readonly long? _budget;
    readonly bool _isAdaptive, _isDisabled;

    public AnthropicThinking(Conversation said, string model, long outputLimit)
    {
        _said = said;
        _version = VersionOf(model);
        _takesLevel = _version.CompareTo((4, 6)) >= 0;
        if (said.Effort is not { } effort)
            return;
        var isNone = EffortBudgets.BudgetOf(effort) == 0;
        if (_takesLevel && !isNone && !(effort.BudgetTokens < 0))
            Level = LevelOf(effort);
        if (isNone)
            _isDisabled = _takesLevel;
        else if (!MayThink(said))
            said.LeftOut.Add(effort.Field);
        else if (_takesLevel)
            _isAdaptive = true;
        else
            _budget = BudgetOf(effort, outputLimit);
    }

    /// <summary><c>output_config.effort</c>; null for the default.</summary>
    public string? Level { get; }

    bool Thinks => _isAdaptive || _budget is not null;

    public void Write(Utf8JsonWriter json)
    {
        WriteSampling(json);
        if (!Thinks && !_isDisabled)
            return;
        json.WriteStartObject("thinking");
        json.WriteString("type", _isDisabled ? "disabled" : _isAdaptive ? "adaptive" : "enabled");
        if (_budget is { } budget)
            json.WriteNumber("budget_tokens", budget);
        json.WriteEndObject();
    }

    void WriteSampling(Utf8JsonWriter json)
    {
        // Claude 4.7 and later refuse every choice of words, 4.1 and later refuse two at once, and thoughts refuse most.
        var takesAny = _version.CompareTo((4, 7)) < 0;
        var temperature = _said.Temperature is { Value: > 1 } hot ? new(1, hot.Field) : _said.Temperature;
        if (temperature?.Value != _said.Temperature?.Value)
            _said.LeftOut.Add(temperature!.Value.Field);
        var writesTemperature = Take(temperature, takesAny && (!Thinks || temperature?.Value == 1));
        if (writesTemperature)
            json.WriteNumber("temperature", temperature!.Value.Value);
        var isFirst = !writesTemperature || _version.CompareTo((4, 1)) < 0;
        if (Take(_said.TopP, takesAny && isFirst && (!Thinks || _said.TopP?.Value * 100 >= PrefixOfWords)))
            json.WriteNumber("top_p", _said.TopP!.Value.Value);
        if (_said.TopK is { } topK && takesAny && !Thinks)
            json.WriteNumber("top_k", topK.Value);
        else if (_said.TopK is { } left)
            _said.LeftOut.Add(left.Field);
    }

    bool Take(Given<decimal>? number, bool takes)
    {
        // 1 is the default of both.
        if (number is { Value: not 1 } given && !takes)
            _said.LeftOut.Add(given.Field);
        return number is not null && takes;
    }

    /// <summary>Claude 4.7 has five levels, 4.6 lacks the last but one.</summary>
    string LevelOf(Effort effort) => _version.CompareTo((4, 7)) >= 0
        ? EffortBudgets.Held(EffortBudgets.LevelOf(effort), "low", "medium", "high", "xhigh", "max")
        : EffortBudgets.Held(EffortBudgets.LevelOf(effort), "low", "medium", "high", "max");

    /// <summary>
    /// Thoughts count toward the output limit. A budget that would leave no room for an answer is cut. Null for one below the wire's
    /// minimum.
    /// </summary>
    static long? BudgetOf(Effort effort, long outputLimit)
    {
        if (effort.BudgetTokens < 0)
            effort = effort with { BudgetTokens = null, Level = "high" };
        var budget = Math.Min(EffortBudgets.BudgetOf(effort) ?? long.MaxValue, outputLimit - 1);
        return budget < AnthropicRequest.MinThinking ? null : budget;
    }

    /// <summary>
    /// A forced tool and an answer that is begun leave no room for thoughts. While results of a tool call come in, the wire demands the
    /// thoughts that led to the call. Callers of other wires often cannot keep them, so the model then does not think.
    /// </summary>
    static bool MayThink(Conversation said)
    {
        if (said.ToolChoice is { Mode: ToolMode.Required or ToolMode.One } && said.Tools.Count > 0)
            return false;
        if (said.Turns is not [.., var last] || last.Speaker == Speaker.Assistant)
            return false;
        if (!last.Parts.Any(part => part is ToolResultPart))
            return true;
        var answer = said.Turns.Reverse()
            .SkipWhile(turn => turn.Speaker == Speaker.User)
            .TakeWhile(turn => turn.Speaker == Speaker.Assistant);
        return answer.Any(turn => turn.Parts.Any(part => part is ReasoningPart { Signature.Length: > 0 }));
    }

    /// <summary>0.0 for a name without a version, and for another vendor's.</summary>
    static (int Major, int Minor) VersionOf(string model) => ModelVersion.Of(ClaudeVersion().Match(model)) ?? default;

    // Names are like claude-opus-4-6, claude-3-7-sonnet-20250219 or anthropic/claude-sonnet-4.6. A number of more than two digits is a
    // date.
    [GeneratedRegex(@"claude(?:-[a-z]+)*-(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?")]
    private static partial Regex ClaudeVersion();
}
