using System.Diagnostics;
using LlmGateway.UnitTests.Docs;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

public sealed class SettingsTests
{
    const string Servers = "ConnectionStrings:rabbitmq, ConnectionStrings:redis", Keys = "Gateway:InternalKey, Gateway:MasterKey";

    static readonly string Folder = AppContext.BaseDirectory;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Proxy", $"{Servers}, {Keys}, Proxy:Spool, services:sessions:http:0, services:wallet:http:0")]
    [InlineData("Sessions", $"{Servers}, ConnectionStrings:sessions, {Keys}, Gateway:Pepper, services:wallet:http:0")]
    [InlineData("Wallet", $"{Servers}, ConnectionStrings:wallet, {Keys}")]
    public async Task A_service_without_settings_names_them_all_in_one_line_and_ends(string service, string missing)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, [Path.Combine(Folder, $"LlmGateway.{service}.dll")])
        {
            WorkingDirectory = Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(Token), process.StandardError.ReadToEndAsync(Token));
        await process.WaitForExitAsync(Token).WaitAsync(TimeSpan.FromMinutes(1), Token);

        Assert.Equal($"LlmGateway.{service}: configuration is missing {missing}\n", await error);
        Assert.Empty(await output);
        Assert.Equal(1, process.ExitCode);
        var readme = await File.ReadAllTextAsync(Path.Combine(ArchitectureTests.Repository, "services", service, "README.md"), Token);
        Assert.All(missing.Split(", "), key => Assert.Contains($"`{key}`", readme, StringComparison.Ordinal));
    }
}
