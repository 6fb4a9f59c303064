namespace LlmGateway.Proxy;

/// <summary>
/// Continuations of socket reads and writes run on the thread that noticed the completion. This saves a change of threads for each, about a
/// third of the cost of a short request. The consequence is a rule: no code on a request's way may block, because it would stop every other
/// connection of that thread.
/// </summary>
public static class InlineSockets
{
    /// <summary>Must be called before the process uses a socket: .NET reads the variable once.</summary>
    public static void UseInlineSockets(this WebApplicationBuilder builder)
    {
        Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
        builder.WebHost.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true);
    }
}
