using System.Diagnostics;
using LlmGateway.UnitTests.Docs;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

public sealed class SettingsTests
{
    const string Servers = "ConnectionStrings:rabbitmq, ConnectionStrings:redis";
    const string Key = "Gateway:InternalKey", Keys = $"{Key}, Gateway:MasterKey";

    static readonly string Folder = AppContext.BaseDirectory;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Proxy", $"{Servers}, {Keys}, Proxy:Spool, services:billing:http:0, services:sessions:http:0, "
        + "services:wallet:http:0, services:webhooks:http:0")]
    [InlineData("Sessions", $"{Servers}, ConnectionStrings:sessions, {Keys}, Gateway:Pepper, services:wallet:http:0")]
    [InlineData("Wallet", $"{Servers}, ConnectionStrings:wallet, {Key}")]
    [InlineData(
        "Webhooks",
        $"ConnectionStrings:rabbitmq, ConnectionStrings:webhooks, {Keys}, services:billing:http:0, services:wallet:http:0")]
    [InlineData(
        "Billing",
        $"ConnectionStrings:billing, ConnectionStrings:rabbitmq, {Key}, Stripe:Live:SecretKey, services:sessions:http:0, "
            + "services:wallet:http:0")]
    public async Task A_service_without_settings_names_them_all_in_one_line_and_ends(string service, string missing)
    {
        Assert.Equal($"LlmGateway.{service}: configuration is missing {missing}\n", await FailAsync(service));
        var readme = await File.ReadAllTextAsync(Path.Combine(ArchitectureTests.Repository, "services", service, "README.md"), Token);
        Assert.All(missing.Split(", "), key => Assert.Contains($"`{key}`", readme, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_key_that_is_too_short_is_named_in_one_line_also_among_those_that_are_accepted_beside_another()
    {
        var error = await FailAsync(
            "Sessions", ("Gateway__MasterKey", new('k', 32)), ("Gateway__AcceptedMasterKeys__0", "short"), ("Gateway__Pepper", "short"));

        Assert.Equal(
            [
                "LlmGateway.Sessions: configuration 'Gateway:MasterKey' must have 32 characters or more",
                "LlmGateway.Sessions: configuration 'Gateway:Pepper' must have 32 characters or more",
            ],
            error.Split('\n')[..2]);
    }

    [Theory]
    [InlineData("Wallet:UsageRetention", "3", 35)]
    [InlineData("Wallet:UsageRetention", "34d", 35)]
    [InlineData("Wallet:UsageRetention", "forever", 35)]
    [InlineData("Wallet:UsageRetention", "-400d", 35)]
    [InlineData("Wallet:UsageRetention", "99999999999d", 35)]
    [InlineData("Wallet:RawUsageRetention", "30", 1)]
    [InlineData("Wallet:RawUsageRetention", "0d", 1)]
    public async Task A_retention_without_a_unit_or_below_its_floor_is_named_and_stops_the_start(string setting, string text, int atLeast)
    {
        var error = await FailAsync("Wallet", (setting.Replace(":", "__", StringComparison.Ordinal), text));

        Assert.Equal(
            $"LlmGateway.Wallet: {setting} is '{text}', but must be a number of days from {atLeast} to 36500 and its unit, as in 400d",
            error.Split('\n')[0]);
    }

    [Theory]
    [InlineData("Proxy:DefaultOutputTokens", "0", "a whole number of 1 or more")]
    [InlineData("Proxy:DefaultOutputTokens", "4k", "a whole number of 1 or more")]
    [InlineData("Telemetry:CaptureContent", "yes", "true or false")]
    public async Task A_setting_that_cannot_be_read_is_named_and_stops_the_start(string setting, string text, string what)
    {
        var error = await FailAsync("Proxy", (setting.Replace(":", "__", StringComparison.Ordinal), text));

        Assert.Contains($"LlmGateway.Proxy: {setting} is '{text}', but must be {what}\n", error, StringComparison.Ordinal);
    }

    public static TheoryData<string, (string, string)[]> StripeMistakes => new()
    {
        { "configuration is missing Stripe:Live:SecretKey", [] },
        {
            "Stripe:Live:SecretKey is missing, and in production the sandbox plays Stripe only if Stripe:AllowSandbox is true",
            [("Stripe__SandboxUrl", "http://127.0.0.1:1")]
        },
        {
            "Stripe:Live:WebhookSecrets must have at least one secret (whsec_…), and none that is blank",
            [("Stripe__Live__SecretKey", "sk_live_1"), ("Stripe__Live__PublishableKey", "pk_live_1")]
        },
        {
            "Stripe:Live:WebhookSecrets must have at least one secret (whsec_…), and none that is blank",
            [
                ("Stripe__Live__SecretKey", "sk_live_1"), ("Stripe__Live__PublishableKey", "pk_live_1"),
                ("Stripe__Live__WebhookSecrets__0", "whsec_1"), ("Stripe__Live__WebhookSecrets__1", " "),
            ]
        },
        {
            "Stripe:Live:SecretKey must be a key of the live mode (sk_live_… or rk_live_…)",
            [
                ("Stripe__Live__SecretKey", "sk_test_1"), ("Stripe__Live__PublishableKey", "pk_live_1"),
                ("Stripe__Live__WebhookSecrets__0", "whsec_1"),
            ]
        },
    };

    /// <summary>Payments are refused at the start where they could be forged, or be of play money.</summary>
    [Theory, MemberData(nameof(StripeMistakes))]
    public async Task Billing_does_not_start_with_settings_of_Stripe_that_are_wrong(string mistake, (string, string)[] settings) =>
        Assert.Equal($"LlmGateway.Billing: {mistake}\n", await FailAsync("Billing", [.. OfBilling, .. settings]));

    [Theory]
    [InlineData("configuration is missing Mail:From", "Host=mail.example")]
    [InlineData("Mail:From is 'Us <us@example.com>', but must be one mail address", "Host=mail.example From=Us_<us@example.com>")]
    [InlineData("configuration is missing Mail:Password", "Host=mail.example From=us@example.com User=us")]
    [InlineData("Mail:Port is 'smtp', but must be a whole number of 1 or more", "Host=mail.example From=us@example.com Port=smtp")]
    [InlineData("Mail:Tls is 'ssl', but must be starttls, connect or none", "Host=mail.example From=us@example.com Tls=ssl")]
    [InlineData(
        "Mail:Tls is 'none', so Mail:User and Mail:Password would be read by everybody on the way",
        "Host=mail.example From=us@example.com User=us Password=p Tls=none")]
    public async Task Billing_does_not_start_with_settings_of_mail_that_are_wrong(string mistake, string settings)
    {
        (string, string)[] stripe = [("Stripe__SandboxUrl", "http://127.0.0.1:1"), ("Stripe__AllowSandbox", "true")];
        var mail = settings.Split(' ').Select(setting => setting.Split('='))
            .Select(pair => ($"Mail__{pair[0]}", pair[1].Replace('_', ' ')));

        Assert.Equal($"LlmGateway.Billing: {mistake}\n", await FailAsync("Billing", [.. OfBilling, .. stripe, .. mail]));
    }

    static (string, string)[] OfBilling =>
    [
        ("ConnectionStrings__billing", "Host=127.0.0.1;Port=1"), ("ConnectionStrings__rabbitmq", "amqp://127.0.0.1:1"),
        ("Gateway__InternalKey", new('k', 32)), ("services__wallet__http__0", "http://127.0.0.1:1"),
        ("services__sessions__http__0", "http://127.0.0.1:1"),
    ];

    /// <summary>What the service says when it ends.</summary>
    static async Task<string> FailAsync(string service, params (string Variable, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, [Path.Combine(Folder, $"LlmGateway.{service}.dll")])
        {
            WorkingDirectory = Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (variable, value) in environment)
            start.Environment[variable] = value;
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(Token), process.StandardError.ReadToEndAsync(Token));
        await process.WaitForExitAsync(Token).WaitAsync(TimeSpan.FromMinutes(1), Token);
        Assert.Empty(await output);
        Assert.Equal(1, process.ExitCode);
        return await error;
    }
}
