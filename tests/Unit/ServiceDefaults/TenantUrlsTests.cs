using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>What tenants may register as an address that we call; the forms are those that have fooled others.</summary>
public sealed class TenantUrlsTests
{
    [Theory]
    [InlineData("https://api.example.com")]
    [InlineData("https://api.example.com/v1?version=2")]
    [InlineData("https://api.example.com:443/v1")]
    [InlineData("HTTPS://API.Example.COM/v1")]
    [InlineData("https://xn--bcher-kva.example.com/")]
    [InlineData("https://127.0.0.1.nip.io/")] // where it leads is asked at connect time
    public void A_public_https_address_may_be_registered(string url) => Assert.Null(TenantUrls.Error(url, PrivateHosts.None));

    [Theory]
    [InlineData("")]
    [InlineData("api.example.com")]
    [InlineData("//evil.com/x")]
    [InlineData("http:/x")]
    [InlineData("http:x")]
    [InlineData("ftp://api.example.com")]
    [InlineData("file:///etc/passwd")]
    [InlineData("http://api.example.com")]
    [InlineData("https://api.example.com:22")]
    [InlineData("https://api.example.com:25")]
    [InlineData("https://api.example.com:5432")]
    [InlineData("https://api.example.com:6379")]
    [InlineData("https://api.example.com:8443")]
    [InlineData("https://api.example.com:15672")]
    [InlineData("https://api.example.com:0")]
    [InlineData("https://api.example.com:70000")]
    [InlineData("https://user@api.example.com")]
    [InlineData("https://user:secret@api.example.com")]
    [InlineData("https://example.com@127.0.0.1/")]
    [InlineData("https://127.0.0.1\\@example.com/")]
    [InlineData("https://api.example.com/#x")]
    [InlineData("https://api.example.com/#")]
    [InlineData("https://api.exam\tple.com/")]
    [InlineData("https://api.example.com/a b")]
    [InlineData("https://api.example.com/\r\nHost: x")]
    [InlineData("https://api%00.example.com/")]
    [InlineData("https://api%2eexample.com/")]
    [InlineData("https://2130706433/")]
    [InlineData("https://0x7f000001/")]
    [InlineData("https://0177.0.0.1/")]
    [InlineData("https://010.8.8.8/")]
    [InlineData("https://127.1/")]
    [InlineData("https://0x7f.1/")]
    [InlineData("https://0/")]
    [InlineData("https://127.0.0.1/")]
    [InlineData("https://8.8.8.8/")]
    [InlineData("https://169.254.169.254/latest/meta-data")]
    [InlineData("https://①②⑦.⓪.⓪.①/")]
    [InlineData("https://127。0。0。1/")]
    [InlineData("https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/")]
    [InlineData("https://127.0.0.1./")]
    [InlineData("https://169.254.169.254./")]
    [InlineData("https://ｌｏｃａｌｈｏｓｔ.example.com/")]
    [InlineData("https://bücher.example.com/")]
    [InlineData("https://localhost./")]
    [InlineData("https://localhost/")]
    [InlineData("https://app.localhost/")]
    [InlineData("https://metadata.google.internal/")]
    [InlineData("https://printer.local/")]
    [InlineData("https://wallet/")]
    [InlineData("https://1.2.3.4.5/")]
    [InlineData("https://a..example.com/")]
    [InlineData("https://example.com./")]
    [InlineData("https://[::1]/")]
    [InlineData("https://[::ffff:a9fe:a9fe]/")]
    [InlineData("https://[0:0:0:0:0:ffff:127.0.0.1]/")]
    [InlineData("https://[::127.0.0.1]/")]
    [InlineData("https://[64:ff9b::7f00:1]/")]
    [InlineData("https://[fe80::1%25eth0]/")]
    [InlineData("https://[2606:4700:4700::1111]/")]
    public void Anything_else_is_refused(string url) => Assert.NotNull(TenantUrls.Error(url, PrivateHosts.None));

    [Fact]
    public void An_address_has_a_length()
    {
        var url = "https://api.example.com/".PadRight(TenantUrls.MaxLength, 'x');

        Assert.Null(TenantUrls.Error(url, PrivateHosts.None));
        Assert.NotNull(TenantUrls.Error(url + "x", PrivateHosts.None));
        Assert.NotNull(TenantUrls.Error($"https://{string.Join('.', Enumerable.Repeat(new string('a', 60), 5))}.com/", PrivateHosts.None));
    }

    [Theory]
    [InlineData("http://vllm.internal:8000/v1", true)]
    [InlineData("http://vllm.internal/v1", false)]
    [InlineData("https://VLLM.internal:8000", true)]
    [InlineData("http://10.0.0.5:1234", true)]
    [InlineData("https://10.0.0.5", true)]
    [InlineData("http://10.0.0.6", false)]
    [InlineData("http://[fd00::5]:8000", true)]
    [InlineData("http://[fd00::6]:8000", false)]
    [InlineData("http://user@10.0.0.5", false)]
    [InlineData("http://10.0.0.5/#x", false)]
    [InlineData("ftp://10.0.0.5", false)]
    public void The_operator_may_allow_private_hosts(string url, bool allowed) =>
        Assert.Equal(allowed, TenantUrls.Error(url, new PrivateHosts("vllm.internal:8000, 10.0.0.5 ,[fd00::5]")) is null);
}
