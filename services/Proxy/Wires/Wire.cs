using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// An API that clients and providers speak. A wire knows how its requests are read, where they go, how its answers are metered and passed
/// on, and what an error looks like. <see cref="Wires"/> has one instance of each.
/// </summary>
public abstract class Wire
{
    /// <summary>The name in logs and messages: <c>OpenAI chat</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The kind of models on this wire: <c>chat</c>, <c>embedding</c>, <c>image</c>, <c>audio</c>, <c>moderation</c>.</summary>
    public virtual string Kind => "chat";

    /// <summary>True when providers with this <c>wire</c> (one of <see cref="ProviderWire"/>) speak it.</summary>
    public virtual bool Speaks(string provider) => provider is ProviderWire.OpenAi or ProviderWire.OpenAiCompatible;

    /// <summary>Requests are forms (<c>multipart/form-data</c>) instead of JSON.</summary>
    public virtual bool TakesForm => false;

    /// <summary>The caller's headers that are passed on to a provider of this wire.</summary>
    public virtual IReadOnlyList<PassedHeader> PassedHeaders => [];

    /// <summary>The response header, besides <c>X-Request-Id</c>, in which this wire's clients look for the request's id.</summary>
    public virtual string? RequestIdHeader => null;

    /// <summary>Reads a request strictly. A refusal names the field.</summary>
    /// <param name="target">What the address says. Some wires name the model there.</param>
    /// <exception cref="ProblemException">The request is refused.</exception>
    /// <exception cref="JsonException">The body is no JSON.</exception>
    public abstract ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target);

    /// <inheritdoc cref="Read"/>
    public bool TryRead(
        ReadOnlySpan<byte> body,
        RequestTarget target,
        [NotNullWhen(true)] out ModelRequest? request,
        [NotNullWhen(false)] out Problem? problem)
    {
        (request, problem) = (null, null);
        try
        {
            request = Read(body, target);
            return true;
        }
        catch (ProblemException e)
        {
            problem = e.Problem;
        }
        catch (JsonException e)
        {
            problem = Problems.NotValidJson(e);
        }
        return false;
    }

    /// <summary>A request to a provider of this wire.</summary>
    /// <param name="caller">Its <see cref="PassedHeaders"/> are passed on. Null when the request is translated.</param>
    /// <param name="model">The model that is asked. Null when there are several or none.</param>
    public HttpRequestMessage Post(
        HttpContext? caller, Upstream upstream, string path, ReadOnlyMemory<byte> body, bool stream, ModelOffer? model)
    {
        var message = upstream.Post(path, body, stream);
        if (TakesForm)
            message.Content!.Headers.ContentType = MediaTypeHeaderValue.Parse(new FormReader(body.Span).ContentType);
        PassHeaders(caller, message, model);
        return message;
    }

    /// <summary>Adds the headers that a provider of this wire expects, with the caller's values or the defaults.</summary>
    /// <inheritdoc cref="Post"/>
    public void PassHeaders(HttpContext? caller, HttpRequestMessage message, ModelOffer? model)
    {
        foreach (var header in PassedHeaders)
            if (header.Value(caller, model) is { } value)
                message.Headers.TryAddWithoutValidation(header.Name, value);
    }

    /// <summary>The path from the provider's root, with version and query.</summary>
    public abstract string Path(string upstreamModel, bool stream);

    /// <summary>
    /// The content type that the caller gets for an answer that is no stream. Null when the provider's type does not belong to this wire.
    /// </summary>
    public virtual string? AnswerType(string? provided) => "application/json";

    /// <summary>A meter for an answer of this wire that is no stream and is passed on.</summary>
    /// <param name="counts">False may skip our own count. The answer can be read again if its usage is missing.</param>
    public abstract WholeMeter NewWholeMeter(ModelRequest request, bool counts);

    /// <summary>A stream between a caller and a provider that both speak this wire.</summary>
    public virtual StreamRelay NewRelay(ModelRequest request) => throw new NotSupportedException($"{Name} has no streams");

    /// <summary>An error as a whole answer's body.</summary>
    public virtual void WriteError(IBufferWriter<byte> to, Problem problem, string requestId) => Problems.WriteBody(to, problem, requestId);

    /// <summary>An error that ends a stream, with everything that must follow it.</summary>
    /// <param name="sequence">The number of this event, on the wire that numbers them.</param>
    public virtual void WriteStreamError(IBufferWriter<byte> to, Problem problem, string requestId, int sequence = 0) =>
        throw new NotSupportedException($"{Name} has no streams");
}

public static class WireAnswers
{
    /// <summary>
    /// Gives problems the body of this wire, and the request's id the header in which its clients look for it. The id must be set before.
    /// </summary>
    public static void Speak(this HttpContext http, Wire wire)
    {
        if (wire != Wires.Chat)
            http.SetProblemBody(wire.WriteError);
        if (wire.RequestIdHeader is { } header)
            http.Response.Headers[header] = http.RequestId();
    }
}
