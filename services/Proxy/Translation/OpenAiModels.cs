using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmGateway.Proxy.Translation;

/// <summary>What OpenAI publishes about its models, by their names, for both of its wires. Nothing is known of other names.</summary>
static partial class OpenAiModels
{
    /// <summary>
    /// Models that think refuse every setting of sampling but the default. GPT-5.1 and later take them when they do not think.
    /// </summary>
    public static bool TakesSampling(string model, Effort? effort)
    {
        var version = VersionOf(model);
        if (OSeries().IsMatch(model))
            return false;
        return version is not { } known || model.Contains("-chat", StringComparison.Ordinal)
            || (known.CompareTo((5, 1)) >= 0 && (effort is null || EffortBudgets.LevelOf(effort) == "none"));
    }

    /// <summary>Writes settings of sampling, each with its default, for a model that takes them.</summary>
    public static void WriteSampling(
        Utf8JsonWriter json,
        Conversation said,
        string model,
        params ReadOnlySpan<(string Name, Given<decimal>? Number, int Plain)> settings)
    {
        var takes = TakesSampling(model, said.Effort);
        foreach (var (name, number, plain) in settings)
            if (!takes)
                said.LeftOut.Add(number, plain);
            else if (number is { } given)
                json.WriteNumber(name, given.Value);
    }

    /// <summary>Level and model: <c>xhigh</c> came with GPT-5.2 and the last Codex models before it.</summary>
    public static string LevelOf(string model, Effort effort)
    {
        var level = EffortBudgets.LevelOf(effort);
        if (level == "none")
            return level;
        return VersionOf(model)?.CompareTo((5, 2)) >= 0 || model.Contains("codex-max", StringComparison.Ordinal)
            ? EffortBudgets.Held(level, "minimal", "low", "medium", "high", "xhigh")
            : EffortBudgets.Held(level, "minimal", "low", "medium", "high");
    }

    static (int, int)? VersionOf(string model) => ModelVersion.Of(Gpt().Match(model));

    // gpt-5, gpt-5-mini, openai/gpt-5.2-codex; not gpt-4o, nor gpt-oss.
    [GeneratedRegex(@"\bgpt-([5-9]|\d\d)(?:\.(\d+))?(?![\d.])")]
    private static partial Regex Gpt();

    [GeneratedRegex(@"\bo[1-9](?:-|$)")]
    private static partial Regex OSeries();
}
