using System.Diagnostics;

namespace LlmGateway.Proxy;

/// <summary>
/// The edge ignores a caller's <c>traceparent</c>. With it a caller could have everything recorded or nothing, or put a million requests
/// into one trace. Each request begins a trace of its own, and its span has a link to the caller's (<see cref="Spans.Begin"/>). Answers
/// carry no trace headers.
/// </summary>
public sealed class CallerTraces : DistributedContextPropagator
{
    public override IReadOnlyCollection<string> Fields => [];

    public override void ExtractTraceIdAndState(
        object? carrier, PropagatorGetterCallback? getter, out string? traceId, out string? traceState) =>
        (traceId, traceState) = (null, null);

    public override IEnumerable<KeyValuePair<string, string?>>? ExtractBaggage(object? carrier, PropagatorGetterCallback? getter) => null;

    public override void Inject(Activity? activity, object? carrier, PropagatorSetterCallback? setter)
    {
    }
}
