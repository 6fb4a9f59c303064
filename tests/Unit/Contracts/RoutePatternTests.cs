using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

/// <summary>Which paths a route takes, and which of several routes goes first.</summary>
public sealed class RoutePatternTests
{
    [Theory]
    [InlineData("exact", "/v1/weather", "/v1/weather", "")]
    [InlineData("exact", "/v1/weather", "/v1/weather/", "")]
    [InlineData("exact", "/v1/weather", "/v1/weather/today", null)]
    [InlineData("exact", "/v1/weather", "/v1/weathers", null)]
    [InlineData("exact", "/v1/weather", "/v1/Weather", null)]
    [InlineData("exact", "/v1/weather", "/v1/%77eather", "")]
    [InlineData("exact", "/v1/weather", "/v1/weathe%72/", "")]
    [InlineData("exact", "/v1/a:b", "/v1/a%3Ab", "")]
    [InlineData("exact", "/v1/weather", "/v1/weather;x=1", "")]
    [InlineData("exact", "/v1/weather", "/v1;a/w%65ather%3bx", "")]
    [InlineData("exact", "/v1/weather", "/v1/%2577eather", null)]
    [InlineData("exact", "/v1/weather", "/v1%2fweather", null)]
    [InlineData("exact", "/v1/weather", "/v1/%57eather", null)]
    [InlineData("pattern", "/v1/{city}/forecast", "/v1/b%65rlin;a/forecas%74", "city=b%65rlin;a")]
    [InlineData("exact", "/v1/weather", "//v1/weather", null)]
    [InlineData("prefix", "/v1/weather", "/v1/weather", "rest=")]
    [InlineData("prefix", "/v1/weather", "/v1/weather/", "rest=")]
    [InlineData("prefix", "/v1/weather/", "/v1/weather/a/b%20c/", "rest=a/b%20c/")]
    [InlineData("prefix", "/v1/weather", "/v1/weathers", null)]
    [InlineData("prefix", "/", "/anything/at/all", "rest=anything/at/all")]
    [InlineData("prefix", "/", "*", null)]
    [InlineData("prefix", "/", "example.com:443", null)]
    [InlineData("prefix", "/", "http://example.com/a", null)]
    [InlineData("pattern", "/v1/{city}/forecast", "/v1/berlin/forecast", "city=berlin")]
    [InlineData("pattern", "/v1/{city}/forecast", "/v1//forecast", null)]
    [InlineData("pattern", "/v1/{city}/forecast", "/v1/a/b/forecast", null)]
    [InlineData("pattern", "/v1/{city}/{**days}", "/v1/berlin/1/2", "city=berlin days=1/2")]
    [InlineData("pattern", "/v1/{city}/{**days}", "/v1/berlin", "city=berlin days=")]
    public void Takes_these_paths_and_no_others(string match, string pattern, string path, string? values)
    {
        var isTaken = Read(match, pattern).Matches(path, out var found);
        Assert.Equal(values, isTaken ? string.Join(' ', found!.Select(one => $"{one.Key}={one.Value}")) : null);
    }

    [Theory]
    [InlineData("exact", "v1/weather"), InlineData("exact", ""), InlineData("exact", "/a//b"), InlineData("exact", "/a/../b")]
    [InlineData("exact", "/a b"), InlineData("exact", "/a%2fb"), InlineData("exact", "/{a}"), InlineData("prefix", "/a?b=c")]
    [InlineData("pattern", "/{a}/{a}"), InlineData("pattern", "/{**a}/b"), InlineData("pattern", "/{}"), InlineData("pattern", "/x{a}")]
    [InlineData("pattern", "/{a-b}"), InlineData("exact", "/a;b")]
    public void Is_refused_when_it_is_no_plain_path(string match, string path) =>
        Assert.False(RoutePattern.TryRead(match, path, out _, out _));

