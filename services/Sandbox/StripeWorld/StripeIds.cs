using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>Ids with Stripe's prefixes, alphabet and lengths.</summary>
static class StripeIds
{
    const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const string Small = "0123456789abcdefghijklmnopqrstuvwxyz";

    public static string New(string prefix) =>
        $"{prefix}_{Text(prefix switch { "cus" or "prod" or "req" => 14, "acct" => 16, _ => 24 })}";

    public static string Secret(string id) => $"{id}_secret_{Text(25)}";

    public static string Text(int length) => RandomNumberGenerator.GetString(Alphabet, length);

    public static string SmallText(int length) => RandomNumberGenerator.GetString(Small, length);

    /// <summary>The same for the same card of the same account.</summary>
    public static string Fingerprint(string of)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(of));
        return string.Concat(hash.Take(16).Select(each => Alphabet[each % Alphabet.Length]));
    }
}
