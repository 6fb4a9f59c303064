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

    /// <param name="name">A member or a header, as the caller sent it. Another attempt may name it again.</param>
    public static void Add(HttpContext http, string name)
    {
        // Values of headers may have characters that no response may send back.
        name = new([.. name.Take(MaxName).Select(letter => char.IsAsciiLetterOrDigit(letter) || "-_.=[]".Contains(letter) ? letter : '?')]);
        string[] names = [.. http.Response.Headers.GetCommaSeparatedValues(Header)];
        if (names.Length < MaxNames && !names.Contains(name))
            http.Response.Headers[Header] = string.Join(", ", [.. names, name]);
    }
}
