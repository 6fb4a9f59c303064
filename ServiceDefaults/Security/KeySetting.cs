using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.ServiceDefaults;

/// <summary>Keys of the operator's, as settings: 32 bytes in base64, or any other text of 32 characters or more.</summary>
public static class KeySetting
{
    const int Bytes = 32, LeastCharacters = 32;

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
            ? HKDF.DeriveKey(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(text), Bytes, info: Encoding.UTF8.GetBytes(setting))
            : throw new InvalidOperationException($"configuration '{setting}' must have {LeastCharacters} characters or more");
    }
}
