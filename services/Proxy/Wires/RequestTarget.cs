namespace LlmGateway.Proxy;

/// <summary>What a request's address says.</summary>
/// <param name="Model">Null on wires that name the model in the body.</param>
/// <param name="Stream">The address asks for a stream.</param>
/// <param name="Sse">The stream is wanted as server-sent events. False on the Gemini wire without <c>alt=sse</c>.</param>
public readonly record struct RequestTarget(string? Model, bool Stream, bool Sse);
