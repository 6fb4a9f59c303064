using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// A way in which clients and providers speak of models: how a request is read, where it goes, how its answer is metered and passed on, what an error looks like.
/// One instance each, in <see cref="Wires"/>.
/// </summary>
public abstract class Wire
{
    /// <summary>The name in logs and messages: <c>OpenAI chat</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The kind of models that it calls: <c>chat</c>, <c>embedding</c>, <c>image</c>, <c>audio</c>, <c>moderation</c>.</summary>
    public virtual string Kind => "chat";

    /// <summary>Whether providers with this <c>wire</c> (one of <see cref="ProviderWire"/>) speak it.</summary>
    public virtual bool Speaks(string provider) => provider is ProviderWire.OpenAi or ProviderWire.OpenAiCompatible;

    /// <summary>Requests are forms (<c>multipart/form-data</c>) instead of JSON.</summary>
    public virtual bool TakesForm => false;

    /// <summary>Headers of the caller that are passed on to a provider of this wire; with their default, or null when they are only sent if the caller does.</summary>
    public virtual IReadOnlyList<(string Name, string? Default)> PassedHeaders => [];

    /// <summary>The response header in which this wire's clients look for the request's id, besides <c>X-Request-Id</c>.</summary>
    public virtual string? RequestIdHeader => null;

    /// <summary>Reads a request strictly; refusals name the field.</summary>
    /// <param name="target">What the address says, for wires that name the model there.</param>
    /// <exception cref="ProblemException">The request is refused.</exception>
    /// <exception cref="JsonException">The body is no JSON.</exception>
    public abstract ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target);

    /// <inheritdoc cref="Read"/>
    public bool TryRead(ReadOnlySpan<byte> body, RequestTarget target, [NotNullWhen(true)] out ModelRequest? request, [NotNullWhen(false)] out Problem? problem)
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
    /// <param name="caller">Who speaks the same wire and whose <see cref="PassedHeaders"/> are passed on; null when the request is translated.</param>
    public HttpRequestMessage Post(HttpContext? caller, Upstream upstream, string path, ReadOnlyMemory<byte> body, bool stream)
    {
        var message = upstream.Post(path, body, stream);
        if (TakesForm)
            message.Content!.Headers.ContentType = MediaTypeHeaderValue.Parse(new FormReader(body.Span).ContentType);
        PassHeaders(caller, message);
        return message;
    }

    /// <summary>Adds what a provider of this wire expects in every request, as the caller said it or as is usual.</summary>
    public void PassHeaders(HttpContext? caller, HttpRequestMessage message)
    {
        foreach (var (name, standard) in PassedHeaders)
        {
            var given = caller?.Request.Headers[name].ToString();
            if (given is { Length: > 0 } || standard is not null)
                message.Headers.TryAddWithoutValidation(name, given is { Length: > 0 } ? given : standard);
        }
    }

    /// <summary>From the provider's root, with version and query.</summary>
    public abstract string Path(string upstreamModel, bool stream);

    /// <summary>The content type of an answer that is no stream, by the one that the provider gave; null when that is no answer of this wire.</summary>
    public virtual string? AnswerType(string? provided) => "application/json";

    /// <summary>A meter for an answer of this wire that is not a stream and is passed on.</summary>
    /// <param name="counts">False may leave out our own count: the answer can be read again should its usage be missing.</param>
    public abstract WholeMeter NewWholeMeter(ModelRequest request, bool counts);

    /// <summary>A stream between a caller and a provider that both speak this wire.</summary>
    public virtual StreamRelay NewRelay(ModelRequest request) => throw new NotSupportedException($"{Name} has no streams");

    /// <summary>An error as a whole answer's body.</summary>
    public virtual void WriteError(IBufferWriter<byte> to, Problem problem, string requestId) => Problems.WriteBody(to, problem, requestId);

    /// <summary>An error that ends a stream, with what must follow it.</summary>
    public virtual void WriteStreamError(IBufferWriter<byte> to, Problem problem, string requestId) => throw new NotSupportedException($"{Name} has no streams");
}

public static class WireAnswers
{
    /// <summary>From here on every answer to this caller, problems included, is one that its wire's clients understand. The request's id is set already.</summary>
    public static void Speak(this HttpContext http, Wire wire)
    {
        if (wire != Wires.Chat)
            http.SetProblemBody(wire.WriteError);
        if (wire.RequestIdHeader is { } header)
            http.Response.Headers[header] = http.RequestId();
    }
}
