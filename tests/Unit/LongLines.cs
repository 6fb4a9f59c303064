namespace LlmGateway.UnitTests;

/// <summary>Recorded bytes whose lines are longer than ours may be.</summary>
static class LongLines
{
    /// <summary>Joins a line that is indented by four spaces to the line above it.</summary>
    public static string Unwrapped(this string text) => text.Replace("\n    ", "", StringComparison.Ordinal);
}
