using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary><c>GET /v1/wallet/balance</c> from the copy in Redis. Where there is none, Wallet answers, and makes one.</summary>
public sealed class OwnBalance(RedisClient redis)
{
    const string Path = "/v1/wallet/balance";

    /// <summary>False when Wallet must answer.</summary>
    public async ValueTask<bool> TryAnswerAsync(HttpContext http, Credential caller)
    {
        if (caller is not { Kind: CredentialKind.Session, Wallet: { } wallet } || http.Request.Path != Path
            || !HttpMethods.IsGet(http.Request.Method) || await redis.NewestAsync(WalletCopy.Key(wallet)) is not { } json)
            return false;
        http.Response.ContentType = "application/json; charset=utf-8";
        http.Response.ContentLength = json.Length;
        await http.Response.Body.WriteAsync(json, http.RequestAborted);
        return true;
    }
}
