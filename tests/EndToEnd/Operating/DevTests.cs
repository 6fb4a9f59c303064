using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>
/// <c>./dev</c> as a newcomer uses it, beside the app that the other tests run on, but not while they do: on two cores ten more processes
/// would be slower than their callers wait.
/// </summary>
[Collection(nameof(Outages))]
public sealed class DevTests : IDisposable
{
    static readonly string Tool = Path.Combine(AppContext.BaseDirectory, "..", "..", "DevTool", "release", "LlmGateway.DevTool.dll");

    const string RedisPassword = "givenByTheOperator0123456789";

    readonly string _data = Directory.CreateTempSubdirectory("llmgateway-dev-").FullName;

    [Fact]
    public async Task A_second_stack_runs_beside_this_one_and_the_lines_that_it_and_the_README_print_work()
    {
        string[] vendors = ["OPENAI_API_KEY=of-nobody", "ANTHROPIC_API_KEY=of-nobody", "GOOGLE_API_KEY=of-nobody"];
        // Were the server not told the given password, the stack would be degraded and never be called ready.
        string[] given = [.. vendors, $"Parameters__redis-password={RedisPassword}"];
        var (code, screen) = await Shell.RunAsync(
            "env", [.. given, "dotnet", Tool, "run", "--ports", "5400", "--data", _data, "--no-dashboard", "--detach"]);
        Assert.True(code == 0, screen);
        try
        {
            Assert.Contains("http://127.0.0.1:5401", screen);
            Assert.Contains("processes of this machine", screen);
            var curl = screen[screen.IndexOf("curl http", StringComparison.Ordinal)..];
            curl = curl[..curl.IndexOf("\n\n", StringComparison.Ordinal)];
            Assert.Contains("chat.completion", (await Shell.RunAsync("bash", "-c", curl)).Output);
            await FirstStepsWorkAsync();

            var key = screen.Split("Customer key")[1].Split('\n')[0].Trim();
            var models = (await Gateway.SendAsync("GET", "http://127.0.0.1:5401/v1/models", key)).MustBe(200).Json;
            var owners = models.Items("data").Select(model => model.Text("owned_by")).Distinct().Order();
            Assert.Equal(["anthropic", "google", "openai", "sandbox"], owners);

            await CommandsWorkAsync(key);

            var (again, refusal) = await DevAsync("run", "--ports", "5600", "--data", _data, "--no-dashboard", "--detach");
            Assert.NotEqual(0, again);
            Assert.Contains("already runs", refusal);
        }
        finally
        {
            var (stopped, output) = await DevAsync("stop", "--data", _data);
            Assert.True(stopped == 0, output);
        }
        // Nothing is left: the same ports can be had again.
        foreach (var port in (int[])[5401, 5402, 5411, 5412, 5413, 5420, 5440, 5441, 5442])
            Listen(port).Dispose();
        Assert.Equal(3, (await DevAsync("status", "--data", _data)).Code);
    }

    /// <summary>What the README says first, in its order, and then its first call with what a new user was given.</summary>
    async Task FirstStepsWorkAsync()
    {
        Assert.Equal(4, Readme.Curls.Length);
        Assert.Contains("chat.completion", await TypedAsync(Readme.Curls[0]));
        var session = Answer(await TypedAsync(Readme.Curls[1]));
        var (token, wallet, customer) = (session.Text("sessionToken"), session.Text("walletId"), session.Text("endCustomerId"));
        Assert.Contains("wallet_exhausted", await TypedAsync(Readme.Curls[0], $"CUSTOMER_KEY={token}"));
        Assert.Equal("5", Answer(await TypedAsync(Readme.Curls[2], $"WALLET_ID={wallet}")).Text("balance"));
        var key = Answer(await TypedAsync(Readme.Curls[3], $"CUSTOMER_ID={customer}")).Text("key");
        Assert.Contains("chat.completion", await TypedAsync(Readme.Curls[0], $"CUSTOMER_KEY={token}"));
        Assert.Contains("chat.completion", await TypedAsync(Readme.Curls[0], $"CUSTOMER_KEY={key}"));

        async Task<string> TypedAsync(string command, string variable = "") => (await Shell.RunAsync(
            "bash", "-c",
            $"source {_data}/keys.env\n{variable}\n{command.Replace("127.0.0.1:400", "127.0.0.1:540", StringComparison.Ordinal)}")).Output;

        // What curl says of its progress stands behind the answer.
        static JsonElement Answer(string output) =>
            JsonSerializer.Deserialize<JsonElement>(output[output.IndexOf('{', StringComparison.Ordinal)..(output.LastIndexOf('}') + 1)]);
    }

