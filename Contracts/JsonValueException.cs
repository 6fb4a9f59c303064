using System.Text.Json;

namespace LlmGateway.Contracts;

/// <summary>Thrown by our converters for a value that they refuse.</summary>
public sealed class JsonValueException(string reason) : JsonException(reason)
{
    /// <summary>What the value must be or is, after the name of its field: <c>must not be negative</c>.</summary>
    public string Reason { get; } = reason;
}
