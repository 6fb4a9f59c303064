using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class ModerationTests
{
    [Fact]
    public void A_request_without_a_model_takes_the_projects_and_tells_the_provider_its_name()
    {
        var body = Encoding.UTF8.GetBytes(""" {"input":"a"}""");
        var request = Wires.Moderations.Read(body, default);
        Assert.Null(Routing.TryRoute(Caller("chat", "moderation"), Wires.Moderations, request, out var route, out _));
        Assert.Equal("m-moderation", route.Model.Id);
        Assert.Equal(""" {"model":"up","input":"a"}""", Encoding.UTF8.GetString(request.Rewrite(body, "up", 0, false).Span));
    }

    [Fact]
    public void A_project_without_such_a_model_is_told_that_the_model_is_missing()
    {
        var request = Wires.Moderations.Read("""{"input":"a"}"""u8, default);
        var problem = Routing.TryRoute(Caller("chat"), Wires.Moderations, request, out _, out _);
        Assert.Equal(("missing_field", "model"), (problem!.Code, problem.Param));
        Assert.Throws<ProblemException>(() => Wires.Embeddings.Read("""{"input":"a"}"""u8, default));
    }

    /// <summary>Of a project with one model of each kind.</summary>
    static Caller Caller(params string[] kinds)
    {
        var provider = new ProviderConnection(
            "p", ProviderWire.OpenAi, "https://provider.example/v1", "none", null, [], 60, 0, "cancel", Sandbox: false);
        ModelOffer[] models =
        [
            .. kinds.Select(kind => new ModelOffer(
                $"m-{kind}", kind, "p", "up", 0, 0, null, new Prices { Input = new Rate(1), Output = new Rate(1) }))
        ];
        var project = new ProjectCatalog(Guid.NewGuid(), Guid.NewGuid(), "app", true, true, [], [provider], models);
        var credential = new Credential(
            Ids.New(), CredentialKind.CustomerKey, false, CredentialStatus.Active, Ids.New(), Ids.New(), Ids.New(),
            null, null, null, null, [], null);
        return new(credential, new(project, new Envelope([new byte[32]])), "");
    }
}
