using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.Contracts;

/// <summary>Keys of the operator's, as settings: 32 bytes in base64, or any other text of 32 characters or more.</summary>
public static class KeySetting
{
    public const string InternalKey = "Gateway:InternalKey", MasterKey = "Gateway:MasterKey", Pepper = "Gateway:Pepper";

    const int Bytes = 32, LeastCharacters = 32;

    /// <summary>
    /// A list beside a key: keys that are accepted, too, while one is replaced by another. They are read as if they stood in
    /// <paramref name="setting"/>.
    /// </summary>
    public static string Accepted(string setting) => setting.Replace(":", ":Accepted", StringComparison.Ordinal) + "s";

    /// <summary>
    /// 32 bytes in base64 are the key itself: deployments have secrets that were sealed and hashed with them. From other text a key is
    /// derived. Throws when the text is too short.
    /// </summary>
    /// <param name="setting">Its name separates a derived key from others', should they be given the same text.</param>
    public static byte[] Read(string text, string setting)
    {
        var key = new byte[Bytes];
        if (Convert.TryFromBase64String(text, key, out var written) && written == Bytes)
            return key;
        return text.Length >= LeastCharacters
            ? Derive(Encoding.UTF8.GetBytes(text), setting, Bytes)
            : throw new InvalidOperationException($"configuration '{setting}' must have {LeastCharacters} characters or more");
    }

    /// <summary>A key of its own for each purpose. None says anything of the others or of <paramref name="key"/>.</summary>
    public static byte[] Derive(byte[] key, string purpose, int bytes = Bytes) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, key, bytes, info: Encoding.UTF8.GetBytes(purpose));
}
