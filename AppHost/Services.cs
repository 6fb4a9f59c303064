using System.Globalization;
using System.Text.RegularExpressions;
using LlmGateway.Contracts;
using Service = Aspire.Hosting.ApplicationModel.IResourceBuilder<Aspire.Hosting.ApplicationModel.ProjectResource>;

namespace LlmGateway.AppHost;

/// <summary>How a service of ours becomes a resource.</summary>
static partial class Services
{
    /// <summary>On its own port, without the orchestrator's forwarder before it, and only for this machine.</summary>
    public static Service AddService<TProject>(this Stack stack, string name, int offset) where TProject : IProjectMetadata, new()
    {
        var service = stack.Builder.AddProject<TProject>(name, options => options.ExcludeLaunchProfile = true);
        if (!stack.Runs)
            return service.WithHttpEndpoint().WithHttpHealthCheck("/health");
        var port = stack.Port(name, offset);
        var health = $"http://127.0.0.1:{port}/health";
        var audience = name.StartsWith(ServiceCall.Proxy, StringComparison.Ordinal) ? ServiceCall.Proxy : name;
        return service.WithHttpEndpoint(port: port, isProxied: false)
            .WithEndpoint("http", endpoint => endpoint.TargetHost = "127.0.0.1")
            .WithCheck(token => Checks.RequireHealthyAsync(health, Commands.Sign(stack.Secrets.Get("internal-key"), audience), token))
            .WithAnnotation(Built(stack, service.Resource))
            .WithoutExportToNobody(stack);
    }

    /// <summary>Stripe's port: its npm package knows hosts and ports, and no paths.</summary>
    public static Service WithStripe(this Service sandbox, Stack stack) =>
        stack.Runs
            ? sandbox.WithEnvironment("Stripe__Port", stack.Port("stripe", Ports.SandboxStripe).ToString(CultureInfo.InvariantCulture))
            : sandbox;

    /// <summary>Where the sandbox catches mail.</summary>
    public static Service WithMail(this Service sandbox, Stack stack) =>
        stack.Runs
            ? sandbox.WithEnvironment("Mail__Port", stack.Port("mail", Ports.SandboxMail).ToString(CultureInfo.InvariantCulture))
            : sandbox;

    /// <summary>
    /// The mail server, where one is given; without it the sandbox catches mail on this machine. A deployment sends none until it is given
    /// one.
    /// </summary>
    public static Service WithMailServer(this Service billing, Stack stack)
    {
        if (stack.Text("Mail:Host") is null && stack.Runs)
            return billing
                .WithEnvironment("Mail__Host", "127.0.0.1")
                .WithEnvironment("Mail__Port", (stack.Base + Ports.SandboxMail).ToString(CultureInfo.InvariantCulture))
                .WithEnvironment("Mail__Tls", "none")
                .WithEnvironment("Mail__From", "gateway@sandbox.example");
        foreach (var setting in (string[])["Host", "Port", "Tls", "User", "Password", "From"])
            billing.WithSetting(stack, $"Mail:{setting}");
        return billing;
    }

    /// <param name="name">Under which name the service knows it; the server's own without it.</param>
    public static Service WithServer(this Service service, IResourceBuilder<IResourceWithConnectionString> server, string? name = null) =>
        service.WithReference(server, name).WaitFor(server);

    /// <summary>Keys as settings. Those that are accepted beside a key are a list of their own.</summary>
    public static Service WithKeys(this Service service, params ReadOnlySpan<StackKeys> all)
    {
        foreach (var (setting, first, accepted) in all)
        {
            service.WithEnvironment(Variable(setting), first);
            foreach (var (i, key) in accepted.Index())
                service.WithEnvironment(Variable($"{KeySetting.Accepted(setting)}:{i}"), key);
        }
        return service;
    }

