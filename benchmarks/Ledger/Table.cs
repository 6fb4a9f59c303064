using System.Globalization;

namespace LlmGateway.Ledgers;

/// <summary>The rows that a bench prints.</summary>
static class Table
{
    public static void Head() => Console.WriteLine(
        "| what | per second | PostgreSQL, CPU µs each | Wallet, CPU µs each | ratio | to |\n|---|---:|---:|---:|---:|---|");

    public static void Row(string what, Figures figures, double? ratio = null, string to = "") =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {what} | {figures.PerSecond:F0} | {figures.Postgres:F1} | {figures.Wallet:F1} | {ratio:F2} | {to} |"));

    public static void Goals() =>
        Console.WriteLine("\n| figure | target at least | reach for | this run |\n|---|---:|---:|---:|");

    /// <param name="bound">As it is written, with its sign.</param>
    public static void Goal(string figure, string bound, string reach, double value, string format = "F2") =>
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"| {figure} | {bound} | {reach} | {value.ToString(format, CultureInfo.InvariantCulture)} |"));
}
