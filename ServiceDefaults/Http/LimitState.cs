using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// A limit as a refused request met it. Amounts are decimal strings in the unit; one that is not known is null and left out.
/// </summary>
/// <param name="Level">Whose it is: <c>customer</c>, <c>key</c>, <c>session</c>, <c>plan</c>, <c>wallet</c>, <c>credential</c>.</param>
/// <param name="Used">Used and held by requests that run. Of a wallet: held by requests that run.</param>
/// <param name="Limit">How far it may go. Of a wallet: its balance.</param>
/// <param name="Missing">What the request needs beyond that.</param>
/// <param name="Resets">When its cycle ends, or a limit per minute is whole again. Null when it has none.</param>
public sealed record LimitState(string Level, string Unit, string? Used, string? Limit, string? Missing, DateTimeOffset? Resets)
{
    /// <summary>What its owner knows the limit by. Null where it has no name.</summary>
    public string? Id { get; init; }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject("limit");
        WriteKnown("id", Id);
        json.WriteString("level", Level);
        json.WriteString("unit", Unit);
        WriteKnown("used", Used);
        WriteKnown("limit", Limit);
        WriteKnown("missing", Missing);
        if (Resets is { } resets)
            json.WriteString("resets", resets);
        else
            json.WriteNull("resets");
        json.WriteEndObject();

        void WriteKnown(string name, string? amount)
        {
            if (amount is not null)
                json.WriteString(name, amount);
        }
    }
}

/// <summary>
/// Call credits as a refused request met them. The members are those that <c>ApiGatewayClient</c> reads (contract §9).
/// </summary>
/// <param name="Balances">What the customer has of each type that it has.</param>
/// <param name="QueryType">The type that was needed.</param>
/// <param name="Current">What it has of that one.</param>
public sealed record CreditState(IReadOnlyList<CreditBalance> Balances, string QueryType, CreditBalance Current)
{
    /// <summary>With none of a type that is not among them.</summary>
    public static CreditState Of(string type, IEnumerable<CreditBalance> balances)
    {
        var all = balances.ToList();
        return new(all, type, all.Find(balance => balance.Type == type) ?? new(type, 0));
    }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject("details");
        json.WriteStartArray("balances");
        foreach (var balance in Balances)
            Write(json, balance);
        json.WriteEndArray();
        json.WriteString("queryType", QueryType);
        json.WritePropertyName("currentBalance");
        Write(json, Current);
        json.WriteEndObject();
    }

    static void Write(Utf8JsonWriter json, CreditBalance balance)
    {
        json.WriteStartObject();
        json.WriteString("type", balance.Type);
        json.WriteNumber("count", balance.Count);
        json.WriteEndObject();
    }
}