    /// <summary>Seed files, the sandbox that they may name, and what else of the environment they mention as <c>${NAME}</c>.</summary>
    public static Service WithSeeds(this Service sessions, Stack stack, Service sandbox)
    {
        if (!stack.Runs)
            return sessions;
        var mentions = stack.Seeds.SelectMany(seed => Mention().Matches(Seed(stack, seed)));
        foreach (var name in mentions.Select(match => match.Groups[1].Value))
            if (stack.Text(name) is { } value)
                sessions.WithEnvironment(name, value);
        return sessions.WithEnvironment("SANDBOX_URL", sandbox.GetEndpoint("http"))
            .WithEnvironment("LLMGATEWAY_SEED", string.Join(':', stack.Seeds))
            .WithEnvironment("LLMGATEWAY_SEED_RUN", stack.SeedRun)
            .WithEnvironment("Sessions__KeyFile", stack.Folder.Of(StackFolder.MadeKeys));
    }

    /// <summary>
    /// Stripe's keys, where they are given; without them the sandbox plays Stripe on this machine. A deployment is given them as
    /// parameters.
    /// </summary>
    public static Service WithPayments(this Service billing, Stack stack)
    {
        if (!stack.Runs)
            return billing
                .WithEnvironment("Stripe__Live__SecretKey", stack.Builder.AddParameter("stripe-secret-key", secret: true))
                .WithEnvironment("Stripe__Live__PublishableKey", stack.Builder.AddParameter("stripe-publishable-key"))
                .WithEnvironment("Stripe__Live__WebhookSecrets__0", stack.Builder.AddParameter("stripe-webhook-secret", secret: true));
        foreach (var mode in (string[])["Live", "Test"])
            foreach (var key in (string[])["SecretKey", "PublishableKey", "WebhookSecrets:0", "WebhookSecrets:1"])
                billing.WithSetting(stack, $"Stripe:{mode}:{key}");
        return billing
            .WithEnvironment("Stripe__SandboxUrl", At(Ports.SandboxStripe, ""))
            .WithEnvironment("Stripe__SandboxScript", At(Ports.SandboxStripe, "/v3/"))
            .WithEnvironment("Stripe__SandboxWebhookUrl", At(Ports.Proxy, "/webhook/stripe"))
            .WithEnvironment("Stripe__AllowSandbox", "true");

        string At(int port, string path) => $"http://127.0.0.1:{stack.Base + port}{path}";
    }

    static string Seed(Stack stack, string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            stack.Refusals.Add($"the seed file {path} cannot be read: {e.Message}");
            return "";
        }
    }

    /// <summary>A folder that outlives the process, one for each proxy. In a deployment it must be a volume.</summary>
    public static Service WithSpool(this Service proxy, Stack stack)
    {
        if (!stack.Runs)
            return proxy.WithEnvironment("Proxy__Spool", "/var/lib/llmgateway/spool");
        stack.Prepare(() => stack.Folder.CreatePrivate("spool", proxy.Resource.Name));
        return proxy.WithEnvironment("Proxy__Spool", Path.Combine(stack.Folder.Path, "spool", proxy.Resource.Name));
    }

    /// <summary>One of the stack's settings, for a service.</summary>
    public static Service WithSetting(this Service service, Stack stack, string key, string? otherwise = null) =>
        stack.Runs && (stack.Text(key) ?? otherwise) is { } value
            ? service.WithEnvironment(Variable(key), value)
            : service;

    static string Variable(string setting) => setting.Replace(":", "__", StringComparison.Ordinal);

    /// <summary>The built program itself: <c>dotnet run</c> before it would take 2.5 seconds of a core for each service.</summary>
    static ExecutableAnnotation Built(Stack stack, ProjectResource service)
    {
        var project = service.GetProjectMetadata().ProjectPath;
        var name = Path.GetFileNameWithoutExtension(project);
        var program = Path.Combine(stack.Programs, name, Stack.Configuration, $"LlmGateway.{name}");
        return new() { Command = program, WorkingDirectory = Path.GetDirectoryName(project)! };
    }

    /// <summary>Without a dashboard nobody listens for telemetry, and a service must not keep trying.</summary>
    static Service WithoutExportToNobody(this Service service, Stack stack) =>
        stack.HasDashboard ? service
            : service.WithEnvironment(context => context.EnvironmentVariables.Remove("OTEL_EXPORTER_OTLP_ENDPOINT"));

    [GeneratedRegex(@"\$\{(\w+)\}")]
    private static partial Regex Mention();
}
