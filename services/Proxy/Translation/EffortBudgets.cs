namespace LlmGateway.Proxy.Translation;

/// <summary>Levels of thinking as tokens and back, for wires that have only one of the two. A level and its budget mean each other; a budget between two takes the higher level.</summary>
public static class EffortBudgets
{
    const int Low = 1024, Medium = 8192, High = 24_576;

    /// <summary>Tokens; 0 for none, -1 for as much as the model likes, null for a level that the table does not know.</summary>
    public static int? BudgetOf(Effort effort) => effort.BudgetTokens ?? effort.Level switch
    {
        "none" or "minimal" => 0,
        "low" => Low,
        "medium" => Medium,
        "high" => High,
        _ => null,
    };

    /// <summary>One of the levels of <see cref="Effort.Level"/>; what the model likes is what OpenAI's models do when they are not told.</summary>
    public static string LevelOf(Effort effort) => effort.Level ?? effort.BudgetTokens switch
    {
        0 => "none",
        null or < 0 => "medium",
        <= Low => "low",
        <= Medium => "medium",
        _ => "high",
    };
}
