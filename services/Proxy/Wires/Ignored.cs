namespace LlmGateway.Proxy;

/// <summary>
/// The response header that names what a request asked for and what was left out, because the provider could not be told of it. What is
/// left out changes neither the cost nor the meaning of the answer that is paid for.
/// </summary>
public static class Ignored
{
    public const string Header = "X-LLMGateway-Ignored";

    /// <summary>Most names and longest name. The caller may send any number, and a response's head has a bound.</summary>
    const int MaxNames = 32, MaxName = 100;

    /// <summary>Begins anew: another provider may know what the one before did not.</summary>
    public static void Set(HttpContext http, IReadOnlyList<string> names)
    {
        if (names.Count == 0)
            http.Response.Headers.Remove(Header);
        else
            http.Response.Headers[Header] = string.Join(", ", names.Take(MaxNames).Select(Plain));
    }

    /// <param name="name">A member or a header, as the caller sent it. Another attempt may name it again.</param>
    public static void Add(HttpContext http, string name)
    {
        name = Plain(name);
        string[] names = [.. http.Response.Headers.GetCommaSeparatedValues(Header)];
        if (names.Length < MaxNames && !names.Contains(name))
            http.Response.Headers[Header] = string.Join(", ", [.. names, name]);
    }

    /// <summary>What callers write may have characters that no response may send back.</summary>
    static string Plain(string name) =>
        new([.. name.Take(MaxName).Select(letter => char.IsAsciiLetterOrDigit(letter) || "-_.=[]".Contains(letter) ? letter : '?')]);
}
