using LlmGateway.Contracts;
using LlmGateway.Wallet;
using Xunit;

namespace LlmGateway.UnitTests.Wallet;

/// <summary>Lines of the usage log as charges, by the rules of FOCUS 1.2.</summary>
public sealed class FocusTests
{
    static readonly Guid Project = Guid.NewGuid();

    /// <summary>Of the feature level "Mandatory".</summary>
    static readonly string[] Mandatory =
    [
        "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
        "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost",
        "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory",
        "ServiceName",
    ];

    /// <summary>They may be null.</summary>
    static readonly string[] Nullable = ["BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit"];

    [Fact]
    public void Every_column_that_all_must_have_is_there_and_ours_come_after_those_of_the_specification()
    {
        Assert.Equal([], Mandatory.Except(Focus.Columns));
        Assert.Equal(Focus.Columns.Length, Focus.Columns.Distinct().Count());
        var theirs = Focus.Columns.TakeWhile(column => !column.StartsWith("x_", StringComparison.Ordinal)).ToList();
        Assert.All(Focus.Columns[theirs.Count..], column => Assert.Matches("^x_[A-Z][A-Za-z]+$", column));
        Assert.Equal(theirs.Order(StringComparer.Ordinal), theirs);
    }

    [Fact]
    public void A_request_is_a_charge_of_the_quarter_of_an_hour_and_the_month_in_which_it_counts()
    {
        var charge = Charge(UsageLines.Request() with { Charged = new(40_000), Absorbed = new(3_000) });

        Assert.Equal(
            ("2026-11-28T05:45:00Z", "2026-11-28T06:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            (charge["ChargePeriodStart"], charge["ChargePeriodEnd"], charge["BillingPeriodStart"], charge["BillingPeriodEnd"]));
        Assert.Equal(("Usage", null), (charge["ChargeCategory"], charge["ChargeClass"]));
        Assert.Equal(
            ("0.00004", "0.00004", "0.000043", "0.000043"),
            (charge["BilledCost"], charge["EffectiveCost"], charge["ListCost"], charge["ContractedCost"]));
        Assert.Equal(("0.000003", "0"), (charge["x_AbsorbedCost"], charge["x_CoveredCost"]));
        Assert.Equal(
            ("23", "Tokens", "1", "Requests"),
            (charge["ConsumedQuantity"], charge["ConsumedUnit"], charge["PricingQuantity"], charge["PricingUnit"]));
        Assert.Equal(("small", "openai", "cus_1"), (charge["SkuId"], charge["PublisherName"], charge["SubAccountId"]));
        Assert.Equal(("small", Ids.Show(Ids.Project, Project)), (charge["SkuPriceId"], charge["BillingAccountId"]));
    }

    [Fact]
    public void A_request_without_tokens_is_consumed_as_one()
    {
        var charge = Charge(UsageLines.Request() with { InputTokens = 0, OutputTokens = 0, Outcome = RequestOutcome.Failed });

        Assert.Equal(("1", "Requests"), (charge["ConsumedQuantity"], charge["ConsumedUnit"]));
    }

    [Theory]
    [InlineData(-3, "Adjustment", null)]
    [InlineData(-28, "Usage", "Correction")]
    public void A_correction_is_one_where_its_request_was_of_an_earlier_month(int days, string category, string? @class)
    {
        var charge = Charge(UsageLines.Correction(UsageLines.At.AddDays(days)));

        Assert.Equal((category, @class), (charge["ChargeCategory"], charge["ChargeClass"]));
        Assert.Equal("-0.000042999", charge["BilledCost"]);
        foreach (var column in (string[])["PricingQuantity", "PricingUnit", "ConsumedQuantity", "ConsumedUnit"])
            Assert.Null(charge[column]);
    }

    [Fact]
    public void What_must_be_told_is_told_of_every_line()
    {
        UsageLine[] lines =
        [
            UsageLines.Request() with { Customer = null, Reason = "why" }, UsageLines.Request() with { Type = LineType.Attempt },
            UsageLines.Correction(UsageLines.At), UsageLines.Correction(UsageLines.At.AddDays(-40)),
        ];
        foreach (var charge in lines.Select(Charge))
            Assert.All(Mandatory.Except(Nullable), column => Assert.False(string.IsNullOrEmpty(charge[column]), column));
    }

    static Dictionary<string, string?> Charge(UsageLine line) =>
        Focus.Columns.Zip(Focus.Cells(Project, line)).ToDictionary(cell => cell.First, cell => cell.Second);
}
