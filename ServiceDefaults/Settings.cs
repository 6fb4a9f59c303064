using System.Globalization;
using LlmGateway.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// Settings of a service. Each is read once, before the service is built. Missing ones are collected, so that one line can name them all;
/// so are keys that cannot be ones, a line for each.
/// </summary>
public static class Settings
{
    /// <summary>A century.</summary>
    const int MaxDays = 36_500;

    const int MaxMilliseconds = 60_000;

    /// <summary>A setting that must have a value.</summary>
    public static string Setting(this IHostApplicationBuilder builder, string key)
    {
        if (builder.Configuration[key] is { Length: > 0 } value)
            return value;
        builder.Found().Missing.Add(key);
        return "";
    }

    /// <summary>A connection string that must be there.</summary>
    public static string Connection(this IHostApplicationBuilder builder, string name) => builder.Setting($"ConnectionStrings:{name}");

    /// <summary>
    /// A key that must be there, and those that are accepted beside it (<see cref="KeySetting.Accepted"/>): the first is to be used, all
    /// are to be understood. Empty when the key is missing.
    /// </summary>
    public static IReadOnlyList<byte[]> Keys(this IHostApplicationBuilder builder, string setting)
    {
        if (builder.Setting(setting) is not { Length: > 0 } first)
            return [];
        var keys = new List<byte[]>();
        foreach (var text in (string?[])[first, .. builder.Accepted(setting)])
            try
            {
                keys.Add(KeySetting.Read(text ?? "", setting));
            }
            catch (InvalidOperationException e)
            {
                builder.Found().Wrong.Add(e.Message);
            }
        return [.. keys.DistinctBy(Convert.ToHexString)];
    }

    /// <summary>
    /// A whole number of days with its unit, as in <c>400d</c>; null when it is not set. A number without a unit is refused, because two
    /// people read two things into it.
    /// </summary>
    public static TimeSpan? Days(this IHostApplicationBuilder builder, string key, int atLeast) =>
        builder.Number(key, "d", atLeast, MaxDays, "a number of days", "400d") is { } days ? TimeSpan.FromDays(days) : null;

    /// <summary>The same of milliseconds, as in <c>700ms</c>.</summary>
    public static TimeSpan? Milliseconds(this IHostApplicationBuilder builder, string key, int atLeast) =>
        builder.Number(key, "ms", atLeast, MaxMilliseconds, "a number of milliseconds", "700ms") is { } milliseconds
            ? TimeSpan.FromMilliseconds(milliseconds)
            : null;

    /// <summary>A whole number without a unit; null when it is not set.</summary>
    public static int? Count(this IHostApplicationBuilder builder, string key, int atLeast)
    {
        if (builder.Configuration[key] is not { Length: > 0 } text)
            return null;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= atLeast)
            return number;
        builder.Found().Wrong.Add($"{key} is '{text}', but must be a whole number of {atLeast} or more");
        return null;
    }

    /// <summary><c>true</c> or <c>false</c>; false when it is not set.</summary>
    public static bool Switch(this IHostApplicationBuilder builder, string key)
    {
        if (builder.Configuration[key] is not { Length: > 0 } text)
            return false;
        if (bool.TryParse(text, out var isOn))
            return isOn;
        builder.Found().Wrong.Add($"{key} is '{text}', but must be true or false");
        return false;
    }

    /// <summary>What is wrong with a setting beyond its form. The start ends with it.</summary>
    public static void Wrong(this IHostApplicationBuilder builder, string mistake) => builder.Found().Wrong.Add(mistake);

    static int? Number(this IHostApplicationBuilder builder, string key, string unit, int least, int most, string what, string example)
    {
        if (builder.Configuration[key] is not { Length: > 0 } text)
            return null;
        if (text.EndsWith(unit, StringComparison.Ordinal)
            && int.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number >= least && number <= most)
            return number;
        builder.Found().Wrong.Add($"{key} is '{text}', but must be {what} from {least} to {most} and its unit, as in {example}");
        return null;
    }

    /// <summary>
    /// Builds the service. Where settings are missing or wrong, the process ends with lines that name them, and exit code 1.
    /// </summary>
    public static WebApplication BuildService(this WebApplicationBuilder builder)
    {
        var (missing, wrong) = builder.Found();
        if (missing.Count > 0)
            wrong.Add($"configuration is missing {string.Join(", ", missing)}");
        foreach (var mistake in wrong)
            Console.Error.WriteLine($"{builder.Environment.ApplicationName}: {mistake}");
        if (wrong.Count > 0)
            Environment.Exit(1);
        return builder.Build();
    }

    static IEnumerable<string?> Accepted(this IHostApplicationBuilder builder, string setting) =>
        builder.Configuration.GetSection(KeySetting.Accepted(setting)).GetChildren().Select(key => key.Value);

    static (SortedSet<string> Missing, SortedSet<string> Wrong) Found(this IHostApplicationBuilder builder)
    {
        if (!builder.Properties.TryGetValue(typeof(Settings), out var found))
            builder.Properties[typeof(Settings)] = found =
                (new SortedSet<string>(StringComparer.Ordinal), new SortedSet<string>(StringComparer.Ordinal));
        return ((SortedSet<string>, SortedSet<string>))found;
    }
}
