namespace LlmGateway.Proxy;

/// <summary>What the address of a request says.</summary>
/// <param name="Model">Null on wires that name the model in the body.</param>
/// <param name="Stream">The address asks for a stream.</param>
/// <param name="Sse">The stream is wanted as server-sent events; false where <c>alt=sse</c> is missing on the Gemini wire.</param>
public readonly record struct RequestTarget(string? Model, bool Stream, bool Sse);
