using Microsoft.Extensions.Configuration;

namespace LlmGateway.AppHost;

/// <summary>Where the Aspire dashboard is.</summary>
static class Dashboard
{
    public static bool HasDashboard(this Stack stack) => stack.Text("Dashboard") != "false";

    /// <summary>Like every other port of the stack, they follow from its base.</summary>
    public static void UseDashboardPorts(this Stack stack)
    {
        if (!stack.HasDashboard())
            return;
        stack.Builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ASPNETCORE_URLS"] = Url("dashboard", Ports.Dashboard),
            ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = Url("dashboard, OTLP", Ports.Otlp),
            ["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = Url("dashboard, resources", Ports.ResourceService),
            // Nobody but this machine can reach it.
            ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",
        });

        string Url(string name, int offset) => $"http://127.0.0.1:{stack.Port(name, offset)}";
    }
}
