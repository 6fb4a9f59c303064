using System.Text.Json;
using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// <c>GET /v1/wallet/balance</c> from the copy in Redis. Where there is none, Wallet answers, and makes one. A customer's limits are
/// Sessions' to know, so they are asked for where there are some, and null while Sessions is away.
/// </summary>
public sealed class OwnBalance(RedisClient redis, SessionsClient sessions)
{
    public const string Path = "/v1/wallet/balance";

    /// <summary>False when Wallet must answer.</summary>
    /// <param name="wallet">Asks Wallet.</param>
    public async ValueTask<bool> TryAnswerAsync(HttpContext http, Credential caller, Func<Task<byte[]>> wallet)
    {
        if (caller is not { Kind: CredentialKind.Session, Wallet: { } own } || http.Request.Path != Path
            || !HttpMethods.IsGet(http.Request.Method))
            return false;
        var copy = await redis.NewestAsync(WalletCopy.Key(own));
        if (HasLimits(caller))
            copy = await WithLimitsAsync(copy ?? await wallet(), caller.Customer!.Value);
        if (copy is not { } json)
            return false;
        http.Response.ContentType = "application/json; charset=utf-8";
        http.Response.ContentLength = json.Length;
        await http.Response.Body.WriteAsync(json, http.RequestAborted);
        return true;
    }

    /// <summary>Those that have a name are the customer's, as its backend has set them.</summary>
    static bool HasLimits(Credential caller) =>
        caller.Claim?.Limits.Any(limit => limit is { Level: LimitLine.Customer, Name: not null }) ?? false;

    async Task<byte[]> WithLimitsAsync(ReadOnlyMemory<byte> balance, Guid customer)
    {
        JsonNode? limits = null;
        try
        {
            limits = await sessions.LimitsAsync(customer);
        }
        catch (Exception e) when (Problems.IsOutage(e))
        {
            // Who is here to see the balance sees that.
        }
        var shown = JsonNode.Parse(balance.Span)!.AsObject();
        shown["limits"] = limits;
        return JsonSerializer.SerializeToUtf8Bytes(shown, Defaults.Json);
    }
}
