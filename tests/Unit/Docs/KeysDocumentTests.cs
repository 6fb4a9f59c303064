using System.Diagnostics;
using System.Text.RegularExpressions;
using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Docs;

/// <summary>What <c>docs/keys.md</c> shows can be copied.</summary>
public sealed partial class KeysDocumentTests
{
    static readonly string Text = File.ReadAllText(Path.Combine(ArchitectureTests.Repository, "docs/keys.md"));

    [Theory]
    [InlineData("any text of thirty-two characters or more")]
    [InlineData("0123456789012345678901234567890123456789012")] // 43 characters, as generated ones
    [InlineData("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=")]
    public async Task Its_function_signs_a_call_that_a_service_takes(string key)
    {
        var start = new ProcessStartInfo("sh", ["-c", $"{Function().Match(Text).Groups[1].Value}\nsign wallet"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["GATEWAY_KEY"] = key },
        };
        using var process = Process.Start(start)!;
        var (output, error) = (await process.StandardOutput.ReadToEndAsync(Token), await process.StandardError.ReadToEndAsync(Token));

        var header = output.TrimEnd().Split(": ");
        Assert.True(header is [ServiceCall.Header, _], output + error);
        Assert.Equal(
            new(ServiceCall.Operator, ServiceCall.Wallet),
            ServiceCall.Read(
                header[1], ServiceCall.Wallet,
                ServiceCall.SealOf([KeySetting.Read(key, KeySetting.InternalKey)], TimeProvider.System)));
    }

    [Theory]
    [InlineData(KeySetting.InternalKey), InlineData(KeySetting.MasterKey), InlineData(KeySetting.Pepper)]
    public void It_names_every_key_and_its_list(string setting)
    {
        Assert.Contains($"`{setting}`", Text, StringComparison.Ordinal);
        Assert.Contains($"`{KeySetting.Accepted(setting)}:0`", Text, StringComparison.Ordinal);
    }

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Function();
}
