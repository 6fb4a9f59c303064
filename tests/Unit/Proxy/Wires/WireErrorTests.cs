using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.OneShots;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class WireErrorTests
{
    const string Forged =
        "no\n\ndata: [DONE]\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\r\n\r\n\r\revent: \u2028\u2029\u0085\u0000\"\\";

    static readonly (string Name, Wire Wire)[] Wired =
    [
        ("chat", Wires.Chat),
        ("responses", Wires.Responses),
        ("messages", Wires.Messages),
        ("gemini", Wires.Gemini),
    ];

    public static TheoryData<string> Names() => [.. Wired.Select(wire => wire.Name)];

    [Theory, MemberData(nameof(Names))]
    public void What_a_provider_says_of_an_error_is_text_and_never_an_event(string name)
    {
        var wire = Wired.Single(wire => wire.Name == name).Wire;
        var body = JsonSerializer.SerializeToUtf8Bytes(new { error = new { message = Forged } });

        var (whole, stream) = Written(wire, UpstreamErrors.Map(400, body, null));

        var (plain, plainStream) = Written(wire, UpstreamErrors.Map(400, """{"error":{"message":"no"}}"""u8, null));
        Assert.Equal((Breaks(plain), Breaks(plainStream)), (Breaks(whole), Breaks(stream)));
        Assert.Equal(Forged, JsonDocument.Parse(whole).RootElement.GetProperty("error").GetProperty("message").GetString());
    }

    static (string Whole, string Stream) Written(Wire wire, Problem problem)
    {
        var (whole, stream) = (new ArrayBufferWriter<byte>(), new ArrayBufferWriter<byte>());
        wire.WriteError(whole, problem, "req_1");
        wire.WriteStreamError(stream, problem, "req_1");
        return (Encoding.UTF8.GetString(whole.WrittenSpan), Encoding.UTF8.GetString(stream.WrittenSpan));
    }

    static int Breaks(string text) => text.Count(character => character is '\r' or '\n');
}
