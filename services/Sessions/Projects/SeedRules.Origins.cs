using System.Text.RegularExpressions;

namespace LlmGateway.Sessions;

/// <summary>
/// Which origins a project's list may have. They are compared with what a browser sends, as text, so that one that no browser sends would
/// never match, and is refused when it is saved.
/// </summary>
public static partial class SeedRules
{
    /// <summary>What is wrong with an origin, or null.</summary>
    public static string? OriginMistake(string origin)
    {
        if (origin.Length > MaxOrigin || !Origin.IsMatch(origin))
            return "must be an exact origin in lower case, such as https://app.example.com, without path";
        if (origin.StartsWith("chrome-extension:", StringComparison.Ordinal) && !ChromeExtension.IsMatch(origin))
            return "must have the id of a Chrome extension, which is 32 letters from a to p";
        if (origin.StartsWith("moz-extension:", StringComparison.Ordinal))
            return "cannot be that of a Firefox extension, which has another id in each browser";
        return UsualPort.IsMatch(origin) ? "must not have the usual port of its scheme, which browsers leave out" : null;
    }

    [GeneratedRegex(@"^chrome-extension://[a-p]{32}\z")]
    private static partial Regex ChromeExtension { get; }

    [GeneratedRegex(@"^(https://.*:443|http://.*:80)\z")]
    private static partial Regex UsualPort { get; }
}
