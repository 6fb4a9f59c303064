using System.Text.Json.Serialization;

namespace LlmGateway.Contracts;

/// <summary>What a call of an MCP server's tool costs, from the wallet.</summary>
public sealed record ToolPrice
{
    /// <summary>Of a call that succeeds. Null: it costs no money.</summary>
    [JsonConverter(typeof(UnitRateJson))]
    public Rate? Price { get; init; }

    /// <summary>
    /// The most that a call may cost when the server says in <c>_meta.cost</c> what it has cost. Null: <see cref="Price"/>.
    /// </summary>
    [JsonConverter(typeof(UnitRateJson))]
    public Rate? MaxCost { get; init; }

    /// <summary>What is held before a call.</summary>
    public Rate Most() => new(Math.Max(Price?.Picos ?? 0, MaxCost?.Picos ?? 0));
}
