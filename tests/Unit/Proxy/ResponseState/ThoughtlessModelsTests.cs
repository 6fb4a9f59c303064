using LlmGateway.Contracts;
using LlmGateway.Proxy.ResponseState;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy.ResponseState;

public sealed class ThoughtlessModelsTests
{
    [Fact]
    public void A_refusal_is_known_for_an_hour_to_the_project_whose_connection_it_was()
    {
        var (time, project) = (new FakeTimeProvider(), Ids.New());
        var models = new ThoughtlessModels(time);
        var routes = KeptInMemory.Call(Ids.New()).Caller.Project;

        models.Add(project, routes.Find("own")!);

        Assert.True(models.Contains(project, routes.Find("own")!));
        Assert.False(models.Contains(project, routes.Find("other")!));
        Assert.False(models.Contains(Ids.New(), routes.Find("own")!));
        time.Advance(ThoughtlessModels.Life);
        Assert.False(models.Contains(project, routes.Find("own")!));
    }
}
