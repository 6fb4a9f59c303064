namespace LlmGateway.Contracts;

/// <summary>
/// Where Redis has what an end user sees of their own wallet: the JSON of <c>GET /v1/wallet/balance</c>, as Wallet answers it. Its version
/// is the number of the entries of the wallet and of what its customer owes.
/// </summary>
public static class WalletCopy
{
    public static string Key(Guid wallet) => $"llmgw:wallet:{wallet:N}";
}
