using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>What Aspire writes down for a deployment, held against what runs here.</summary>
public sealed class ManifestTests
{
    static readonly string AppHost = Path.Combine(AppContext.BaseDirectory, "..", "..", "AppHost", "release", "LlmGateway.AppHost.dll");

    /// <summary>Who needs what: databases and servers by connection string, services by address, secrets by parameter.</summary>
    static readonly (string Service, string[] Connections, string[] Services, string[] Secrets)[] Topology =
    [
        ("wallet", ["wallet", "redis", "rabbitmq"], [], ["internal-key"]),
        ("sessions", ["sessions", "redis", "rabbitmq"], ["wallet"], ["internal-key", "master-key", "pepper"]),
        ("webhooks", ["webhooks", "rabbitmq"], ["billing", "wallet"], ["internal-key", "master-key"]),
        ("billing", ["billing", "rabbitmq"], ["sessions", "wallet"], ["internal-key", "stripe-secret-key", "stripe-webhook-secret"]),
        ("proxy", ["redis", "rabbitmq"], ["billing", "sessions", "wallet", "webhooks"], ["internal-key", "master-key"]),
        ("proxy2", ["redis", "rabbitmq"], ["billing", "sessions", "wallet", "webhooks"], ["internal-key", "master-key"]),
    ];

    [Fact]
    public async Task The_manifest_has_every_server_service_reference_and_secret_and_no_sandbox()
    {
        var folder = Directory.CreateTempSubdirectory("llmgateway-manifest-").FullName;
        try
        {
            var file = Path.Combine(folder, "manifest.json");
            var (code, output) = await Shell.RunAsync(
                "dotnet", AppHost, "--operation", "publish", "--publisher", "manifest", "--output-path", file, $"--data={folder}/none",
                "--Parameters:accepted-master-key-1=given");
            Assert.True(code == 0, output);
            Assert.False(Directory.Exists($"{folder}/none"), "a manifest touches nothing of this machine");
            var manifest = await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
            var resources = JsonSerializer.Deserialize<JsonElement>(manifest).GetProperty("resources");

            Assert.All(
                ["postgres", "redis", "rabbitmq"],
                name => Assert.StartsWith("container.", resources.GetProperty(name).Text("type")));
            Assert.All(
                ["walletdb", "sessionsdb", "webhooksdb", "billingdb"],
                name => Assert.Contains("{postgres.connectionString}", resources.GetProperty(name).Text("connectionString")));
            foreach (var (service, connections, services, secrets) in Topology)
            {
                var environment = resources.GetProperty(service).GetProperty("env");
                var names = environment.EnumerateObject().Select(variable => variable.Name).ToArray();
                var values = environment.EnumerateObject().Select(variable => variable.Value.GetString()).ToArray();
                Assert.Equal(connections.Order(), Named(names, "ConnectionStrings__"));
                Assert.Equal(services.Order(), Named(names, "services__").Select(name => name.Split("__")[0]).Distinct().Order());
                Assert.All(secrets, secret => Assert.Contains($"{{{secret}.value}}", values));
                Assert.Equal(secrets.Contains("master-key"), names.Contains("Gateway__AcceptedMasterKeys__0"));
                Assert.DoesNotContain("Gateway__AcceptedInternalKeys__0", names);
                Assert.DoesNotContain("Webhooks__PrivateHosts", names);
            }
            string[] inputs = ["internal-key", "master-key", "pepper", "postgres-password", "redis-password", "rabbitmq-password"];
            foreach (var secret in inputs)
            {
                var input = resources.GetProperty(secret).GetProperty("inputs").GetProperty("value");
                Assert.True(input.GetProperty("secret").GetBoolean());
                Assert.True(input.GetProperty("default").GetProperty("generate").GetProperty("minLength").GetInt32() >= 32);
            }
            Assert.False(resources.TryGetProperty("sandbox", out _));
            var projects = resources.EnumerateObject()
                .Where(resource => resource.Value.Text("type").StartsWith("project", StringComparison.Ordinal));
            Assert.Equal(Topology.Select(row => row.Service).Order(), projects.Select(project => project.Name).Order());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    static IEnumerable<string> Named(string[] names, string prefix) =>
        names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Select(name => name[prefix.Length..]).Order();
}
