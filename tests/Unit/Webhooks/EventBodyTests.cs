using System.Globalization;
using System.Text;
using System.Text.Json;
using LlmGateway.Billing;
using LlmGateway.Contracts;
using LlmGateway.Webhooks;
using Xunit;

namespace LlmGateway.UnitTests.Webhooks;

/// <summary>
/// The bytes of forty events, as they were when receivers first verified them. A change of this file is a change for every receiver that
/// parses and writes again what it verifies.
/// </summary>
public sealed class EventBodyTests
{
    static readonly string[] Data =
    [
        """{"customerId":"cus_1","walletId":"wal_1","balance":"8.333333333","amount":"5"}""",
        """{"customerId":"cus_1","walletId":"wal_1","balance":"-0.000000001","amount":"1234567890.123456789","reference":"pi_3Q"}""",
        """{ "spaces" : "are not ours" , "z":1, "a":[1, 2,3] }""",
        """{"name":"ü € 😀","html":"<a href='x'>&amp;</a>","quote":"\" \\ / \b\f\n\r\t","control":"\u0001\u001f\u007f\u2028\u2029"}""",
        """{"escaped":"\u00fc \u20ac \ud83d\ude00 \u003c \u0027 \u002f"}""",
        """{"numbers":[0,-0,1.0,1.50,1e5,1E+5,12345678901234567890,0.1],"literals":[true,false,null],"empty":[{},[],""]}""",
        """{"deep":{"er":{"still":{"order":{"b":1,"a":2,"A":3}}}}}""",
        """{}""",
    ];

    static readonly string[] Types =
        [EventTypes.WalletCredited, EventTypes.LimitThreshold, EventTypes.SessionCapReached, EventTypes.WindowOpened, EventTypes.Test];

    /// <summary>With a fraction of a second of every length, and of other zones.</summary>
    static readonly string[] Created =
    [
        "2026-11-27T15:41:52.1234567+00:00", "2026-11-27T15:41:52.1+00:00", "2026-11-27T15:41:52+00:00", "2026-01-01T00:00:00.000001+00:00",
        "2026-11-27T15:41:52.12+05:30",
    ];

    [Fact]
    public void Forty_events_have_the_bytes_that_they_always_had()
    {
        using var golden = new StreamReader(typeof(EventBodyTests).Assembly.GetManifestResourceStream("events.golden.txt")!, Encoding.UTF8);

        Assert.Equal(golden.ReadToEnd(), string.Concat(Bodies().Select(body => body + "\n")));
    }

    [Fact]
    public void A_body_has_twenty_kilobytes_at_most()
    {
        var room = EventBody.MaxBytes - Encoding.UTF8.GetByteCount(EventBody.Of(Event("""{"x":""}""", 1)));

        Assert.Equal(EventBody.MaxBytes, Encoding.UTF8.GetByteCount(EventBody.Of(Event($$"""{"x":"{{new string('y', room)}}"}""", 1))));
        Assert.Throws<InvalidDataException>(() => EventBody.Of(Event($$"""{"x":"{{new string('y', room + 1)}}"}""", 1)));
    }

    /// <summary>A receiver compares numbers of one series: the first dispute is not older than the seventh credit.</summary>
    [Fact]
    public void What_is_numbered_apart_has_another_series()
    {
        var customer = Guid.NewGuid();

        Assert.Equal(Series(customer), Series(customer));
        Assert.NotEqual(Series(customer), Series(PaymentEvents.SubjectOf(customer)));

        static string? Series(Guid subject) =>
            JsonDocument.Parse(EventBody.Of(Event("{}", 1) with { Subject = subject })).RootElement.GetProperty("series").GetString();
    }

    static IEnumerable<string> Bodies() =>
        Enumerable.Range(0, Data.Length * Types.Length).Select(i => EventBody.Of(Event(Data[i % Data.Length], i)));

    static PublicEvent Event(string data, int i) => new(
        new Guid(i + 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), Types[i % Types.Length],
        DateTimeOffset.Parse(Created[i % Created.Length], CultureInfo.InvariantCulture), Guid.Empty, 1 + (long)i * int.MaxValue, Guid.Empty,
        Guid.Empty, false, data);
}
