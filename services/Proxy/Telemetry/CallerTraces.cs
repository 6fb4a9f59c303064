using System.Diagnostics;

namespace LlmGateway.Proxy;

/// <summary>
/// A caller's <c>traceparent</c> decides nothing here: it could have everything recorded or nothing, and put a million requests into one
/// trace. A request begins a trace of its own, whose span has a link to the caller's (<see cref="Spans.Begin"/>). Answers say nothing of
/// it.
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
