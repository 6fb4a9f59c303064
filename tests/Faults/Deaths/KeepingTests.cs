using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Faults;

/// <summary>A proxy that dies when an answer of <c>/v1/responses</c> is settled and not yet kept.</summary>
public sealed class KeepingTests : IAsyncLifetime
{
    const string Name = "proxy2", Path = "/v1/responses";

    public async ValueTask InitializeAsync() => await Processes.HealthyAsync();

    public async ValueTask DisposeAsync() => await Books.MustBeRightAsync();

    [Fact]
    public async Task Its_answer_is_kept_as_a_whole_or_not_and_its_end_was_not_told()
    {
        var (user, process) = (await Load.Backend.NewUserAsync(), Stack.ProcessId(Name)!.Value);
        await Processes.RestartAsync(Name, Failpoint.Variable, "proxy.stream.settled:1:kill");
        await Processes.BackAsync(Name, process);
        process = Stack.ProcessId(Name)!.Value;

        var told = await ReadAsync(user, """{"model":"small","input":"one two three","stream":true}""");

        Assert.DoesNotContain("response.completed", told, StringComparison.Ordinal);
        var id = JsonSerializer.Deserialize<JsonElement>(told.Split('\n')[1]["data: ".Length..]).GetProperty("response").Text("id");
        (await Gateway.SendAsync("GET", $"{Path}/{id}", user.Token)).MustBe(404);
        Assert.Equal(0, await Books.KeptResponsesAsync(user));
        await Processes.BackAsync(Name, process);
        Assert.Equal(Price.OfQuestion + Price.OfAnswer, (await Books.OnlyUsageAsync(user)).Charged);
    }

    /// <summary>What of a stream arrived before its connection broke.</summary>
    static async Task<string> ReadAsync(User user, string body)
    {
        using var response = await Gateway.OpenAsync(Gateway.Request("POST", Path, user.Token, body, Stack.Url(Name)));
        var told = new StringWriter();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        try
        {
            while (await reader.ReadLineAsync() is { } line)
                await told.WriteLineAsync(line);
        }
        catch (IOException)
        {
            // The proxy is dead.
        }
        return told.ToString();
    }
}
