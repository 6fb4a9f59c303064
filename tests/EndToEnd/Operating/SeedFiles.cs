namespace LlmGateway.EndToEnd;

/// <summary>A seed file as an operator applies it: Sessions reads it at its next start.</summary>
static class SeedFiles
{
    /// <param name="members">Of the project <c>app</c>, beside its name.</param>
    public static async Task ApplyAsync(string members)
    {
        var path = Path.Combine(Path.GetTempPath(), $"llmgateway-{Guid.NewGuid():N}.seed.json");
        await File.WriteAllTextAsync(
            path,
            $$"""{"organizations":[{"name":"Acme","projects":[{"name":"app",{{members}}}]}]}""",
            TestContext.Current.CancellationToken);
        try
        {
            Stack.App.Once("sessions", "LLMGATEWAY_SEED", path);
            await Outage.KillAsync("sessions");
            await Outage.WaitUntilAllIsHealthyAsync();
        }
        finally
        {
            File.Delete(path);
        }
    }
}
