using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>
/// The output limit of requests that name none. Without it such a request holds the model's whole output, which may be dollars, and a small
/// wallet has one request at a time. With it answers end there, so it is off unless it is set. Batches have none: their lines hold nothing
/// while they run.
/// </summary>
/// <param name="Tokens">Null when it is off.</param>
public sealed record OutputDefault(int? Tokens)
{
    public static OutputDefault Read(WebApplicationBuilder builder) => new(builder.Count("Proxy:DefaultOutputTokens", atLeast: 1));

    public long LimitOf(int? asked, long modelMaxOutput) => UpperBound.OutputLimit(asked ?? Tokens, modelMaxOutput);
}
