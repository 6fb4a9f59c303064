using System.Net;
using System.Net.Sockets;
using LlmGateway.ServiceDefaults;
using Npgsql;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>An outage is waited for; a bug is told, and never repeated for ever as if it were one.</summary>
public sealed class ProblemsTests
{
    public static TheoryData<Exception> Outages =>
    [
        new HttpRequestException("refused"),
        new HttpRequestException("bad gateway", null, HttpStatusCode.BadGateway),
        new HttpRequestException("unavailable", null, HttpStatusCode.ServiceUnavailable),
        new HttpRequestException("late", null, HttpStatusCode.GatewayTimeout),
        new HttpIOException(HttpRequestError.ResponseEnded),
        new SocketException(),
        new IOException("a connection that broke", new SocketException()),
        new TimeoutException(),
        new NpgsqlException("no connection", new SocketException()),
        new PostgresException("shutting down", "FATAL", "FATAL", PostgresErrorCodes.AdminShutdown),
        new PostgresException("a primary no longer", "ERROR", "ERROR", PostgresErrorCodes.ReadOnlySqlTransaction),
        new ProblemException(Problems.Unavailable),
        new InvalidOperationException("wrapped", new TimeoutException()),
    ];

    public static TheoryData<Exception> Bugs =>
    [
        new HttpRequestException("bad request", null, HttpStatusCode.BadRequest),
        new HttpRequestException("not found", null, HttpStatusCode.NotFound),
        new HttpRequestException("a bug there", null, HttpStatusCode.InternalServerError),
        new HttpRequestException("a bug there", new SocketException(), HttpStatusCode.InternalServerError),
        new IOException("no space left on device"),
        new FileNotFoundException(),
        new EndOfStreamException(),
        new NpgsqlException("used in the wrong way"),
        new PostgresException("duplicate key", "ERROR", "ERROR", PostgresErrorCodes.UniqueViolation),
        new MassTransit.ConfigurationException("wrong"),
        new InvalidOperationException(),
    ];

    [Theory, MemberData(nameof(Outages))]
    public void What_may_pass_is_an_outage(Exception e) => Assert.True(Problems.IsOutage(e));

    [Theory, MemberData(nameof(Bugs))]
    public void What_a_repetition_does_not_mend_is_none(Exception e) => Assert.False(Problems.IsOutage(e));
}
