using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using Service = Aspire.Hosting.ApplicationModel.IResourceBuilder<Aspire.Hosting.ApplicationModel.ProjectResource>;

namespace LlmGateway.AppHost;

/// <summary>
/// Buttons on resources, in the dashboard and for <c>aspire resource NAME COMMAND</c>. Each is a call of a service, which answers in words:
/// how it does what it is asked is the service's own affair.
/// </summary>
static class Commands
{
    static readonly InteractionInput
        Wait = Input("wait", "Seconds that work in flight may take", InputType.Number, "0"),
        Full = Input("full", "Read everything, not only what was booked since the last seal", InputType.Boolean, "false"),
        Seconds = Input("seconds", "Seconds to wait for running requests", InputType.Number, "60"),
        Customer = new() { Name = "customer", Label = "Id of the customer (cus_…)", InputType = InputType.Text, Required = true },
        Filter = Input("filter", "Part of a model's name", InputType.Text, ""),
        PriceFile = new()
        {
            Name = "file", Label = "Path of LiteLLM's model_prices_and_context_window.json", InputType = InputType.Text, Required = true,
        };

    public static Service WithWalletCommands(this Service wallet, StackKeys keys)
    {
        var signed = new Signature(keys, ServiceCall.Wallet);
        return wallet
            .WithCall("verify", "Verify the books", "CheckmarkCircle", HttpMethod.Get, "/internal/verify", signed, inputs: [Wait, Full])
            .WithCall("seal", "Verify the books and seal them", "Ribbon", HttpMethod.Post, "/internal/seal", signed, inputs: Full)
            .WithCall(
                "list-stale", "List settlements of closed months", "CalendarCancel", HttpMethod.Get, "/internal/stale-settlements", signed)
            .WithErrorCommands(signed);
    }

    public static Service WithWebhooksCommands(this Service webhooks, StackKeys keys)
    {
        var signed = new Signature(keys, ServiceCall.Webhooks);
        return webhooks
            .WithCall("verify", "Look for missing events", "CheckmarkCircle", HttpMethod.Get, "/internal/verify", signed, inputs: Wait)
            .WithCall("deliver-now", "Deliver now", "Send", HttpMethod.Post, "/internal/deliveries/now", signed)
            .WithCall(
                "replay-dead-letters", "Replay dead letters", "ArrowRepeatAll", HttpMethod.Post, "/internal/dead-letters/replay", signed)
            .WithCall("reseal", "Bring secrets under the first key", "KeyReset", HttpMethod.Post, "/internal/reseal", signed)
            .WithErrorCommands(signed);
    }

    public static Service WithBillingCommands(this Service billing, StackKeys keys)
    {
        var signed = new Signature(keys, ServiceCall.Billing);
        return billing
            .WithCall("reconcile", "Reconcile with Stripe", "ArrowSync", HttpMethod.Post, "/internal/reconcile", signed)
            .WithCall("list-events", "List Stripe's events that wait", "MailAlert", HttpMethod.Get, "/internal/stripe-events", signed)
            .WithCall(
                "retry-events", "Put Stripe's events back", "MailArrowUp", HttpMethod.Post, "/internal/stripe-events/retry", signed)
            .WithCall("list-freezes", "List frozen top-ups", "LockClosed", HttpMethod.Get, "/internal/top-up-freezes", signed)
            .WithCall(
                "lift-freeze", "Let a customer top up again", "LockOpen", HttpMethod.Post, "/internal/top-up-freezes/lift", signed,
                inputs: Customer)
            .WithErrorCommands(signed);
    }

    /// <summary>Of a service that takes messages from queues.</summary>
    static Service WithErrorCommands(this Service service, Signature signed) => service
        .WithCall("list-errors", "List unhandled messages", "MailAlert", HttpMethod.Get, "/internal/error-queues", signed)
        .WithCall("retry-errors", "Put unhandled messages back", "MailArrowUp", HttpMethod.Post, "/internal/error-queues/retry", signed);

