using System.Runtime.Versioning;
using System.Text.Json;
using LlmGateway.AppHost;
using LlmGateway.Sessions;
using LlmGateway.UnitTests.Docs;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>Keys that nobody wrote into a seed file: where they are told, and how a user of the demo gets them.</summary>
[SupportedOSPlatform("linux")]
public sealed class MadeKeysTests : IDisposable
{
    static readonly MadeKey Backend = new("app/demo backend", "sk_live_1"), Customer = new("app/demo-user/demo client", "llm_gw_1");

    readonly string _folder = Directory.CreateTempSubdirectory("llmgateway-keys-").FullName;
    readonly StringWriter _console = new();

    string File => Path.Combine(_folder, "keys.json");

    [Fact]
    public void With_a_file_only_its_owner_reads_them_and_the_console_says_nothing()
    {
        new MadeKeys(File, _console).Tell([Backend]);
        new MadeKeys(File, _console).Tell([Customer, Backend with { Secret = "sk_live_2" }]);
        new MadeKeys(File, _console).Tell([]);

        var kept = JsonSerializer.Deserialize<Dictionary<string, string>>(System.IO.File.ReadAllText(File))!;
        Assert.Equal([(Backend.Path, "sk_live_2"), (Customer.Path, Customer.Secret)], kept.Select(key => (key.Key, key.Value)).Order());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, System.IO.File.GetUnixFileMode(File));
        Assert.Equal("", $"{_console}");
    }

    [Fact]
    public void Without_a_file_the_console_has_each_once()
    {
        new MadeKeys(null, _console).Tell([Backend]);

        Assert.Equal($"made the key app/demo backend, shown only now: sk_live_1{Environment.NewLine}", $"{_console}");
    }

    /// <summary>A key that stands in the repository is known to every web page.</summary>
    [Fact]
    public void The_demo_brings_no_key_and_may_be_called_from_pages_of_this_machine_alone()
    {
        var demo = SeedReader.ReadAll(Demo, _ => "http://127.0.0.1").Single().File.Organizations.Single().Projects!.Single();

        Assert.All(demo.SecretKeys!, key => Assert.Null(key.Key));
        Assert.All(demo.Customers!.SelectMany(customer => customer.Keys!), key => Assert.Null(key.Key));
        Assert.NotEmpty(demo.AllowedOrigins!);
        Assert.All(demo.AllowedOrigins!, origin => Assert.True(new Uri(origin).IsLoopback));
    }

    [Fact]
    public void A_user_is_shown_the_keys_that_were_made_for_the_demo()
    {
        new MadeKeys(File, _console).Tell([Backend, Customer]);

        var keys = SeededKeys.Read([Demo], File);

        Assert.Equal((Backend.Secret, Customer.Secret, "gpt-4o-mini"), (keys.Backend, keys.Customer, keys.Models[0]));
        Assert.Equal("export CUSTOMER_KEY='llm_gw_1'\nexport BACKEND_KEY='sk_live_1'\n", keys.Variables);
    }

    [Fact]
    public void A_key_that_stands_in_the_seed_is_shown_and_one_from_a_variable_is_not()
    {
        var seed = Path.Combine(_folder, "seed.json");
        System.IO.File.WriteAllText(seed, """
            {"organizations": [{"name": "o", "projects": [{"name": "p", "secretKeys": [{"name": "k", "key": "${SECRET}"}],
              "customers": [{"externalId": "c", "keys": [{"name": "n", "key": "llm_gw_mine"}]}]}]}]}
            """);

        var keys = SeededKeys.Read([seed], File);

        Assert.Equal((null, "llm_gw_mine"), (keys.Backend, keys.Customer));
        Assert.Equal("export CUSTOMER_KEY='llm_gw_mine'\n", keys.Variables);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    static string Demo => Path.Combine(ArchitectureTests.Repository, "AppHost", "demo.seed.json");
}
