using System.Text.RegularExpressions;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>Versions of Stripe's interface. Whatever a caller names, objects have the shape of the latest.</summary>
static partial class StripeVersion
{
    public const string Latest = "2026-10-28.endive";

    /// <exception cref="Refusal">No version looks like that.</exception>
    public static string Of(string? given)
    {
        var version = string.IsNullOrEmpty(given) ? Latest : given;
        return Form().IsMatch(version)
            ? version
            : throw new Refusal(StatusCodes.Status400BadRequest, "invalid_request_error", $"Invalid Stripe API version: {version}")
            {
                IsKept = false,
            };
    }

    [GeneratedRegex(@"^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$")]
    private static partial Regex Form();
}
