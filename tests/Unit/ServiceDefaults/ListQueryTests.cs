using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>What the query of a list says.</summary>
public sealed class ListQueryTests
{
    [Theory]
    [InlineData("2026-12-01", "2026-12-01T00:00:00.0000000Z")]
    [InlineData("2026-12-01T08:30Z", "2026-12-01T08:30:00.0000000Z")]
    [InlineData("2026-12-01T08:30", "2026-12-01T08:30:00.0000000Z")]
    [InlineData("2026-12-01T08:30:15", "2026-12-01T08:30:15.0000000Z")]
    [InlineData("2026-12-01T08:30:15Z", "2026-12-01T08:30:15.0000000Z")]
    [InlineData("2026-12-01T08:30:15.5Z", "2026-12-01T08:30:15.5000000Z")]
    [InlineData("2026-12-01T08:30:15.1234567Z", "2026-12-01T08:30:15.1234567Z")]
    [InlineData("2026-12-01T08:30:15+05:30", "2026-12-01T03:00:15.0000000Z")]
    [InlineData("2026-12-01T00:30:00+01:00", "2026-11-30T23:30:00.0000000Z")]
    public void A_time_is_one_of_ISO_8601(string text, string utc) =>
        Assert.Equal(utc, Query(text).Time("from")!.Value.UtcDateTime.ToString("O"));

    [Theory]
    [InlineData("01.12.2026"), InlineData("12/01/2026"), InlineData("1 December 2026"), InlineData("2026-13-01"), InlineData("2026-02-30")]
    [InlineData("20261201"), InlineData("2026-12"), InlineData("2026-12-01 08:30"), InlineData("2026-12-01T25:00:00Z"), InlineData("today")]
    [InlineData("2026-12-01T08:30:15 01:00"), InlineData(" 2026-12-01"), InlineData("1795794112"), InlineData("08:30")]
    public void A_time_in_another_form_is_refused_by_name_and_never_guessed(string text)
    {
        var problem = Assert.Throws<ProblemException>(() => Query(text).Time("from")).Problem;

        Assert.Equal((400, "invalid_value", "from"), (problem.Status, problem.Code, problem.Param));
    }

    [Fact]
    public void A_date_alone_is_known_from_a_moment()
    {
        Assert.Equal(new DateOnly(2026, 12, 1), Query("2026-12-01").Date("from"));
        Assert.Null(Query("2026-12-01T00:00:00Z").Date("from"));
        Assert.Null(Query("").Date("from"));
        Assert.Null(Query("").Time("from"));
    }

    [Fact]
    public void An_id_of_something_else_is_refused_by_name()
    {
        var id = Guid.NewGuid();

        Assert.Equal(id, Query(Ids.Show(Ids.Payment, id)).Id("from", Ids.Payment));
        Assert.Null(Query("").Id("from", Ids.Payment));
        var problem = Assert.Throws<ProblemException>(() => Query(Ids.Show(Ids.Refund, id)).Id("from", Ids.Payment)).Problem;
        Assert.Equal((400, "from"), (problem.Status, problem.Param));
    }

    static ListQuery Query(string from) => new(new QueryCollection(new Dictionary<string, Microsoft.Extensions.Primitives.StringValues>
    {
        ["from"] = from,
    }));
}
