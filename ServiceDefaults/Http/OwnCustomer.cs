using System.Collections.Frozen;
using LlmGateway.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// A client is a member who sees one customer. It is decided at the door of every service, by the route: those under a customer's or a
/// wallet's address are open for his own, those that are named here look at his customer themselves, and every other one is closed. So a
/// new route is closed until somebody names it.
/// </summary>
public static class OwnCustomer
{
    const string OfCustomers = "/v1/customers/{id}", OfWallets = "/v1/wallets/{id}";

    /// <summary>What they show is everybody's, the member's own, or narrowed to <see cref="Principal.Customer"/>.</summary>
    static readonly FrozenSet<string> Narrowed =
    [
        "GET /v1/config", "GET /v1/invoices", "GET /v1/invoices/{id}", "GET /v1/members/me", "POST /v1/members/me/tokens",
        "DELETE /v1/members/me/tokens",
    ];

    /// <summary>Why a client may not make this call. Null for every other caller, and for what is his own.</summary>
    public static Problem? Refusal(HttpContext http, Principal? caller) =>
        caller is not { Kind: CredentialKind.Member, Customer: { } customer } || http.GetEndpoint() is not RouteEndpoint route
            ? null
            : Refusal(
                RouteCallers.NameOf(http.Request.Method, route), http.Request.RouteValues["id"] as string ?? "", customer, caller.Wallet);

    /// <summary>What is another customer's is not there.</summary>
    static Problem? Refusal(string route, string id, Guid customer, Guid? wallet)
    {
        var path = route[(route.IndexOf(' ', StringComparison.Ordinal) + 1)..];
        if (Narrowed.Contains(route))
            return null;
        if (IsUnder(path, OfCustomers))
            return Ids.TryParse(Ids.Customer, id, out var named) && named == customer ? null : Problems.NotFound("customer");
        if (IsUnder(path, OfWallets))
            return Ids.TryParse(Ids.Wallet, id, out var held) && held == wallet ? null : Problems.NotFound("wallet");
        return Problems.InsufficientPermission(Permissions.Of(route) ?? "*") with
        {
            Message = "A client sees what is his own customer's alone, and this shows more.",
        };
    }

    static bool IsUnder(string path, string root) => path == root || path.StartsWith($"{root}/", StringComparison.Ordinal);
}
