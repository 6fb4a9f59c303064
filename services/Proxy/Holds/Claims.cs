using System.Runtime.CompilerServices;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>The claims of the credentials that this proxy has in memory. Each is made once, not with each request.</summary>
static class Claims
{
    static readonly ConditionalWeakTable<Credential, Claim> Known = [];

    /// <summary>Null when nothing limits the caller and nothing is charged.</summary>
    public static Claim? Of(Credential credential) =>
        credential.Registers.Count == 0 ? null : Known.GetValue(credential, static credential => Make(credential));

    static Claim Make(Credential credential)
    {
        var lines = credential.Registers.Select(register => new ClaimLine(register.Id, register.Kind, register.Unit)).ToList();
        var sources = lines.Where(line => line.Kind == AccountKind.Wallet).ToList();
        lines.RemoveAll(sources.Contains);
        return new([.. lines, .. sources], lines.Count, scope: null);
    }
}
