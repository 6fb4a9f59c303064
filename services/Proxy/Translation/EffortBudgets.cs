namespace LlmGateway.Proxy.Translation;

/// <summary>
/// Thinking levels as tokens and back, for wires that have only one of the two. Each level has its budget; a budget between two levels
/// becomes the higher one.
/// </summary>
public static class EffortBudgets
{
    const int Low = 1024, Medium = 8192, High = 24_576;

    /// <summary>Tokens; 0 for none, -1 for no limit, null for an unknown level.</summary>
    public static int? BudgetOf(Effort effort) => effort.BudgetTokens ?? effort.Level switch
    {
        "none" or "minimal" => 0,
        "low" => Low,
        "medium" => Medium,
        "high" => High,
        _ => null,
    };

    /// <summary>One of the levels of <see cref="Effort.Level"/>; null for no limit, which is the default of OpenAI's models.</summary>
    public static string LevelOf(Effort effort) => effort.Level ?? effort.BudgetTokens switch
    {
        0 => "none",
        null or < 0 => "medium",
        <= Low => "low",
        <= Medium => "medium",
        _ => "high",
    };
}
