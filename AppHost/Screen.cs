using System.Text;

namespace LlmGateway.AppHost;

/// <summary>The one screen that a user sees when everything runs.</summary>
public static class Screen
{
    internal static string Text(Stack stack, SeededKeys keys)
    {
        var text = new StringBuilder("\nLLM Gateway runs.\n\n");
        var gateway = Url(Ports.Proxy);
        Line("Gateway", $"{gateway}   (and {Url(Ports.Proxy2)})");
        if (stack.HasDashboard)
            Line("Logs, traces", Login(stack) + "   (Aspire dashboard)");
        Line("Sandbox", $"{Url(Ports.Sandbox)}   (plays the model provider)");
        Line("Stripe", Payments(stack.Text("Stripe:Live:SecretKey"), stack.Text("Stripe:Test:SecretKey"), Url(Ports.SandboxStripe)));
        Line("Mail", $"{Url(Ports.Sandbox)}/sandbox/mail   (what the sandbox has caught)");
        Line("Servers", $"{stack.ServersAre}; data in {stack.Folder.Path}");
        if (keys.Backend is not null)
            Line("Backend key", keys.Backend);
        if (keys.Customer is not null)
            Line("Customer key", keys.Customer);
        if (keys.Models.Count > 0)
            Line("Models", string.Join(", ", keys.Models));
        if (keys is { Customer: { } key, Models: [var model, ..] })
            text.Append($$"""

                Try it:

                  curl {{gateway}}/v1/chat/completions -H 'Authorization: Bearer {{key}}' \
                    -H 'Content-Type: application/json' -d '{"model": "{{model}}", "messages": [{"role": "user", "content": "Hello"}]}'

                """);
        return text.ToString();

        void Line(string name, string value) => text.Append($"  {name,-14}{value}\n");
        string Url(int offset) => $"http://127.0.0.1:{stack.Base + offset}";
    }

    /// <summary>Whose Stripe is asked, and whether a card that is entered there is charged.</summary>
    /// <param name="live">The secret key of the live mode; null: there is none.</param>
    /// <param name="sandbox">Where the sandbox's is.</param>
    public static string Payments(string? live, string? test, string sandbox) => (live, test) switch
    {
        (null, null) => $"{sandbox}   (the sandbox's; any key sk_test_…)",
        (null, not null) => "your account, with your test key   (no card is charged; projects of mode live cannot take payments)",
        (not null, null) => "your account, with your live key   (CARDS ARE CHARGED; projects of mode test cannot take payments)",
        _ => "your account, with your live and your test key   (of projects of mode live, CARDS ARE CHARGED)",
    };

    /// <summary>With the token that the dashboard wants, if it wants one.</summary>
    static string Login(Stack stack)
    {
        var url = $"http://127.0.0.1:{stack.Base + Ports.Dashboard}";
        return stack.Builder.Configuration["AppHost:BrowserToken"] is { Length: > 0 } token ? $"{url}/login?t={token}" : url;
    }
}
