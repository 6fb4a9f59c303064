using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>
/// A master key and a pepper over their life, at a Sessions of its own: a database of its own on the app's server, and the built program.
/// </summary>
public sealed class KeyReplacementTests : IAsyncLifetime
{
    const string Internal = "an internal key of more than 32 characters";

    static readonly string
        SecretKey = $"sk_live_{new('k', 40)}", CustomerKey = $"llm_gw_{new('k', 40)}",
        Old = Convert.ToBase64String(SHA256.HashData("old"u8)), New = "another text that is long enough to be a key";

    readonly string _name = $"keys_{Guid.NewGuid():N}";
    readonly string _folder = Directory.CreateTempSubdirectory("llmgateway-keys-").FullName;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    string Connection => new NpgsqlConnectionStringBuilder(Stack.Connection("sessions")) { Database = _name }.ConnectionString;

    public async ValueTask InitializeAsync() => await File.WriteAllTextAsync($"{_folder}/seed.json", $$"""
        {"organizations":[{"name":"o","projects":[{"name":"p","secretKeys":[{"name":"k","key":"{{SecretKey}}"}],
        "providers":[{"id":"v","wire":"openai","baseUrl":"http://127.0.0.1:9/v1","auth":{"value":"sk-provider"},
        "timeoutSeconds":30,"retries":0}],
        "customers":[{"externalId":"c","keys":[{"name":"k","key":"{{CustomerKey}}"}]}]}]}]}
        """, Token);

