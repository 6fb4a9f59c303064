namespace LlmGateway.Proxy.Anthropic;

/// <summary><c>POST /v1/messages/count_tokens</c>, see <see cref="CountTokens"/>.</summary>
public static class MessageCount
{
    public static void MapMessageCount(this WebApplication app)
    {
        var counting = app.Services.GetRequiredService<CountTokens>();
        app.MapPost(AnthropicWire.CountPath, http => counting.HandleAsync(http, Wires.Messages, Read));
    }

    static CountCall Read(ReadOnlyMemory<byte> body)
    {
        var request = AnthropicRequestReader.Read(body.Span, counting: true);
        return new(
            request.Model,
            offer => (AnthropicWire.CountPath, request.Rewrite(
                body, offer.UpstreamModel, request.MaxTokens ?? 0, injectUsage: false, request.Searches(offer, passes: true) > 0)),
            body,
            count => new { input_tokens = count })
        {
            Refusal = (offer, passes) => request.Hosted?.RefusalBy(offer, passes),
        };
    }
}
