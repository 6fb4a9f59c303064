using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.ServiceDefaults;

/// <summary>Keys of the operator's, as settings: any text of 32 characters or more, from which 32 bytes are derived for each purpose.</summary>
public static class KeySetting
{
    const int Bytes = 32, LeastCharacters = 32;

    /// <param name="setting">Its name also separates its purpose from others', should they be given the same text.</param>
    public static byte[] Derive(string text, string setting) => text.Length >= LeastCharacters
        ? HKDF.DeriveKey(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(text), Bytes, info: Encoding.UTF8.GetBytes(setting))
        : throw new InvalidOperationException($"configuration '{setting}' must have {LeastCharacters} characters or more");
}
