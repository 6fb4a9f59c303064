using System.Buffers;
using System.Diagnostics;
using LlmGateway.Contracts;
using Microsoft.AspNetCore.Http.Features;

namespace LlmGateway.Proxy;

/// <summary>
/// The spans of the edge. While nobody listens (no OTLP endpoint) each of these methods is a look at one field: nothing is created, nothing
/// allocated.
/// </summary>
public static class Spans
{
    public static readonly ActivitySource Source = new("LlmGateway.Proxy");

    const int MaxWord = 128;

    /// <summary>What names of models and codes are made of.</summary>
    static readonly SearchValues<char> WordCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:/@");

    /// <summary>The request's span; null when its trace is not recorded.</summary>
    public static Activity? Of(HttpContext http) =>
        Source.HasListeners() && http.Features.Get<IHttpActivityFeature>()?.Activity is { Recorded: true } span ? span : null;

    /// <summary>What a record on disk remembers of the request's span.</summary>
    public static ActivityContext ContextOf(HttpContext http) => Of(http)?.Context ?? default;

    /// <summary>Names the request's span and metrics by their route: calls to models do not pass through routing, which does it for
    /// others.</summary>
    public static void Begin(HttpContext http, string route)
    {
        if (!Source.HasListeners())
            return;
        http.Features.Get<IHttpMetricsTagsFeature>()?.Tags.Add(new("http.route", route));
        if (Of(http) is not { } span)
            return;
        span.DisplayName = $"{http.Request.Method} {route}";
        span.SetTag("http.route", route);
        if (ActivityContext.TryParse(http.Request.Headers.TraceParent, null, isRemote: true, out var callers))
            span.AddLink(new(callers));
    }

    /// <summary>The request was refused before anything was reserved.</summary>
    /// <param name="code">A code of <see cref="ServiceDefaults.Problems"/>.</param>
    public static void Refused(HttpContext http, string code) => Of(http)?.SetTag("llmgateway.refusal", code);

    /// <summary>The request's settlement is on the spool.</summary>
    /// <param name="paid">What the caller pays, which may be less than the cost.</param>
    public static void Settled(UsageRecord usage, Money paid)
    {
        if (!Source.HasListeners())
            return;
        for (var span = Activity.Current; span is not null; span = span.Parent)
        {
            if (!span.IsAllDataRequested)
                continue;
            if (usage.Customer is { } customer)
                span.SetTag("llmgateway.customer", Ids.Show(Ids.Customer, customer));
            span.SetTag("llmgateway.outcome", NameOf(usage.Outcome));
            span.SetTag("llmgateway.cost", paid.ToString());
            if (span.Parent is null)
                span.AddEvent(new("spooled"));
        }
        if (GenAiSpan.Current is { } call)
            GenAiSpan.Settled(call, usage);
    }

    /// <summary>A value for tags and labels, which are no place for text: what is no name or code is <c>other</c>.</summary>
    public static string Word(string text) =>
        text.Length is > 0 and <= MaxWord && !text.AsSpan().ContainsAnyExcept(WordCharacters) ? text : "other";

    public static string NameOf(RequestOutcome outcome) => outcome switch
    {
        RequestOutcome.Completed => "completed",
        RequestOutcome.Aborted => "aborted",
        RequestOutcome.Interrupted => "interrupted",
        _ => "failed",
    };
}
