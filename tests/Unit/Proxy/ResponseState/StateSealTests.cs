using System.Security.Cryptography;
using LlmGateway.Contracts;
using LlmGateway.Proxy.ResponseState;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy.ResponseState;

public sealed class StateSealTests
{
    static readonly byte[] Plain = "what was said"u8.ToArray();

    readonly Guid _project = Ids.New(), _customer = Ids.New(), _response = Ids.New();

    [Fact]
    public void A_conversation_opens_for_its_customer_under_its_id_and_looks_different_each_time()
    {
        var (one, two) = (Of().Seal(Plain, _response), Of().Seal(Plain, _response));

        Assert.Equal(Plain, Of().Open(one, _response));
        Assert.NotEqual(one, two);
        Assert.Equal(StateSeal.Overhead, one.Length - Plain.Length);
    }

    [Fact]
    public void It_opens_for_nobody_else_under_no_other_id_and_not_when_it_was_altered()
    {
        var made = Of().Seal(Plain, _response);

        Closed(Of(customer: Ids.New()), made);
        Closed(Of(project: Ids.New()), made);
        Closed(Of(test: true), made);
        Closed(Of(masterKey: 1), made);
        Assert.ThrowsAny<CryptographicException>(() => Of().Open(made, Ids.New()));
        for (var i = 0; i < made.Length; i++)
        {
            made[i] ^= 1;
            Closed(Of(), made);
            made[i] ^= 1;
        }
        Closed(Of(), made[..5]);
        Closed(Of(), []);

        void Closed(StateSeal seal, byte[] bytes) => Assert.ThrowsAny<CryptographicException>(() => seal.Open(bytes, _response));
    }

    [Fact]
    public void What_a_replaced_master_key_has_sealed_opens_and_is_found()
    {
        byte[] before = [.. new byte[32]], now = [1, .. new byte[31]];
        var (old, both) = (Of(), new StateSeal(new Envelope([now, before]), _project, test: false, _customer));

        Assert.Equal(Plain, both.Open(old.Seal(Plain, _response), _response));
        Assert.Contains(old.Mark("msg_1"), both.Marks("msg_1"));
        Assert.NotEqual(old.Mark("msg_1"), both.Mark("msg_1"));
        Assert.ThrowsAny<CryptographicException>(() => old.Open(both.Seal(Plain, _response), _response));
    }

    [Fact]
    public void The_same_item_of_two_customers_has_two_marks()
    {
        Assert.Equal(Of().Mark("msg_1"), Of().Mark("msg_1"));
        Assert.NotEqual(Of().Mark("msg_1"), Of().Mark("msg_2"));
        Assert.NotEqual(Of().Mark("msg_1"), Of(customer: Ids.New()).Mark("msg_1"));
    }

    StateSeal Of(Guid? project = null, bool test = false, Guid? customer = null, byte masterKey = 0) =>
        new(new Envelope([[masterKey, .. new byte[31]]]), project ?? _project, test, customer ?? _customer);
}
