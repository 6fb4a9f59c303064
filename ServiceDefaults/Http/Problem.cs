using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace LlmGateway.ServiceDefaults;

/// <summary>An expected failure. <see cref="Problems"/> is the table of all of them.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Type">The family, in OpenAI's terms where it has one.</param>
/// <param name="Code">Stable, for programs.</param>
/// <param name="Message">One sentence for people, which says what to do.</param>
/// <param name="Param">The field or header at fault.</param>
/// <param name="RetryAfterSeconds">Sent as <c>Retry-After</c>.</param>
public sealed record Problem(
    int Status, string Type, string Code, string Message, string? Param = null, int? RetryAfterSeconds = null)
    : IResult
{
    /// <summary>The limit that refused a request, in every body as <c>error.limit</c>.</summary>
    public LimitState? Limit { get; init; }

    /// <summary>
    /// The same request is refused until a cycle ends or somebody pays. Sent as <c>x-should-retry: false</c>, which the clients of OpenAI
    /// and Anthropic obey: without it they would sleep until <c>Retry-After</c>, perhaps for days, and show their user nothing.
    /// </summary>
    public bool IsUsedUp { get; init; } = Status == 402;

    /// <summary>The call credits that were not enough, in every body as <c>details</c>.</summary>
    public CreditState? Credits { get; init; }

    public Task ExecuteAsync(HttpContext httpContext) => Problems.WriteAsync(httpContext, this);
}

/// <summary>Carries a <see cref="Problem"/> out of nested reading code. It becomes the same answer.</summary>
public class ProblemException(Problem problem) : Exception(problem.Message)
{
    public Problem Problem => problem;
}

/// <summary>Writes a problem's body.</summary>
public delegate void ProblemBody(IBufferWriter<byte> to, Problem problem, string requestId);
