using System.Net.Http.Json;
using System.Text;
using Xunit;

namespace LlmGateway.UnitTests.Sandbox;

/// <summary>A fault for all models at once. It is one server's: other tests have others.</summary>
public sealed class CommonFaultTests(Provider provider) : IClassFixture<Provider>
{
    const string Behaviour = "/sandbox/behaviour";

    const string Batch =
        """{"requests":[{"custom_id":"a","params":{"model":"m","max_tokens":30,"messages":[{"role":"user","content":"hello"}]}}]}""";

    [Fact]
    public async Task Every_wire_has_it_until_it_is_taken_away()
    {
        await SetAsync("-error-503");

        foreach (var wire in Wire.All)
        {
            var refused = await SendAsync(wire, "m");
            Assert.Equal(503, refused.Status);
            Assert.NotEmpty(wire.ErrorOf(refused));
        }
        Assert.Equal(503, (await provider.PostAsync("/v1/embeddings", """{"model":"m","input":"hello"}""")).Status);
        Assert.Equal("-error-503", (await provider.GetAsync(Behaviour)).Json.Text("fault"));

        await SetAsync(null);

        Assert.All(await Task.WhenAll(Wire.All.Select(wire => SendAsync(wire, "m"))), answer => Assert.Equal(200, answer.Status));
        Assert.Equal("""{"fault":null,"effect":null}""", (await provider.GetAsync(Behaviour)).Text);
    }

    [Fact]
    public async Task It_is_added_to_those_of_the_name_and_wins()
    {
        await SetAsync("-nousage");
        var both = Wire.Named("chat").Read((await SendAsync(Wire.Named("chat"), "m-bigline")).Json);
        await SetAsync("-error-503");
        var stronger = await SendAsync(Wire.Named("chat"), "m-error-429");
        await SetAsync(null);

        Assert.Null(both.Usage);
        Assert.StartsWith(new string('x', 70_000), both.Text);
        Assert.Equal(503, stronger.Status);
    }

    [Fact]
    public async Task The_lines_of_a_batch_have_it()
    {
        await SetAsync("-nousage");
        var created = await provider.SendAsync(new(HttpMethod.Post, "/v1/messages/batches")
        {
            Headers = { { "x-api-key", "k" }, { "anthropic-version", "2023-06-01" } },
            Content = new StringContent(Batch, Encoding.UTF8, "application/json"),
        }, TestContext.Current.CancellationToken);
        await SetAsync(null);

        var path = $"/v1/messages/batches/{created.Json.Text("id")}/results";
        var results = await provider.GetAsync(path, ("x-api-key", "k"), ("anthropic-version", "2023-06-01"));
        Assert.Equal("succeeded", results.Json.GetProperty("result").Text("type"));
        Assert.DoesNotContain("\"usage\":{", results.Text);
    }

    [Fact]
    public async Task Who_asks_for_text_is_told_in_words()
    {
        const string said = "Every model has the fault '-error-503': 503: an overloaded provider. 'recover' takes it away.";

        Assert.Equal(said, await TellAsync("""{"fault":"-error-503"}"""));
        Assert.Equal("Every model behaves as its name says.", await TellAsync("""{"fault":null}"""));
    }

    [Theory]
    [InlineData("""{"fault":"-eror-503"}""")]
    [InlineData("""{"fault":""}""")]
    public async Task One_that_does_not_exist_is_refused_with_those_that_do_and_changes_nothing(string order)
    {
        await SetAsync("-smooth");

        var refused = await provider.PostAsync(Behaviour, order);

        Assert.Equal(400, refused.Status);
        var known = refused.Json.GetProperty("faults").EnumerateArray().Select(fault => fault.GetString()!).ToArray();
        var listed = (await provider.GetAsync("/sandbox/faults")).Json.EnumerateArray().Select(fault => fault.Text("suffix"));
        Assert.Equal(listed, known);
        Assert.Equal("-smooth", (await provider.GetAsync(Behaviour)).Json.Text("fault"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"falt":null}""")]
    public async Task What_says_no_fault_takes_none_away(string order)
    {
        await SetAsync("-smooth");

        Assert.Equal(400, (await provider.PostAsync(Behaviour, order)).Status);
        Assert.Equal("-smooth", (await provider.GetAsync(Behaviour)).Json.Text("fault"));
    }

    Task<Provider.Arrived> SendAsync(Wire wire, string model) => provider.SendAsync(wire.Request(new(model, "hello")));

    async Task<string> TellAsync(string order)
    {
        var told = await provider.SendAsync(new(HttpMethod.Post, Behaviour)
        {
            Headers = { { "Accept", "text/plain" } },
            Content = new StringContent(order, Encoding.UTF8, "application/json"),
        }, TestContext.Current.CancellationToken);
        Assert.Equal(200, told.Status);
        return told.Text;
    }

    async Task SetAsync(string? fault)
    {
        using var answer = await provider.Http.PostAsJsonAsync(Behaviour, new { fault }, TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)answer.StatusCode);
    }
}