    public async ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        await using var server = NpgsqlDataSource.Create(Stack.Connection("sessions"));
        await using var drop = server.CreateCommand($"drop database if exists {_name} with (force)");
        await drop.ExecuteNonQueryAsync(Token);
    }

    [Fact]
    public async Task A_master_key_and_a_pepper_are_replaced_and_a_wrong_one_is_named_at_the_start()
    {
        await using (var sessions = await StartAsync((Old, null), (Old, null), seed: true))
            await MustKnowAsync(sessions);
        await ExecuteAsync("""
            insert into retired_secret (id, key_id, hash, sealed_fingerprint, expires_at)
            select id, id, hash, sealed_fingerprint, now() + interval '1 day' from customer_key
            """);
        await MustRefuseAllButAsync(Old);
        await ExecuteAsync("delete from key_check"); // as a version has left it that had no such table
        await MustRefuseAllButAsync(Old);

        await using (var sessions = await StartAsync((New, Old), (New, Old), seed: false))
        {
            await MustKnowAsync(sessions);
            await MustRefuseAllButAsync(Old); // some of it is still under the old keys
            Assert.Equal("""{"secrets":1,"credentials":3,"unreadable":0}""", await ResealAsync(sessions));
            Assert.Equal("""{"secrets":0,"credentials":0,"unreadable":0}""", await ResealAsync(sessions));
            await MustKnowAsync(sessions);
        }

        await MustRefuseAllButAsync(New);
        // The file says what it said: what was set since stays.
        await ExecuteAsync("update provider set timeout_seconds = 7");
        await using (var sessions = await StartAsync((New, null), (New, null), seed: true))
            await MustKnowAsync(sessions);
        await using var database = NpgsqlDataSource.Create(Connection);
        await using var set = database.CreateCommand("select timeout_seconds from provider");
        Assert.Equal(7, (int)(await set.ExecuteScalarAsync(Token))!);
    }

    /// <summary>Both keys, and both secrets, found by what a proxy asks.</summary>
    static async Task MustKnowAsync(Sessions sessions)
    {
        string[] fingerprints = [.. ((string[])[SecretKey, CustomerKey])
            .Select(secret => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret))))];
        var known = await sessions.AskAsync("proxy", "/internal/credentials", JsonSerializer.Serialize(new { fingerprints }));
        Assert.Equal(fingerprints.Order(), JsonDocument.Parse(known).RootElement.EnumerateObject().Select(one => one.Name).Order());
    }

    static Task<string> ResealAsync(Sessions sessions) => sessions.AskAsync("operator", "/internal/reseal", "{}");

    /// <summary>One wrong key at a time; the other is right.</summary>
    async Task MustRefuseAllButAsync(string right)
    {
        var wrong = right == Old ? New : Old;
        foreach (var (setting, master, pepper) in ((string, string, string)[])
            [("Gateway:MasterKey", wrong, right), ("Gateway:Pepper", right, wrong)])
        {
            await using var sessions = Run((master, null), (pepper, null), seed: false);
            var said = await sessions.EndAsync();
            var line = Assert.Single(
                said.Split('\n'), line => line.Contains($"{setting} is not this database's", StringComparison.Ordinal));
            Assert.DoesNotContain("   at ", line);
        }
    }

    async Task ExecuteAsync(string sql)
    {
        await using var database = NpgsqlDataSource.Create(Connection);
        await using var command = database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Token);
    }

    async Task<Sessions> StartAsync((string First, string? Accepted) master, (string First, string? Accepted) pepper, bool seed)
    {
        var sessions = Run(master, pepper, seed);
        await sessions.HealthyAsync();
        return sessions;
    }

    Sessions Run((string First, string? Accepted) master, (string First, string? Accepted) pepper, bool seed) => new(new()
    {
        ["ConnectionStrings__sessions"] = Connection,
        ["ConnectionStrings__redis"] = Stack.Connection("redis"),
        ["ConnectionStrings__rabbitmq"] = Stack.Connection("rabbitmq"),
        ["services__wallet__http__0"] = "http://127.0.0.1:9",
        ["Gateway__InternalKey"] = Internal,
        ["Gateway__MasterKey"] = master.First,
        ["Gateway__AcceptedMasterKeys__0"] = master.Accepted,
        ["Gateway__Pepper"] = pepper.First,
        ["Gateway__AcceptedPeppers__0"] = pepper.Accepted,
        ["LLMGATEWAY_SEED"] = seed ? $"{_folder}/seed.json" : null,
    });

    /// <summary>The program, as an operator starts it.</summary>
    sealed class Sessions : IAsyncDisposable
    {
        static readonly string Program = Path.Combine(AppContext.BaseDirectory, "..", "..", "Sessions", "release", "LlmGateway.Sessions");

        readonly Process _process;
        readonly Uri _address;
        readonly Task<string> _said;

        public Sessions(Dictionary<string, string?> environment)
        {
            using (var port = new TcpListener(IPAddress.Loopback, 0))
            {
                port.Start();
                _address = new($"http://{port.LocalEndpoint}");
            }
            var start = new ProcessStartInfo(Program) { RedirectStandardOutput = true };
            start.Environment["ASPNETCORE_URLS"] = _address.ToString();
            foreach (var (name, value) in environment.Where(variable => variable.Value is not null))
                start.Environment[name] = value;
            _process = Process.Start(start)!;
            _said = _process.StandardOutput.ReadToEndAsync(Token);
        }

        public Task HealthyAsync() => Eventually.HoldsAsync(
            async () =>
            {
                Assert.False(_process.HasExited, _process.HasExited ? await _said : "");
                try
                {
                    return (await Gateway.SendAsync("GET", "/health", at: _address)).Status == 200;
                }
                catch (HttpRequestException)
                {
                    return false; // it does not listen yet
                }
            },
            "a healthy Sessions",
            TimeSpan.FromSeconds(60));

        public async Task<string> AskAsync(string caller, string path, string json) =>
            (await Gateway.SendAsync("POST", path, json: json, at: _address, headers: [Stack.Signed(caller, "sessions", Internal)]))
            .MustBe(200).Text;

        /// <summary>What it has said when it has ended by itself, as one that failed.</summary>
        public async Task<string> EndAsync()
        {
            await _process.WaitForExitAsync(Token).WaitAsync(TimeSpan.FromSeconds(60), Token);
            Assert.Equal(1, _process.ExitCode);
            return await _said;
        }

        public async ValueTask DisposeAsync()
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
            _process.Dispose();
        }
    }
}
