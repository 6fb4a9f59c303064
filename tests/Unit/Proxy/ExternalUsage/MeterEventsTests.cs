using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.ExternalUsage;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>What a backend may say that it has counted, from the bytes of the body on.</summary>
public sealed class MeterEventsTests
{
    [Fact]
    public void One_event_stands_alone_and_several_in_a_list()
    {
        var (one, isBatch) = Read(Event("e-1"));
        Assert.Equal((false, new MeterEvents.Event("e-1", "c", "rows", 7)), (isBatch, Assert.Single(one)));

        var (several, isList) = Read($$"""{"events":[{{Event("e-1")}},{{Event("e-2")}}]}""");
        Assert.Equal((true, 2), (isList, several.Count));
        Assert.Equal(2, MeterEvents.Check(several, isList, RouteOf).Count);
    }

    [Theory]
    [InlineData("\"quantity\":7", "\"quantity\":-1", "quantity")]
    [InlineData("\"quantity\":7", "\"quantity\":0", "quantity")]
    [InlineData("\"quantity\":7", "\"quantity\":1000000001", "quantity")]
    [InlineData("\"quantity\":7", "\"quantity\":9223372036854775808", "quantity")]
    [InlineData("\"quantity\":7", "\"quantity\":1.5", "quantity")]
    [InlineData("\"quantity\":7", "\"quantity\":1e400", "quantity")]
    [InlineData("\"quantity\":7", "\"quantity\":null", "quantity")]
    [InlineData("\"quantity\":7", "\"quantity\":\"NaN\"", "quantity")]
    [InlineData(",\"quantity\":7", "", "quantity")]
    [InlineData("\"rows\"", "\"nobodys\"", "route")]
    [InlineData("\"id\":\"$\"", "\"id\":\"\"", "id")]
    [InlineData("\"id\":\"$\"", "\"id\":\"a\\u0000\"", "id")]
    [InlineData("\"customer\":\"c\"", "\"customer\":\" \"", "customer")]
    [InlineData("\"quantity\":7", "\"quantity\":7,\"price\":\"0\"", "price")]
    public void What_is_wrong_with_an_event_is_refused_by_its_name(string old, string other, string field)
    {
        string Wrong(string id) => Event(id).Replace(old.Replace("$", id), other, StringComparison.Ordinal);

        Assert.Equal((400, field), Refused(Wrong("e-1")));
        Assert.Equal((400, $"events[1].{field}"), Refused($$"""{"events":[{{Event("e-1")}},{{Wrong("e-2")}}]}"""));
    }

    [Fact]
    public void A_batch_has_each_id_once_and_so_many_events()
    {
        Assert.Equal((400, "events[1].id"), Refused($$"""{"events":[{{Event("e-1")}},{{Event("e-1")}}]}"""));
        Assert.Equal((400, "events"), Refused("""{"events":[]}"""));
        Assert.Equal((400, "events[0]"), Refused("""{"events":[null]}"""));
        var many = Enumerable.Range(0, MeteredEvent.MaxAtOnce + 1).Select(i => Event($"e-{i}"));
        Assert.Equal((400, "events"), Refused($$"""{"events":[{{string.Join(',', many)}}]}"""));
        Assert.Equal((400, "more"), Refused($$"""{"events":[{{Event("e-1")}}],"more":1}"""));
    }

    /// <summary>It would cost nothing.</summary>
    [Fact]
    public void A_route_whose_tools_have_prices_says_none_of_a_unit() => Assert.Equal(
        (400, "route"), Refused(Event("e-1").Replace("\"rows\"", "\"tools\"", StringComparison.Ordinal)));

    static string Event(string id) => $$"""{"id":"{{id}}","customer":"c","route":"rows","quantity":7}""";

    static (IReadOnlyList<MeterEvents.Event> Events, bool IsBatch) Read(string json) => MeterEvents.Read(Encoding.UTF8.GetBytes(json));

    static (int Status, string? Param) Refused(string json)
    {
        var problem = Assert.Throws<ProblemException>(() =>
        {
            var (events, isBatch) = Read(json);
            MeterEvents.Check(events, isBatch, RouteOf);
        }).Problem;
        return (problem.Status, problem.Param);
    }

    static ReadyRoute? RouteOf(string id)
    {
        var route = id == "tools"
            ? new CustomRoute("/tools", "api")
            {
                Id = id, Kind = CustomRoute.Mcp, Tools = new Dictionary<string, ToolPrice> { [CustomRoute.AnyTool] = new() },
            }
            : new CustomRoute("/rows", "api") { Id = "rows" };
        Assert.True(RoutePattern.TryRead(route.Match, route.Path, out var pattern, out _));
        var provider = new ProviderConnection("api", ProviderWire.Http, "http://127.0.0.1:9", "none", null, [], 30, 0, "cancel", false);
        return id == route.Id ? new(route, pattern, new(provider, [])) : null;
    }
}
