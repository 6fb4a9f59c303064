using System.Text.RegularExpressions;
using LlmGateway.UnitTests.Docs;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>
/// Each way out of the product is known, and says why tenants cannot lead it anywhere: one that were not guarded would undo the guard of
/// all others.
/// </summary>
public sealed partial class OutboundClientsTests
{
    static readonly string[] Known =
    [
        "ServiceDefaults/Http/ServiceClients.cs", // the gateway's own services, by names of the configuration
        "ServiceDefaults/Security/GuardedConnections.cs", // the guard
        "services/Billing/Mail/MailWorker.cs", // the operator's mail server, by configuration
        "services/Proxy/Management/ManagementCalls.cs", // the gateway's own services
        "services/Proxy/Upstreams/UpstreamClient.cs", // providers: tenants' through the guard
        "services/Webhooks/Deliveries/Receiver.cs", // through the guard
    ];

    [Fact]
    public void Nothing_opens_a_connection_but_what_is_known_to() => Assert.Equal(
        Known,
        ((string[])["ServiceDefaults", "services"])
            .SelectMany(folder => Directory.EnumerateFiles(
                Path.Combine(ArchitectureTests.Repository, folder), "*.cs", SearchOption.AllDirectories))
            .Where(file => !file.Contains("/services/Sandbox/", StringComparison.Ordinal) && Opens().IsMatch(File.ReadAllText(file)))
            .Select(file => Path.GetRelativePath(ArchitectureTests.Repository, file))
            .Order(StringComparer.Ordinal));

    [Fact]
    public void Who_calls_addresses_of_tenants_does_so_through_the_guard() => Assert.All(
        Known[4..], file => Assert.Contains("ConnectCallback", File.ReadAllText(Path.Combine(ArchitectureTests.Repository, file))));

    [GeneratedRegex(
        @"new (HttpClient|SocketsHttpHandler|HttpClientHandler|HttpMessageInvoker|ClientWebSocket|SmtpClient|TcpClient|UdpClient|Socket)\b"
            + @"|AddHttpClient[<(]|SocketsHttpHandler New\w+\(|WebRequest\.")]
    private static partial Regex Opens();
}
