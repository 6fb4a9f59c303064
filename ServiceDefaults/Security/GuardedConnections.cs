using System.Net;
using System.Net.Sockets;

namespace LlmGateway.ServiceDefaults;

/// <summary>The name leads to an address that is not a public one.</summary>
public sealed class NotPublicException() : HttpRequestException(HttpRequestError.ConnectionError, "the address is not a public one");

/// <summary>
/// Connections to addresses that tenants choose. A name is resolved once, and every result must be public (a mix of both is an attack). The
/// connection goes to a checked address, so that a name that changes meanwhile gains nothing. TLS still verifies the name. Clients that use
/// it must have no redirects, no proxy and no shared pool, which would bypass the check.
/// </summary>
/// <param name="allowed">Hosts that may be private.</param>
/// <param name="resolve">Null asks the system's resolver.</param>
/// <param name="connect">To the first of the checked addresses that can be reached. Null opens a socket.</param>
public sealed class GuardedConnections(
    PrivateHosts allowed,
    Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null,
    Func<IPAddress[], int, CancellationToken, Task<Stream>>? connect = null)
{
    /// <summary>A resolver that is slower has not found the name. Shorter than the callers' limits for a connection.</summary>
    static readonly TimeSpan LookupLimit = TimeSpan.FromSeconds(4);

    readonly NameLookups _names = new(resolve);
    readonly Func<IPAddress[], int, CancellationToken, Task<Stream>> _connect = connect ?? OpenAsync;

    public PrivateHosts Allowed => allowed;

    /// <summary>
    /// For <see cref="SocketsHttpHandler.ConnectCallback"/>. Throws <see cref="NotPublicException"/> when the name leads anywhere but to
    /// the public internet.
    /// </summary>
    public ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken token) =>
        ConnectAsync(context, context.DnsEndPoint.Host, token);

    /// <param name="owner">Whose name it is; the other overload takes each host for an owner.</param>
    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, string owner, CancellationToken token)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        using var limit = token.WithTimeout(LookupLimit);
        IPAddress[] addresses;
        try
        {
            addresses = await CheckedAsync(host, port, owner, limit.Token);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            throw new SocketException((int)SocketError.TryAgain);
        }
        return await _connect(addresses, port, token);
    }

    /// <summary>As the other overload, with the host for its owner.</summary>
    public Task<IPAddress[]> CheckedAsync(string host, int port, CancellationToken token) => CheckedAsync(host, port, host, token);

    /// <summary>The addresses that a connection to the host may use. Throws as a connection does.</summary>
    public async Task<IPAddress[]> CheckedAsync(string host, int port, string owner, CancellationToken token)
    {
        var addresses = IPAddress.TryParse(host, out var literal) ? [literal] : await _names.FindAsync(host, owner, token);
        if (addresses.Length == 0 || (!allowed.Contains(host.Trim('[', ']'), port) && !Array.TrueForAll(addresses, PublicAddress.IsPublic)))
            throw new NotPublicException();
        return addresses;
    }

    static async Task<Stream> OpenAsync(IPAddress[] addresses, int port, CancellationToken token)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, port, token);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
