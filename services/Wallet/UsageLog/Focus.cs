using System.Globalization;
using LlmGateway.Contracts;

namespace LlmGateway.Wallet;

/// <summary>
/// Lines of the usage log as charges of FOCUS 1.2, the FinOps Open Cost and Usage Specification: every column that it demands of all, those
/// that it demands of who has what they tell, and ours, which begin with <c>x_</c>.
/// </summary>
public static class Focus
{
    /// <summary>What the lines are bought from, whoever answers them.</summary>
    const string Seller = "LLM Gateway";

    /// <summary>Units of the specification's own list: counts in the plural.</summary>
    const string Requests = "Requests", Tokens = "Tokens";

    static readonly (string Name, Func<Guid, UsageLine, string?> Cell)[] All =
    [
        // What money paid. Plans and call credits are bought for themselves.
        ("BilledCost", (_, line) => line.Charged.ToString()),
        ("BillingAccountId", (project, _) => Ids.Show(Ids.Project, project)),
        ("BillingAccountName", (_, _) => null),
        ("BillingCurrency", (_, _) => "USD"),
        ("BillingPeriodEnd", (_, line) => Time(MonthOf(line.At).AddMonths(1))),
        ("BillingPeriodStart", (_, line) => Time(MonthOf(line.At))),
        ("ChargeCategory", (_, line) => line.Type != LineType.Correction || IsOfAnotherMonth(line) ? "Usage" : "Adjustment"),
        ("ChargeClass", (_, line) => IsOfAnotherMonth(line) ? "Correction" : null),
        ("ChargeDescription", (_, line) => line.Type == LineType.Correction
            ? $"{line.Model} at {line.Endpoint}: another price of {line.Request}"
            : $"{line.Model} at {line.Endpoint}"),
        ("ChargeFrequency", (_, _) => "Usage-Based"),
        ("ChargePeriodEnd", (_, line) => Time(QuarterOf(line) + RollupTimes.Quarter)),
        ("ChargePeriodStart", (_, line) => Time(QuarterOf(line))),
        ("ConsumedQuantity", (_, line) => line.Type == LineType.Correction ? null
            : TokensOf(line) > 0 ? Text(TokensOf(line)) : "1"),
        ("ConsumedUnit", (_, line) => line.Type == LineType.Correction ? null
            : TokensOf(line) > 0 ? Tokens : Requests),
        ("ContractedCost", (_, line) => line.Cost.ToString()),
        ("EffectiveCost", (_, line) => line.Charged.ToString()),
        ("InvoiceIssuerName", (_, _) => Seller),
        ("ListCost", (_, line) => line.Cost.ToString()),
        ("PricingCategory", (_, line) => line.Type == LineType.Correction ? null : "Standard"),
        ("PricingQuantity", (_, line) => line.Type == LineType.Correction ? null : "1"),
        ("PricingUnit", (_, line) => line.Type == LineType.Correction ? null : Requests),
        ("ProviderName", (_, _) => Seller),
        ("PublisherName", (_, line) => line.Provider),
        ("ServiceCategory", (_, _) => "AI and Machine Learning"),
        ("ServiceName", (_, _) => "Model calls"),
        ("ServiceSubcategory", (_, _) => "Generative AI"),
        ("SkuId", (_, line) => line.Model),
        ("SkuPriceId", (_, line) => line.PriceVersion?.ToString() ?? line.Model),
        ("SubAccountId", (_, line) => line.Customer),
        ("SubAccountName", (_, _) => null),
        ("x_AbsorbedCost", (_, line) => line.Absorbed.ToString()),
        ("x_CoveredCost", (_, line) => line.Covered.ToString()),
        ("x_Endpoint", (_, line) => line.Endpoint),
        ("x_InputTokens", (_, line) => Text(line.InputTokens)),
        ("x_Key", (_, line) => line.Key),
        ("x_LineId", (_, line) => line.Id),
        ("x_Outcome", (_, line) => UsageLine.Name(line.Outcome)),
        ("x_OutputTokens", (_, line) => Text(line.OutputTokens)),
        ("x_RequestId", (_, line) => line.Request),
        ("x_StartedAt", (_, line) => Time(line.StartedAt)),
        ("x_Type", (_, line) => UsageLine.Name(line.Type)),
    ];

    public static readonly string[] Columns = [.. All.Select(column => column.Name)];

    public static string?[] Cells(Guid project, UsageLine line) => [.. All.Select(column => column.Cell(project, line))];

    /// <summary>A month of UTC is a period of billing. What is corrected within it is an adjustment and no correction.</summary>
    static bool IsOfAnotherMonth(UsageLine line) => line.Type == LineType.Correction && MonthOf(line.StartedAt) < MonthOf(line.At);

    static long TokensOf(UsageLine line) => line.InputTokens + line.OutputTokens;

    static DateTimeOffset MonthOf(DateTimeOffset time) => new(time.UtcDateTime.Year, time.UtcDateTime.Month, 1, 0, 0, 0, TimeSpan.Zero);

    static DateTimeOffset QuarterOf(UsageLine line) => RollupTimes.Floor(line.At, RollupTimes.Quarter);

    static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
