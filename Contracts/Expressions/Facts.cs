namespace LlmGateway.Contracts.Expressions;

/// <summary>What an expression is told of one request and its response. Names of headers should be compared without their case.</summary>
public sealed record Facts
{
    static readonly Dictionary<string, string> None = [];

    public string Method { get; init; } = "";
    public string Path { get; init; } = "";
    public IReadOnlyDictionary<string, string> Query { get; init; } = None;
    public IReadOnlyDictionary<string, string> Headers { get; init; } = None;
    public ReadOnlyMemory<byte> RequestBody { get; init; }
    public string UserId { get; init; } = "";
    public string PlanId { get; init; } = "";
    public string KeyId { get; init; } = "";
    public DateTimeOffset Now { get; init; }
    public int Status { get; init; }
    public IReadOnlyDictionary<string, string> ResponseHeaders { get; init; } = None;

    /// <summary>What the <see cref="ResponseCollector"/> has kept for this expression.</summary>
    public KeptResponse Response { get; init; } = KeptResponse.Nothing;

    /// <summary>The provider's counts, if they were found and can be believed.</summary>
    public Usage? Usage { get; init; }
}
