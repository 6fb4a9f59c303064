using System.Text.Json.Nodes;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Batches;

/// <summary>A batch that is to be created.</summary>
/// <param name="Prefix">Prefix of our id.</param>
/// <param name="Create">The call that creates it; its answer has the provider's id.</param>
/// <param name="Cancel">The call that cancels the batch by the provider's id, used when the batch could not be registered.</param>
/// <param name="Show">The provider's description of the new batch, under our ids.</param>
public sealed record NewBatch(
    string Kind, string Prefix, BatchTerms Terms, ProviderCall Create, Func<string, ProviderCall> Cancel,
    Func<ProviderObject, JsonObject, JsonObject> Show)
{
    public string? InputFile { get; init; }
}

/// <summary>
/// Stages 3 to 9 of the paid request that creates a batch, once under its <c>Idempotency-Key</c>. The most that all lines can cost together
/// is held, the batch is created, and the request is settled at that bound. When the batch has ended, <see cref="BatchSettling"/> finds its
/// real cost and gives back the rest. If the process dies before it knows that the batch is registered, the customer pays nothing and the
/// house bears the cost, because hardly any customer can reach that batch. From then on the bound is owed, whatever fails.
/// </summary>
public sealed class BatchCreation(
    Inference inference,
    BodyBudget bodies,
    KeyedCalls keyedCalls,
    ProviderCalls calls,
    SessionsClient sessions,
    SpoolPublisher publisher,
    RateLimits rateLimits,
    TimeProvider time,
    ILogger<BatchCreation> log)
{
    /// <param name="call">Its caller is set.</param>
    /// <param name="read">Reads the body into the batch and sets the call's route.</param>
    /// <exception cref="ProblemException">The batch was not created. The request has ended and cost nothing.</exception>
    public async Task AnswerAsync(ModelCall call, string endpoint, Func<ReadOnlyMemory<byte>, Task<NewBatch>> read)
    {
        var (key, problem) = Idempotency.ReadKey(call.Http.Request);
        if (problem is not null)
            throw new ProblemException(problem);
        using var body = await RequestBody.ReadAsync(call.Http, bodies, call.Caller.Owner);
        try
        {
            if (key is not null)
            {
                (var isAnswered, problem) = await keyedCalls.BeginAsync(call, endpoint, key, default, body.Memory);
                if (problem is not null)
                    throw new ProblemException(problem);
                if (isAnswered)
                    return;
            }
            var told = await CreateAsync(call, await read(body.Memory));
            call.Http.Response.ContentLength = told.Length;
            await call.Http.Response.BodyWriter.WriteAsync(told, call.Http.RequestAborted);
        }
        finally
        {
            if (call.Keyed is not null)
                await keyedCalls.FreeAsync(call);
        }
    }

    /// <returns>The answer. Its headers are set.</returns>
    async Task<byte[]> CreateAsync(ModelCall call, NewBatch batch)
    {
        call.Requests = batch.Terms.Lines;
        MeterReading? owed = null;
        try
        {
            var (_, refusal) = await inference.ReserveAsync(call, UpperBound.OfBatch(batch.Terms.Bound.Nanos, batch.Terms.Lines), 0);
            if (refusal is not null)
                throw new ProblemException(refusal);
            // The call goes on when the caller leaves: a batch that was created is paid for, and its customer must find it.
            var answer = await calls.AskAsync(batch.Create, CancellationToken.None);
            var told = await RegisterAsync(call, batch, answer);
            call.Owe(owed = AtBound(batch.Terms));
            return await EndAsync(call, told, owed);
        }
        // Whatever failed, the hold must end. What was refused holds nothing.
        catch (Exception e) when (call.IsOpen)
        {
            var problem = e switch
            {
                ProblemException refused => refused.Problem,
                _ when Problems.IsOutage(e) => Problems.Unavailable,
                _ => Problems.Upstream(502, "upstream_interrupted", "The batch could not be created."),
            };
            if (e is not ProblemException)
                log.LogError(e, "a batch of {RequestId} could not be created", call.Http.RequestId());
            if (owed is null)
                call.EndAtLast(publisher, rateLimits, RequestOutcome.Failed, problem.Status, null, problem.Code);
            else
                call.EndAtLast(publisher, rateLimits, RequestOutcome.Completed, problem.Status, owed);
            throw new ProblemException(problem);
        }
    }

    /// <summary>
    /// With a key, charge and answer are in the ledger before the caller has the answer, or the charge alone is in the spool.
    /// </summary>
    async Task<byte[]> EndAsync(ModelCall call, byte[] told, MeterReading reading)
    {
        var response = call.Http.Response;
        response.ContentType = "application/json";
        if (call.Keyed is not null)
        {
            var (record, cost) = call.Foresee(RequestOutcome.Completed, StatusCodes.Status200OK, reading, null);
            response.Headers["X-LLMGateway-Cost"] = cost.ToString();
            await keyedCalls.EndAsync(call, record, told);
        }
        var paid = call.End(publisher, rateLimits, RequestOutcome.Completed, StatusCodes.Status200OK, reading);
        response.Headers["X-LLMGateway-Cost"] = paid.ToString();
        return told;
    }

    /// <summary>A provisional reading: the counts are unknown, and the cost is the bound.</summary>
    static MeterReading AtBound(BatchTerms terms) => new(new Usage { [Meter.Request] = terms.Lines }, true, BatchCost.Reason, null)
    {
        Bound = terms.Bound.Nanos,
    };

    /// <summary>Its customer can reach the batch from here on. Nothing that may fail stands between this and the charge.</summary>
    /// <returns>The answer.</returns>
    async Task<byte[]> RegisterAsync(ModelCall call, NewBatch batch, JsonObject answer)
    {
        var providerId = (string)answer["id"]!;
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
            var told = ProviderCalls.Bytes(batch.Show(made, answer));
            await sessions.RegisterAsync(made);
            return told;
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