    async Task CommandsWorkAsync(string key)
    {
        var (listed, catalogue) = await DevAsync("models", "list", "--data", _data);
        Assert.True(listed == 0, catalogue);
        Assert.All(
            ["openai/gpt-4o-mini ", "anthropic/claude-", "google/gemini-", "above 200000: input", "in a batch: input"],
            known => Assert.Contains(known, catalogue));
        Assert.DoesNotContain("anthropic/", (await DevAsync("models", "list", "gpt-4o", "--data", _data)).Output);

        var (verified, books) = await DevAsync("verify", "--data", _data);
        Assert.True(verified == 0, books);
        Assert.All(
            (string[])["The books balance.", "Every event of the ledger and of payments was told once:"],
            line => Assert.Contains(line, books));
        // Into a file go neither colours nor links, whatever the terminal can show.
        foreach (var command in (string[])["verify", "status"])
            Assert.DoesNotContain(
                "\u001b",
                (await Shell.RunAsync("env", "TERM=xterm-256color", "dotnet", Tool, command, "--data", _data)).Output,
                StringComparison.Ordinal);

        var (drained, left) = await DevAsync("command", "proxy2", "drain", "--data", _data, "--", "--seconds", "5");
        Assert.True(drained == 0 && left.Contains("Drained", StringComparison.Ordinal), left);
        Assert.Equal(503, (await Gateway.SendAsync("GET", "http://127.0.0.1:5402/health")).Status);
        Assert.Equal(0, (await DevAsync("command", "proxy2", "resume", "--data", _data)).Code);

        Assert.Contains(key, (await DevAsync("status", "--data", _data)).Output);
        var (_, said) = await DevAsync("logs", "wallet", "--data", _data, "--lines", "200");
        Assert.Contains("listening on", said, StringComparison.OrdinalIgnoreCase);

        var (restarted, how) = await DevAsync("restart", "sandbox", "--data", _data);
        Assert.True(restarted == 0, how);

        var status = (await DevAsync("status", "--data", _data, "--json")).Output;
        Assert.DoesNotContain(RedisPassword, status);
        var resources = JsonSerializer.Deserialize<JsonElement>(status[status.IndexOf('{', StringComparison.Ordinal)..]).Items("resources");
        var states = resources.ToDictionary(resource => resource.Text("displayName"), resource => resource.Text("state"));
        Assert.All(
            ["postgres", "redis", "rabbitmq", "wallet", "sessions", "webhooks", "billing", "proxy", "proxy2"],
            name => Assert.Equal("Running", states[name]));
    }

    [Fact]
    public async Task A_taken_port_is_one_clear_line_and_leaves_nothing_running()
    {
        using var taken = Listen(5512);

        var (code, output) = await DevAsync("run", "--ports", "5500", "--data", _data, "--no-dashboard", "--detach");

        Assert.NotEqual(0, code);
        Assert.Contains("5512", output.TrimEnd().Split('\n')[^1]);
        Listen(5540).Dispose();
        Assert.Equal(3, (await DevAsync("status", "--data", _data)).Code);
    }

    [Theory]
    [InlineData("run", "--ports", "abc")]
    [InlineData("run", "--seed")]
    [InlineData("fly")]
    [InlineData("stop", "--nonsense")]
    public async Task A_wrong_command_line_is_explained_with_its_own_exit_code(params string[] line)
    {
        var (code, output) = await DevAsync(line);

        Assert.Equal(2, code);
        Assert.Contains("./dev", output);
    }

    [Fact]
    public async Task A_broken_seed_stops_the_start_and_names_the_path()
    {
        var seed = Path.Combine(_data, "seed.json");
        await File.WriteAllTextAsync(
            seed,
            """{"organizations": [{"name": "x", "projects": [{"name": "p", "plans": [{"id": "pro"}]}]}]}""",
            TestContext.Current.CancellationToken);
        string[] line = ["run", "--ports", "5500", "--data", Path.Combine(_data, "d"), "--seed", seed, "--no-dashboard", "--detach"];

        var (code, output) = await DevAsync(line);

        Assert.NotEqual(0, code);
        Assert.Contains("organizations[0].projects[0].plans", output);
        Listen(5540).Dispose();
    }

    [Fact]
    public async Task A_server_form_that_cannot_be_had_is_one_clear_line()
    {
        var (code, output) = await Shell.RunAsync(
            "env", ["Servers=ships", "dotnet", Tool, "run", "--ports", "5500", "--data", _data, "--no-dashboard", "--detach"]);

        Assert.NotEqual(0, code);
        Assert.Contains("Servers must be 'local' or 'containers', not 'ships'", output);
        Assert.Equal(3, (await DevAsync("status", "--data", _data)).Code);
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    static TcpListener Listen(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Server.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Start();
        return listener;
    }

    static Task<(int Code, string Output)> DevAsync(params string[] arguments) => Shell.RunAsync("dotnet", [Tool, .. arguments]);
}
