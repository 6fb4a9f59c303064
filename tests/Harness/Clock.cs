namespace LlmGateway.Harness;

/// <summary>
/// The one wait for a time: the end that a credential was made with. The proxies know it from the start, so that nothing can bring it
/// nearer.
/// </summary>
static class Clock
{
    public static Task ReachesAsync(DateTimeOffset time) => Eventually.HoldsAsync(
        () => Task.FromResult(DateTimeOffset.UtcNow >= time), $"{time:O}", time - DateTimeOffset.UtcNow + TimeSpan.FromSeconds(1));
}
