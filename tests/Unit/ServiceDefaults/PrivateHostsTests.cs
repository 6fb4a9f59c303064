using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests;

public sealed class PrivateHostsTests
{
    [Theory]
    [InlineData("vllm.internal", 8000, true)]
    [InlineData("VLLM.internal", 8000, true)]
    [InlineData("vllm.internal", 443, false)]
    [InlineData("10.0.0.5", 443, true)]
    [InlineData("10.0.0.6", 443, false)]
    [InlineData("fd00::5", 8000, true)]
    [InlineData("fd00::6", 8000, false)]
    public void A_host_is_allowed_by_its_name_or_address_at_one_port_or_at_all(string host, int port, bool allowed) =>
        Assert.Equal(allowed, new PrivateHosts("vllm.internal:8000, 10.0.0.5 ,[fd00::5]").Contains(host, port));
}