    [Fact]
    public void A_narrower_route_goes_first()
    {
        CustomRoute[] expected =
        [
            Route("high", "prefix", "/a") with { Priority = 1 },
            Route("host", "prefix", "/a") with { Host = "a.example.com" },
            Route("hosts", "prefix", "/a") with { Host = "*.example.com" },
            Route("exact headers", "exact", "/a/b") with { Headers = new Dictionary<string, string> { ["X"] = "1" } },
            Route("exact methods", "exact", "/a/b") with { Methods = ["GET"] },
            Route("exact", "exact", "/a/b"),
            Route("prefix of two", "prefix", "/a/b"),
            Route("pattern", "pattern", "/a/{b}"),
            Route("prefix of one", "prefix", "/a"),
            Route("all", "prefix", "/"),
            Route("low", "exact", "/a/b") with { Priority = -1 },
        ];
        Seeds.ForEach(20, random =>
        {
            var routes = expected.Select(route => (Route: route, Pattern: Read(route.Match, route.Path))).ToList();
            var shuffled = routes.OrderBy(_ => random.Next()).ToList();
            shuffled.Sort(RouteOrder.Compare);
            Assert.Equal(expected.Select(route => route.Id), shuffled.Select(route => route.Route.Id));
        });
    }

    [Theory]
    [InlineData("exact /a", "exact /a", true)]
    [InlineData("exact /a/", "exact /a", true)]
    [InlineData("exact /a", "exact /b", false)]
    [InlineData("exact /a", "prefix /a", false)]
    [InlineData("pattern /{x}/b", "pattern /{y}/b", true)]
    [InlineData("pattern /{x}/b", "pattern /{y}/c", false)]
    [InlineData("pattern /{x}/b", "pattern /a/{y}", false)]
    [InlineData("pattern /a/{**x}", "prefix /a", true)]
    [InlineData("exact /a methods=GET", "exact /a methods=GET,POST", true)]
    [InlineData("exact /a methods=GET", "exact /a methods=POST", false)]
    [InlineData("exact /a methods=GET", "exact /a", false)]
    [InlineData("exact /a header=X:1", "exact /a header=X:2", false)]
    [InlineData("exact /a header=X:1", "exact /a header=x:*", true)]
    [InlineData("exact /a header=X:1", "exact /a header=Y:1", true)]
    [InlineData("exact /a header=X:1", "exact /a", false)]
    [InlineData("exact /a host=a.b", "exact /a host=c.d", false)]
    [InlineData("exact /a host=*.b", "exact /a host=*.b", true)]
    public void Two_routes_tie_when_a_request_could_be_either_s(string a, string b, bool tie)
    {
        var (one, other) = (Ready(a), Ready(b));
        Assert.Equal((tie, tie), (RouteOrder.Ties(one, other), RouteOrder.Ties(other, one)));
    }

    [Fact]
    public void Whatever_two_patterns_both_take_one_of_them_is_narrower_or_they_tie() => Seeds.ForEach(3000, random =>
    {
        var (one, other) = (Random(random), Random(random));
        var path = string.Concat(Enumerable.Range(0, random.Next(1, 4)).Select(_ => $"/{(char)('a' + random.Next(2))}"));
        if (one.Matches(path, out _) && other.Matches(path, out _))
            Assert.Equal(one.CompareTo(other) == 0, one.Ties(other));
        Assert.Equal(Math.Sign(one.CompareTo(other)), -Math.Sign(other.CompareTo(one)));
    });

    static RoutePattern Random(Random random)
    {
        var parts = Enumerable.Range(0, random.Next(1, 4)).Select(
            i => random.Next(3) == 0 ? $"{{n{i}}}" : $"{(char)('a' + random.Next(2))}");
        return Read("pattern", $"/{string.Join('/', parts)}{(random.Next(3) == 0 ? "/{**all}" : "")}");
    }

    static (CustomRoute Route, RoutePattern Pattern) Ready(string text)
    {
        var words = text.Split(' ');
        string? Of(string name) =>
            words.FirstOrDefault(word => word.StartsWith($"{name}=", StringComparison.Ordinal))?[(name.Length + 1)..];
        var route = Route(text, words[0], words[1]) with
        {
            Host = Of("host"),
            Methods = Of("methods")?.Split(','),
            Headers = Of("header")?.Split(':') is [var name, var value] ? new Dictionary<string, string> { [name] = value } : null,
        };
        return (route, Read(route.Match, route.Path));
    }

    static CustomRoute Route(string id, string match, string path) => new(path, "p") { Id = id, Match = match };

    static RoutePattern Read(string match, string path)
    {
        Assert.True(RoutePattern.TryRead(match, path, out var pattern, out var mistake), mistake);
        return pattern;
    }
}
