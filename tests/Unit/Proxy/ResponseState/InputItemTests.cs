using LlmGateway.Proxy.ResponseState;
using Xunit;

namespace LlmGateway.UnitTests.Proxy.ResponseState;

public sealed class InputItemTests
{
    /// <summary>Else the page after the second would begin behind the first, again and again.</summary>
    [Fact]
    public void Every_item_of_a_list_has_an_id_of_its_own()
    {
        var kept = KeptConversation.Read(KeptConversation.Write(
            "own", new Dictionary<int, string>(),
            """[{"id":"a","role":"user","content":"1"},{"role":"user","content":"2"},{"id":"a","role":"user","content":"3"}]"""u8, "{}"u8));

        Assert.Equal(["a", "msg_1_in1", "msg_1_in2"], InputItem.ListOf(kept, "resp_1").Select(item => item.Id));
    }
}
