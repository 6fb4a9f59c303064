namespace LlmGateway.EndToEnd;

/// <summary>A metering expression that is tried before a route has it.</summary>
public sealed class DryRunEndpointTests
{
    const string Path = "/v1/expressions/dry-run";

    const string Request = """
        {"meter":"len(respBody.days)","price":"0.001","maxUnits":31,"response":{"body":"{\"days\":[1,2,3]}"}}
        """;

    static readonly Backend App = Backend.Routed;

    [Fact]
    public async Task A_dry_run_says_what_a_recorded_answer_would_cost()
    {
        var result = (await App.PostAsync(Path, Request)).MustBe(200).Json;

        Assert.Equal(("3", 3, "requests"), (result.Text("value"), result.Int("units"), result.Text("unit")));
        Assert.Equal(("0.001", "0.003", 31), (result.Text("price"), result.Text("cost"), result.Int("held")));
        (await App.PostAsync(Path, Request.Replace("len(", "ln("))).MustBeProblem(400, "invalid_value", "meter");
    }

    /// <summary>Nothing of it reaches a customer, but what is tried may be what others sell.</summary>
    [Fact]
    public async Task Only_who_may_change_routes_may_try_one()
    {
        var narrow = (await App.PostAsync("/v1/secret-keys", """{"name":"narrow","permissions":["routes:read"]}""")).MustBe(201).Json;
        var user = await App.NewUserAsync(null);

        (await Gateway.SendAsync("POST", Path, narrow.Text("key"), Request)).MustBeProblem(403, "insufficient_permission");
        (await Gateway.SendAsync("POST", Path, user.Token, Request)).MustBeProblem(401, "wrong_credential_kind");
        (await Gateway.SendAsync("POST", Path, json: Request)).MustBeProblem(401, "missing_api_key");
        (await App.DeleteAsync($"/v1/secret-keys/{narrow.Text("id")}")).MustBe(204);
    }
}
