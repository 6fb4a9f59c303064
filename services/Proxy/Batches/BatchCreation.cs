using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Batches;

/// <summary>A batch that is to be created.</summary>
/// <param name="Prefix">Prefix of our id.</param>
/// <param name="Create">The call that creates it; its answer has the provider's id.</param>
/// <param name="Cancel">The call that cancels the batch by the provider's id, used when the batch could not be registered.</param>
public sealed record NewBatch(string Kind, string Prefix, BatchTerms Terms, ProviderCall Create, Func<string, ProviderCall> Cancel)
{
    public string? InputFile { get; init; }
}

/// <summary>
/// Stages 5 to 8 of the paid request that creates a batch. The most that all lines can cost together is held, the batch is created, and the
/// request is settled at that bound. When the batch has ended, <see cref="BatchSettling"/> finds its real cost and gives back the rest. If
/// the process dies between the provider's answer and the registration, the customer pays nothing and the house bears the cost, because the
/// customer cannot reach that batch.
/// </summary>
public sealed class BatchCreation(
    Inference inference,
    ProviderCalls calls,
    SessionsClient sessions,
    SpoolPublisher publisher,
    RateLimits rateLimits,
    TimeProvider time,
    ILogger<BatchCreation> log)
{
    /// <summary>The batch and the provider's description of it.</summary>
    /// <param name="call">Its caller and route are set.</param>
    /// <exception cref="ProblemException">The batch was not created. The request has ended and cost nothing.</exception>
    public async Task<(ProviderObject Made, JsonObject Answer)> CreateAsync(ModelCall call, NewBatch batch)
    {
        call.Requests = batch.Terms.Lines;
        var (_, refusal) = await inference.ReserveAsync(call, UpperBound.OfBatch(batch.Terms.Bound.Nanos, batch.Terms.Lines), 0);
        if (refusal is not null)
            throw new ProblemException(refusal);
        try
        {
            // The call goes on when the caller leaves: a batch that was created is paid for, and its customer must find it.
            var answer = await calls.AskAsync(batch.Create, CancellationToken.None);
            var made = await RegisterAsync(call, batch, (string)answer["id"]!);
            var paid = call.End(publisher, rateLimits, RequestOutcome.Completed, StatusCodes.Status200OK, AtBound(batch.Terms));
            call.Http.Response.Headers["X-LLMGateway-Cost"] = paid.ToString();
            return (made, answer);
        }
        catch (Exception e) when (!call.Ended)
        {
            var problem = e switch
            {
                ProblemException refused => refused.Problem,
                _ when Problems.IsOutage(e) => Problems.Unavailable,
                _ => Problems.Upstream(502, "upstream_interrupted", "The batch could not be created."),
            };
            if (e is not ProblemException)
                log.LogError(e, "a batch of {RequestId} could not be created", call.Http.RequestId());
            call.End(publisher, rateLimits, RequestOutcome.Failed, problem.Status, null, problem.Code);
            throw new ProblemException(problem);
        }
    }

    /// <summary>A provisional reading: the counts are unknown, and the cost is the bound.</summary>
    static MeterReading AtBound(BatchTerms terms) => new(new Usage { [Meter.Request] = terms.Lines }, true, BatchCost.Reason, null)
    {
        Bound = terms.Bound.Nanos,
    };

    async Task<ProviderObject> RegisterAsync(ModelCall call, NewBatch batch, string providerId)
    {
        var (credential, provider, request) = (call.Caller.Credential, call.Route.Model.Provider, call.Id);
        var made = new ProviderObject(
            $"{batch.Prefix}{request:N}", batch.Kind, credential.Project, credential.Test, credential.Customer!.Value, provider,
            batch.Create.Key, providerId, time.GetUtcNow())
        {
            Terms = batch.Terms,
            InputFile = batch.InputFile,
            RequestId = request,
        };
        try
        {
            await sessions.RegisterAsync(made);
            return made;
        }
        catch
        {
            await CancelAsync(batch.Cancel(providerId));
            throw;
        }
    }

    async Task CancelAsync(ProviderCall cancel)
    {
        try
        {
            (await calls.SendAsync(cancel, CancellationToken.None)).Dispose();
        }
        catch (Exception e)
        {
            log.LogError(
                "a batch that nobody can reach could not be cancelled at {Provider}: {Message}", cancel.Upstream.Provider.Id, e.Message);
        }
    }
}
