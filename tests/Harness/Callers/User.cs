namespace LlmGateway.Harness;

/// <summary>An end user with a session.</summary>
sealed record User(Backend Backend, string ExternalId, string Token, string SessionId, string CustomerId, string WalletId)
{
    public Guid Customer => Guid.ParseExact(CustomerId["cus_".Length..], "N");

    public Task<Reply> ChatAsync(string model, string prompt, string? more = null, Uri? at = null) =>
        Chat.AskAsync(Token, model, prompt, more, at);

    public Task<Reply> StreamAsync(string model, string prompt, string? more = null, Uri? at = null) =>
        Chat.AskAsync(Token, model, prompt, "\"stream\":true" + (more is null ? "" : "," + more), at);

    public async Task LimitAsync(int? requestsPerMinute, int? tokensPerMinute) =>
        (await Backend.PutAsync(
            $"/v1/customers/{CustomerId}/rates",
            System.Text.Json.JsonSerializer.Serialize(new { requestsPerMinute, tokensPerMinute }))).MustBe(200);

    /// <summary>What the backend sees; nano-dollars.</summary>
    public async Task<long> BalanceAsync() =>
        Gateway.Nanos((await Backend.GetAsync($"/v1/wallets/{WalletId}")).MustBe(200).Json.GetProperty("balance"));

    public async Task<Reply> OwnBalanceAsync() => await Gateway.SendAsync("GET", "/v1/wallet/balance", Token, at: Stack.Proxy2);

    /// <summary>The balance when so many requests have been settled.</summary>
    public async Task<long> BalanceAfterAsync(int requests)
    {
        Assert.Equal(requests, (await Books.UsageAsync(this, requests)).Count);
        return await BalanceAsync();
    }
}
