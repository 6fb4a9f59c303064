using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy.ResponseState;
using Xunit;

namespace LlmGateway.UnitTests.Proxy.ResponseState;

public sealed class KeptConversationTests
{
    [Fact]
    public void A_conversation_is_unpacked_as_it_was_said()
    {
        var deep = string.Concat(Enumerable.Repeat("[", 60)) + string.Concat(Enumerable.Repeat("]", 60));
        var input = Parse("""[{"role":"user","content":"\u00e9 1.50 😀"},{"x":""" + deep + "}]");
        var response = Parse("""{"id":"resp_1","output":[{"id":"msg_1","n":1.500}]}""");

        var packed = new KeptConversation("own", [.. input.EnumerateArray()], response).Pack()!;
        var again = KeptConversation.Unpack(packed);

        Assert.Equal("own", again.Provider);
        Assert.Equal(input.EnumerateArray().Select(item => item.GetRawText()), again.Input.Select(item => item.GetRawText()));
        Assert.Equal(response.GetRawText(), again.Response.GetRawText());
        Assert.Equal(3, again.Items.Count());
    }

    [Theory]
    [InlineData(0), InlineData(3), InlineData(40)]
    public void Anything_else_is_refused(int length) =>
        Assert.Throws<InvalidDataException>(() => KeptConversation.Unpack(Enumerable.Repeat((byte)7, length).ToArray()));

    [Fact]
    public void What_travels_to_its_owner_arrives_as_it_was()
    {
        var sent = new KeptResponse(Ids.New(), [1, long.MinValue, 7], [1, 2, 3]);

        var read = KeptResponse.Read(sent.Id, sent.ToBody())!;

        Assert.Equal((sent.Id, 3, 3), (read.Id, read.Marks.Count, read.Sealed.Length));
        Assert.Equal(sent.Marks, read.Marks);
        Assert.Equal(sent.Sealed, read.Sealed);
        Assert.Null(KeptResponse.Read(sent.Id, sent.ToBody().AsSpan(0, 12)));
        Assert.Null(KeptResponse.Read(sent.Id, [255, 255, 255, 255]));
        Assert.Null(KeptResponse.Read(sent.Id, []));
    }

    static JsonElement Parse(string json) => JsonSerializer.Deserialize<JsonElement>(json);
}
