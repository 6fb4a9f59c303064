namespace LlmGateway.Harness;

/// <summary>
/// What is ordered from the sandbox's Stripe about one id alone: events and calls that have it. Other tests do not notice. Disposing it
/// ends the orders; what is held by then is never told.
/// </summary>
sealed record StripeOrders(string About) : IAsyncDisposable
{
    public Task HoldAsync(int repeat = 1) =>
        Purchase.OrderAsync("/webhooks", $$"""{"about":"{{About}}","hold":true,"repeat":{{repeat}}}""");

    public Task ReleaseAsync(bool shuffled = false) =>
        Purchase.OrderAsync($"/webhooks/release?about={About}&shuffled={(shuffled ? "true" : "false")}");

    public Task LoseAsync() => Purchase.OrderAsync($"/webhooks/lose?about={About}");

    /// <summary>Returns when nothing about it is on its way any more.</summary>
    public Task SettleAsync() => Purchase.OrderAsync($"/webhooks/settle?about={About}");

    /// <param name="match">Method and the beginning of the path.</param>
    public Task FailAsync(string kind, string match, int count = 1, int milliseconds = 0) => Purchase.OrderAsync(
        "/faults",
        $$"""{"about":"{{About}}","kind":"{{kind}}","match":"{{match}}","count":{{count}},"milliseconds":{{milliseconds}}}""");

    public async ValueTask DisposeAsync()
    {
        await Purchase.OrderAsync("/webhooks", $$"""{"about":"{{About}}"}""");
        await Purchase.OrderAsync($"/faults?about={About}", method: "DELETE");
    }
}
