namespace LlmGateway.Edge;

/// <summary>
/// A gateway of others: Portkey's open-source one from npm (see <c>peers/package.json</c>). Left out when <c>./dev bench</c> could not
/// install it.
/// </summary>
static class Portkey
{
    const string Package = "node_modules/@portkey-ai/gateway";

    /// <param name="peers">The folder of <c>peers/package.json</c>.</param>
    public static Task<Target> StartAsync(string peers, int port, int upstream, string key) => Target.StartAsync(
        Rig.Portkey, Cores.UnderTest, port, key,
        [
            "node", "--require", Path.Combine(peers, "loopback.cjs"), Path.Combine(peers, Package, "build", "start-server.js"),
            $"--port={port}", "--headless",
        ],
        new() { ["NODE_ENV"] = "production" },
        headers: $"x-portkey-provider: openai\nx-portkey-custom-host: http://127.0.0.1:{upstream}/v1\n");
}
