namespace LlmGateway.Sessions;

/// <summary>The failpoints of this service, each with a sentence on what has happened when it is passed.</summary>
public static class Failpoints
{
    public static readonly IReadOnlyDictionary<string, string> All = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["sessions.mint.checked"] = "A session may be minted; the wallet is not open.",
        ["sessions.mint.opened"] = "The wallet is open; the session does not exist.",
        ["sessions.mint.saved"] = "The session exists; its token was not told.",
        ["sessions.refresh.counted"] = "The old token's end is written in an open transaction; the new one does not exist.",
        ["sessions.refresh.committed"] = "Both are committed and nobody told.",
        ["sessions.revoke.saved"] = "A session is revoked in the database; proxies do not know.",
        ["sessions.limits.owed"] = "Wallet owes new limits a look at what was used before; they are not there.",
        ["sessions.limits.saved"] = "They are there and proxies are told; Wallet has not looked.",
        ["sessions.key.created"] = "A key exists; its secret was not told.",
        ["sessions.key.rotated"] = "A key has another secret, which was not told; proxies do not know when the one from before ends.",
        ["sessions.key.revoked"] = "A key is revoked in the database; proxies do not know.",
        ["sessions.credits.opened"] = "A balance of call credits is open; no credential names it.",
        ["sessions.credits.known"] = "Credentials name it; nothing is in it.",
        ["sessions.copies.forgotten"] = "The copy in Redis is overwritten; the push is not sent.",
        ["sessions.copies.told"] = "The push is sent; the change is not answered.",
        ["sessions.credential.read"] = "A credential is read and not answered.",
    };
}
