using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy.ResponseState;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy.ResponseState;

public sealed class KeptConversationTests
{
    [Fact]
    public void A_conversation_is_unpacked_as_it_was_said()
    {
        var deep = string.Concat(Enumerable.Repeat("[", 60)) + string.Concat(Enumerable.Repeat("]", 60));
        var input = """[{"role":"user","content":"\u00e9 1.50 😀"},{"x":""" + deep + "}]";
        const string Response = """{"id":"resp_1","output":[{"id":"msg_1","n":1.500},7]}""";

        var json = KeptConversation.Write(
            "own", new Dictionary<int, string> { [1] = "other" }, Encoding.UTF8.GetBytes(input), Encoding.UTF8.GetBytes(Response));
        var again = KeptConversation.Read(KeptConversation.Unpack(KeptConversation.Pack(json), json.Length));

        Assert.Equal("own", again.Provider);
        Assert.Equal(input, $"[{string.Join(',', again.Input.Select(item => item.GetRawText()))}]");
        Assert.Equal(Response, again.Response.GetRawText());
        Assert.Equal([null, "other", "own"], again.Items.Select(kept => kept.Maker));
    }

    [Fact]
    public void A_text_is_kept_as_the_message_that_it_is()
    {
        var json = KeptConversation.Write("own", new Dictionary<int, string>(), "\"hi\""u8, "{}"u8);
        Assert.Equal("""{"role":"user","content":"hi"}""", Assert.Single(KeptConversation.Read(json).Input).GetRawText());
    }

    [Theory]
    [InlineData(0, 0), InlineData(3, 5), InlineData(40, -1), InlineData(40, KeptResponse.MaxBytes + 1)]
    public void Anything_else_is_refused(int packed, int length) =>
        Assert.Throws<InvalidDataException>(() => KeptConversation.Unpack(Enumerable.Repeat((byte)7, packed).ToArray(), length));

    [Fact]
    public void What_can_be_kept_is_what_a_request_can_say() => Assert.Equal(Body.MaxBytes, KeptResponse.MaxBytes);

    [Fact]
    public void What_travels_to_its_owner_arrives_as_it_was()
    {
        var sent = new KeptResponse(Ids.New(), 9, [1, long.MinValue, 7], [1, 2, 3]);

        var read = KeptResponse.Read(sent.Id, sent.ToBody())!;

        Assert.Equal((sent.Id, 9, 3, 3), (read.Id, read.PlainBytes, read.Marks.Count, read.Sealed.Length));
        Assert.Equal(sent.Marks, read.Marks);
        Assert.Equal(sent.Sealed, read.Sealed);
        Assert.Null(KeptResponse.Read(sent.Id, sent.ToBody().AsSpan(0, 16)));
        Assert.Null(KeptResponse.Read(sent.Id, [0, 0, 0, 0, 255, 255, 255, 255]));
        Assert.Null(KeptResponse.Read(sent.Id, [255, 255, 255, 255, 0, 0, 0, 0]));
        Assert.Null(KeptResponse.Read(sent.Id, []));
    }
}
