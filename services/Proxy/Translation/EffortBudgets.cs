namespace LlmGateway.Proxy.Translation;

/// <summary>The one table between levels of thinking and tokens of it, for wires that have only the other.</summary>
public static class EffortBudgets
{
    const int Low = 1024, Medium = 8192, High = 24_576;

    /// <summary>Tokens: 0 for none, null for as many as the model likes.</summary>
    public static int? BudgetOf(Effort effort) => effort switch
    {
        { BudgetTokens: < 0 } => null,
        { BudgetTokens: { } tokens } => tokens,
        { Level: "none" or "minimal" } => 0,
        { Level: "low" } => Low,
        { Level: "medium" } => Medium,
        _ => High,
    };

    /// <summary>The lowest level that has the budget; <c>medium</c> for as much as the model likes.</summary>
    public static string LevelOf(Effort effort) => effort switch
    {
        { Level: { } level } => level,
        { BudgetTokens: 0 } => "none",
        { BudgetTokens: < 0 } => "medium",
        { BudgetTokens: <= Low } => "low",
        { BudgetTokens: <= Medium } => "medium",
        _ => "high",
    };
}
