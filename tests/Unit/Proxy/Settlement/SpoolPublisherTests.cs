using LlmGateway.Proxy;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class SpoolPublisherTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("llmgateway-spool-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_settlement_that_the_disk_refuses_stops_the_admission_of_paid_requests()
    {
        using var spool = new Spool(_folder, NullLogger<Spool>.Instance);
        using var publisher = new SpoolPublisher(spool, null!, NullLogger<SpoolPublisher>.Instance);
        Assert.True(publisher.CanAccept);

        // The records fill the spool's file, and there is no disk space for another one.
        Directory.Delete(_folder, recursive: true);
        publisher.Add(new byte[5 * 1024 * 1024], null, null);

        Assert.False(publisher.CanAccept);
        Directory.CreateDirectory(_folder);
    }
}
