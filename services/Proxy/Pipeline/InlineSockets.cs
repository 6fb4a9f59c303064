namespace LlmGateway.Proxy;

/// <summary>
/// What follows a read or a write runs on the thread that noticed its completion, without a change of threads for each: a good third of the cost of a
/// short request. The price is a rule: nothing on a request's way may block, because it would hold up every other connection of that thread.
/// </summary>
public static class InlineSockets
{
    /// <summary>To be called before the process has used a socket: .NET reads the variable once.</summary>
    public static void UseInlineSockets(this WebApplicationBuilder builder)
    {
        Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
        builder.WebHost.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true);
    }
}
