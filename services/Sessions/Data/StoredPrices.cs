using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>Prices as the database keeps them.</summary>
public static class StoredPrices
{
    public static string Text(Prices prices) => JsonSerializer.Serialize(prices, Defaults.Json);

    public static Prices Read(string stored) => JsonSerializer.Deserialize<Prices>(stored, Defaults.Json)!;

    /// <summary>Compares the values, not the spelling in the database.</summary>
    public static bool IsSame(Prices prices, string? stored) => stored is not null && Text(Read(stored)) == Text(prices);
}
