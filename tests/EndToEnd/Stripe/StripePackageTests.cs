namespace LlmGateway.EndToEnd;

/// <summary>Stripe's npm package, unchanged, against the sandbox; <c>clients/stripe/scenarios/</c> says what it does there.</summary>
public sealed class StripePackageTests
{
    [Fact]
    public async Task The_npm_package_goes_through_all_scenarios_and_its_types_describe_every_answer()
    {
        var result = await Node.RunAsync("stripe/run.mjs", Stack.Stripe.ToString());

        Assert.Empty(result.Items("failed").Select(failure => $"{failure.Text("name")}: {failure.Text("error")}"));
        Assert.Empty(result.Items("wrong").Select(answer => answer.GetString()));
        Assert.True(result.Int("count") >= 100, $"{result.Int("count")} scenarios");
        Assert.True(result.Items("kinds").Count() >= 30, string.Join(", ", result.Items("kinds")));
    }
}