    public static Service WithSessionsCommands(this Service sessions, StackKeys keys)
    {
        var signed = new Signature(keys, ServiceCall.Sessions);
        return sessions
            .WithCall("list-models", "List models", "TextBulletList", HttpMethod.Get, "/internal/catalogue", signed, inputs: Filter)
            .WithCall(
                "import-prices", "Import prices", "ArrowImport", HttpMethod.Post, "/internal/catalogue/import", signed, Prices, PriceFile)
            .WithCall("reseal", "Bring secrets under the first keys", "KeyReset", HttpMethod.Post, "/internal/reseal", signed)
            .WithErrorCommands(signed);
    }

    public static Service WithProxyCommands(this Service proxy, StackKeys keys)
    {
        var signed = new Signature(keys, ServiceCall.Proxy);
        return proxy
            .WithCall("drain", "Drain", "ArrowExit", HttpMethod.Post, "/internal/drain", signed, inputs: Seconds)
            .WithCall("resume", "Resume", "ArrowEnter", HttpMethod.Post, "/internal/resume", signed);
    }

    public static Service WithSandboxCommands(this Service sandbox) => sandbox
        .WithCall("fail", "Fail", "PlugDisconnected", HttpMethod.Post, "/sandbox/behaviour", content: _ => Behaviour("-error-503"))
        .WithCall("slow", "Slow", "TimerOff", HttpMethod.Post, "/sandbox/behaviour", content: _ => Behaviour("-slow"))
        .WithCall("recover", "Recover", "PlugConnected", HttpMethod.Post, "/sandbox/behaviour", content: _ => Behaviour(null));

    /// <summary>An operator's signature on a call of a service.</summary>
    sealed record Signature(StackKeys Keys, string Service)
    {
        public async Task<string> SignAsync(CancellationToken token) => Sign((await Keys.First.Resource.GetValueAsync(token))!, Service);
    }

    public static string Sign(string key, string service) =>
        new ServiceCall(ServiceCall.Operator, service).Sign(
            ServiceCall.SealOf([KeySetting.Read(key, KeySetting.InternalKey)], TimeProvider.System));

    static JsonContent Behaviour(string? fault) => JsonContent.Create(new { fault });

    static StreamContent Prices(InteractionInputCollection inputs)
    {
        var content = new StreamContent(File.OpenRead(inputs["file"].Value!));
        content.Headers.ContentType = new("application/json");
        return content;
    }

    /// <summary>Inputs are the call's query, but for the path of a file, which is its body and names its source.</summary>
    static Service WithCall(
        this Service service, string name, string title, string icon, HttpMethod method, string path,
        Signature? signature = null, Func<InteractionInputCollection, HttpContent>? content = null,
        params InteractionInput[] inputs) =>
        service.WithHttpCommand(path, title, "http", name, new HttpCommandOptions
        {
            Method = method,
            IconName = icon,
            Arguments = inputs,
            PrepareRequest = async context =>
            {
                var query = inputs.Select(input => input == PriceFile
                    ? $"source={Uri.EscapeDataString($"LiteLLM, {Path.GetFileName(context.Arguments["file"].Value)}")}"
                    : $"{input.Name}={Uri.EscapeDataString(context.Arguments[input.Name].Value ?? "")}");
                context.Request.RequestUri = new UriBuilder(context.Request.RequestUri!) { Query = string.Join('&', query) }.Uri;
                context.Request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/plain"));
                if (signature is not null)
                    context.Request.Headers.Add(ServiceCall.Header, await signature.SignAsync(context.CancellationToken));
                context.Request.Content = content?.Invoke(context.Arguments);
            },
            GetCommandResult = async context =>
            {
                var text = await context.Response.Content.ReadAsStringAsync(context.CancellationToken);
                return context.Response.IsSuccessStatusCode
                    ? CommandResults.Success(text.Split('\n')[0], text, CommandResultFormat.Text, displayImmediately: true)
                    : CommandResults.Failure(Reason(text));
            },
        });

    /// <summary>Of a refusal, the message alone. Books that do not balance are an answer in words.</summary>
    static string Reason(string text) =>
        text.StartsWith('{') && JsonNode.Parse(text)?["error"]?["message"] is { } message ? (string)message! : text.TrimEnd();

    static InteractionInput Input(string name, string label, InputType type, string value) =>
        new() { Name = name, Label = label, InputType = type, Value = value };
}
