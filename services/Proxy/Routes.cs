using LlmGateway.Proxy.Anthropic;
using LlmGateway.Proxy.Batches;
using LlmGateway.Proxy.ResponseState;

namespace LlmGateway.Proxy;

/// <summary>Everything that is served by routing. Calls for models are answered before it (<see cref="InferenceRoutes"/>).</summary>
public static class Routes
{
    public static void MapRoutes(this WebApplication app)
    {
        app.MapInference();
        app.MapMessageCount();
        ResponseRoutes.Map(app);
        MessageBatches.Map(app);
        Files.Map(app);
        FileBatches.Map(app);
        app.MapModels();
        ProviderRoutes.Map(app);
        OwnCredits.Map(app);
        TestProvider.Map(app);
        app.MapManagement();
        Drain.Map(app);
        app.MapRoot();
        CustomRoutes.Map(app);
    }
}
