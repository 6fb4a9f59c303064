using LlmGateway.ServiceDefaults;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>One of Stripe's two modes, live or test, with its own keys.</summary>
/// <param name="Test">Whose payments: those of test credentials, or of live ones.</param>
/// <param name="IsSandbox">The sandbox plays Stripe. Its objects are never live, whosever they are.</param>
public sealed record StripeMode(bool Test, bool IsSandbox, string PublishableKey, StripeClient Client)
{
    /// <summary>Any of them may have signed an event: two while one is replaced by another. The sandbox tells its own later.</summary>
    public IReadOnlyList<string> WebhookSecrets { get; set; } = [];

    /// <summary>As Stripe must say it of every object of this mode.</summary>
    public bool Livemode => !Test && !IsSandbox;

    public string Name => Test ? "test" : "live";
}

/// <summary>
/// The modes that are set up. Without a key the sandbox plays Stripe, if its address is known; in production only where that is asked for.
/// </summary>
public sealed class StripeModes(IReadOnlyList<StripeMode> modes)
{
    public const string SandboxUrl = "Stripe:SandboxUrl", AllowSandbox = "Stripe:AllowSandbox";

    /// <summary>Of the sandbox: the name in them is that of our world there.</summary>
    public const string SandboxKey = "sk_test_gateway", SandboxPublishableKey = "pk_test_gateway";

    public IReadOnlyList<StripeMode> All => modes;

    /// <summary>Null when payments of this kind are not set up.</summary>
    public StripeMode? Of(bool test) => modes.FirstOrDefault(mode => mode.Test == test);

    /// <summary>That of a row of ours. Null when it is not set up, or when it is the sandbox's now, or was before.</summary>
    public StripeMode? Of(bool test, bool livemode) => Of(test) is { } mode && mode.Livemode == livemode ? mode : null;

    /// <summary>That of an object of Stripe's. Of the sandbox's, which are never live, any. Null when it is not set up.</summary>
    public StripeMode? OfLivemode(bool livemode) => modes.FirstOrDefault(mode => mode.Livemode == livemode);

    /// <summary>Reads the settings. What is missing or wrong ends the start with lines that name it.</summary>
    public static StripeModes Read(WebApplicationBuilder builder, HttpClient http)
    {
        var (live, test) = (Keyed(builder, test: false, http), Keyed(builder, test: true, http));
        if (live is not null || test is not null)
            return new([.. new[] { live, test }.OfType<StripeMode>()]);
        return builder.Configuration[SandboxUrl] is { Length: > 0 } url
            ? Sandbox(builder, url, http)
            : Missing(builder, "Stripe:Live:SecretKey");
    }

    static StripeModes Sandbox(WebApplicationBuilder builder, string url, HttpClient http)
    {
        if (builder.Environment.IsProduction() && !builder.Switch(AllowSandbox))
            builder.Wrong(
                $"Stripe:Live:SecretKey is missing, and in production the sandbox plays Stripe only if {AllowSandbox} is true");
        return new([Played(test: false), Played(test: true)]);

        StripeMode Played(bool test) => new(test, IsSandbox: true, SandboxPublishableKey, NewClient(SandboxKey, url, http));
    }

    /// <summary>Null without a secret key.</summary>
    static StripeMode? Keyed(WebApplicationBuilder builder, bool test, HttpClient http)
    {
        var (section, word) = test ? ("Stripe:Test", "test") : ("Stripe:Live", "live");
        if (builder.Configuration[$"{section}:SecretKey"] is not { Length: > 0 } key)
            return null;
        if (!key.StartsWith($"sk_{word}_", StringComparison.Ordinal) && !key.StartsWith($"rk_{word}_", StringComparison.Ordinal))
            builder.Wrong($"{section}:SecretKey must be a key of the {word} mode (sk_{word}_… or rk_{word}_…)");
        var publishable = builder.Setting($"{section}:PublishableKey");
        if (publishable.Length > 0 && !publishable.StartsWith($"pk_{word}_", StringComparison.Ordinal))
            builder.Wrong($"{section}:PublishableKey must be a key of the {word} mode (pk_{word}_…)");
        var secrets = NotBlank(
            builder,
            $"{section}:WebhookSecrets",
            [.. builder.Configuration.GetSection($"{section}:WebhookSecrets").GetChildren().Select(secret => secret.Value)]);
        return new(test, IsSandbox: false, publishable, NewClient(key, null, http)) { WebhookSecrets = secrets };
    }

    /// <summary>An empty secret would verify what anybody has signed with nothing.</summary>
    static List<string> NotBlank(WebApplicationBuilder builder, string setting, IReadOnlyList<string?> secrets)
    {
        if (secrets.Count == 0 || secrets.Any(string.IsNullOrWhiteSpace))
            builder.Wrong($"{setting} must have at least one secret (whsec_…), and none that is blank");
        return [.. secrets.OfType<string>().Where(secret => !string.IsNullOrWhiteSpace(secret))];
    }

    static StripeModes Missing(WebApplicationBuilder builder, string setting)
    {
        builder.Setting(setting);
        return new([]);
    }

    /// <summary>The package repeats nothing by itself: what may be repeated, the resilience of its HTTP client knows.</summary>
    static StripeClient NewClient(string key, string? url, HttpClient http)
    {
        var options = new StripeClientOptions
        {
            ApiKey = key.Length > 0 ? key : "missing",
            HttpClient = new SystemNetHttpClient(http, maxNetworkRetries: 0, appInfo: null, enableTelemetry: false),
        };
        if (url is not null)
            options.ApiBase = url.TrimEnd('/');
        return new(options);
    }
}
