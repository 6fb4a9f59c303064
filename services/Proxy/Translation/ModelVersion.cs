using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmGateway.Proxy.Translation;

static class ModelVersion
{
    /// <summary>The version in a model's name, which compares by its parts; null for a name without one.</summary>
    /// <param name="match">Of the name: the first group is the major number, the second one the minor, where there is one.</param>
    public static (int Major, int Minor)? Of(Match match) => match.Success ? (Number(match.Groups[1]), Number(match.Groups[2])) : null;

    static int Number(Group digits) => digits.Success ? int.Parse(digits.ValueSpan, CultureInfo.InvariantCulture) : 0;
}
