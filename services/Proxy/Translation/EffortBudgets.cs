using System.Text.Json;

namespace LlmGateway.Proxy.Translation;

/// <summary>
/// Thinking levels as tokens and back, for wires that have only one of the two. Each level has its budget; a budget between two levels
/// becomes the higher one.
/// </summary>
public static class EffortBudgets
{
    const int Low = 1024, Medium = 8192, High = 24_576, Most = 65_536;

    /// <summary>All levels of all wires, from the least to the most.</summary>
    public static readonly string[] Levels = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

    /// <summary>Null, and named as left out, for a level that nobody here knows.</summary>
    public static Effort? Read(JsonElement level, string path, bool shown, LeftOut left)
    {
        if (Levels.Contains(level.Text(path)))
            return new(level.GetString(), null, shown, path);
        left.Add(path);
        return null;
    }

    /// <summary>Tokens; 0 for none, -1 for no limit, null for an unknown level.</summary>
    public static int? BudgetOf(Effort effort) => effort.BudgetTokens ?? effort.Level switch
    {
        "none" or "minimal" => 0,
        "low" => Low,
        "medium" => Medium,
        "high" => High,
        "xhigh" or "max" => Most,
        _ => null,
    };

    /// <summary>The level, or the next lower one that the model has, or its lowest.</summary>
    /// <param name="has">The model's levels, from the least to the most.</param>
    public static string Held(string level, params ReadOnlySpan<string> has)
    {
        var held = has[0];
        foreach (var known in has)
            if (Array.IndexOf(Levels, known) <= Array.IndexOf(Levels, level))
                held = known;
        return held;
    }

    /// <summary>One of <see cref="Levels"/>; "medium", the default of OpenAI's models, for no limit.</summary>
    public static string LevelOf(Effort effort) => effort.Level ?? effort.BudgetTokens switch
    {
        0 => "none",
        null or < 0 => "medium",
        <= Low => "low",
        <= Medium => "medium",
        _ => "high",
    };
}
