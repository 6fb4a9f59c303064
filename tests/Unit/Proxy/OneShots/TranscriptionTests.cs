using System.Text;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Chat;
using LlmGateway.Proxy.OneShots;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class TranscriptionTests
{
    const string File =
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\nContent-Type: audio/wav\r\n\r\nsound\r\n";
    const string Model = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n";
    const string End = "--b--\r\n";

    [Fact]
    public void The_model_alone_is_rewritten_and_the_boundary_is_told()
    {
        // Bytes that are no valid text, with half a boundary.
        var sound = new byte[] { 0, 255, 13, 10, 45, 45, 13, 10, 13, 10, 0x80 };
        byte[] Form(string model) =>
        [
            .. "--x-1\r\ncontent-disposition: form-data; name=\"language\"\r\n\r\nen\r\n"u8,
            .. "--x-1\r\nContent-Type: audio/wav\r\nContent-Disposition: form-data; filename=\"a;b.wav\"; name=file\r\n\r\n"u8,
            .. sound,
            .. "\r\n--x-1\r\nContent-Disposition: form-data; name=\"model\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"u8,
            .. Encoding.UTF8.GetBytes(model),
            .. "\r\n--x-1--"u8,
        ];

        var request = Accepted(Form("mine"));

        Assert.Equal("mine", request.Model);
        Assert.Equal(Form("the/provider's"), request.Rewrite(Form("mine"), "the/provider's", 0, true).ToArray());
        Assert.Equal(Form("mine").Length - sound.Length, request.BodyBytes);
        Assert.Equal("multipart/form-data; boundary=\"x-1\"", new FormReader(Form("mine")).ContentType);
    }

    [Theory]
    [InlineData(Model + End, "missing_field", "file")]
    [InlineData(File + End, "missing_field", "model")]
    [InlineData(File + Model + Model + End, "invalid_value", "model")]
    [InlineData(File + Model + File + End, "invalid_value", "file")]
    [InlineData(File + "--b\r\nContent-Disposition: form-data; name=\"Model\"\r\n\r\nm\r\n" + End, "invalid_value", "Model")]
    [InlineData(File + "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n\r\n" + End, "invalid_value", "model")]
    [InlineData(File + "--b\r\nContent-Disposition: form-data; name=\"model\"; filename=\"m\"\r\n\r\nm\r\n" + End, "invalid_value",
        "model")]
    [InlineData(Model + "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nsound\r\n" + End, "invalid_value", "file")]
    [InlineData(Model + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\r\n" + End, "invalid_value", "file")]
    [InlineData(File + Model + "--b\r\nContent-Disposition: form-data; name=\"other\"; filename=\"a\"\r\n\r\nx\r\n" + End, "invalid_value",
        "other")]
    [InlineData(File + Model + "--b\r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n" + End, "invalid_value", "stream")]
    [InlineData(File + Model + "--b\r\nContent-Disposition: form-data; name=\"response_format\"\r\n\r\nxml\r\n" + End, "invalid_value",
        "response_format")]
    [InlineData(File + Model + "--b\r\nContent-Disposition: form-data; name=\"api_base\"\r\n\r\nhttp://127.0.0.1\r\n" + End,
        "unpriceable_parameter", "api_base")]
    [InlineData(File + Model + "--b\r\nContent-Disposition: form-data; name=\"extra_body[x]\"\r\n\r\ny\r\n" + End, "unpriceable_parameter",
        "extra_body")]
    [InlineData(File + Model + "--b\r\nContent-Disposition: form-data; name=\"model[]\"\r\n\r\nx\r\n" + End, "invalid_value", "model[]")]
    // What two servers could read differently
    [InlineData("", "malformed_json", null)]
    [InlineData("{}", "malformed_json", null)]
    [InlineData("\r\n" + File + Model + End, "malformed_json", null)]
    [InlineData(File + Model, "malformed_json", null)]
    [InlineData(File + Model + "--b-", "malformed_json", null)]
    [InlineData(File + Model + End + "--b\r\n", "malformed_json", null)]
    [InlineData(Model + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\n--b\r\n" + End, "malformed_json",
        null)]
    [InlineData(File + "--b\r\nContent-Disposition: form-data; name=\"model\"; name=\"x\"\r\n\r\nm\r\n" + End, "malformed_json", null)]
    [InlineData(File + "--b\r\nContent-Disposition: form-data; name=\"mo\\del\"\r\n\r\nm\r\n" + End, "malformed_json", null)]
    [InlineData(File + "--b\r\nContent-Disposition: form-data; name*=utf-8''model\r\n\r\nm\r\n" + End, "malformed_json", null)]
    [InlineData(File
        + "--b\r\nContent-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n"
        + End, "malformed_json", null)]
    [InlineData(File
        + "--b\r\nContent-Type: text/plain; charset=utf-16\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n"
        + End, "malformed_json", null)]
    [InlineData(File + "--b\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nbQ==\r\n" + End,
        "malformed_json", null)]
    [InlineData(File + "--b\r\n folded: x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n" + End, "malformed_json", null)]
    [InlineData(File + "--b\r\n\r\nm\r\n" + End, "malformed_json", null)]
    public void What_is_not_one_clear_form_is_refused(string body, string code, string? param)
    {
        Assert.False(Wires.Transcriptions.TryRead(Encoding.UTF8.GetBytes(body), default, out _, out var problem));
        Assert.Equal((400, code, param), (problem.Status, problem.Code, problem.Param));
    }

    [Fact]
    public void No_bytes_make_a_form_throw_anything_else() => Seeds.ForEach(2000, random =>
    {
        var body = Encoding.UTF8.GetBytes(File + Model + End);
        for (var i = random.Next(1, 5); i > 0; i--)
            body[random.Next(body.Length)] = (byte)"-b\r\n\";= x"[random.Next(9)];
        _ = Wires.Transcriptions.TryRead(body.AsMemory(0, random.Next(body.Length + 1)).Span, default, out _, out _);
    });

    [Fact]
    public void A_price_by_the_minute_bounds_what_its_bytes_bound()
    {
        var model = Offer(new() { PerMinute = new(6_000_000_000_000_000) });
        Assert.Null(UpperBound.Check(model, Accepted(Form(Wav(16_000, seconds: 90))), passes: true, out var bound));
        Assert.Equal(9_000_000, bound.Cost(0));
        Assert.Equal("file", Refused(model, Form("OggS anything"u8)).Param);
        Assert.Equal("file", Refused(model, Form(Wav(16_000, 1, format: 2))).Param);
        Assert.Equal("model", Refused(model with { Prices = model.Prices! with { Output = new(1) } }, Form(Wav(16_000, 1))).Param);
    }

    [Theory]
    [InlineData("", true, null)]
    [InlineData("chunking_strategy=auto", true, "chunking_strategy")]
    [InlineData("response_format=text", true, "response_format")]
    [InlineData("response_format=verbose_json", true, null)]
    [InlineData("", false, "model")]
    public void A_price_by_tokens_bounds_what_the_context_bounds(string field, bool hasContext, string? refused)
    {
        var model = Offer(new() { Input = new(2_500_000_000_000), AudioInput = new(6_000_000_000_000), Output = new(10_000_000_000_000) });
        model = hasContext ? model : model with { ContextTokens = 0 };
        var form = Form("OggS anything"u8, field);
        if (refused is not null)
        {
            Assert.Equal(refused, Refused(model, form).Param);
            return;
        }
        Assert.Null(UpperBound.Check(model, Accepted(form), passes: true, out var bound));
        Assert.Equal((16_000 * 8_500) + (2_000 * 10_000), bound.Cost(0));
    }

    [Fact]
    public void The_length_of_an_mp3_is_that_of_its_frames()
    {
        // MPEG-1, layer III, 128 kbit/s at 44.1 kHz: 417 bytes for 1152 samples
        var frame = new byte[417];
        (frame[0], frame[1], frame[2]) = (0xFF, 0xFB, 0x90);
        byte[] file = [.. "ID3\x04\0\0\0\0\0\x03"u8, 1, 2, 3, .. Enumerable.Repeat(frame, 100).SelectMany(bytes => bytes)];
        Assert.Equal(new(42, 3), SoundLength.Of(file));
        Assert.Null(SoundLength.Of(file.AsSpan(500)).Most);
    }

    [Theory]
    [InlineData(
        """{"text":"one two","usage":{"type":"tokens","input_tokens":30,"input_token_details":"""
            + """{"text_tokens":4,"audio_tokens":26},"output_tokens":5,"total_tokens":35}}""",
        4, 26, 5, 10,
        false)]
    [InlineData("""{"text":"one two","usage":{"type":"tokens","input_tokens":30,"output_tokens":5}}""", 30, 0, 5, 10, false)]
    [InlineData("""{"text":"one two","usage":{"type":"duration","seconds":7}}""", 0, 70, 2, 7, false)]
    [InlineData("""{"text":"one two","usage":{"type":"duration","seconds":6.1}}""", 0, 70, 2, 7, false)]
    [InlineData("""{"duration":6.01,"text":"one two"}""", 0, 70, 2, 7, false)]
    [InlineData("""{"text":"one two","usage":null}""", 0, 100, 2, 10, true)]
    [InlineData("""{"text":"one two"}""", 0, 100, 2, 10, true)]
    [InlineData("""{"text":"one two","usage":{"input_tokens":-30,"output_tokens":5}}""", 0, 100, 2, 10, true)]
    [InlineData("""{"text":"one two","usage":{"seconds":-7}}""", 0, 100, 2, 10, true)]
    [InlineData("""{"text":"one two","usage":{"seconds":1e99}}""", 0, 100, 2, 10, true)]
    [InlineData("""{"text":"one two","usage":[]}""", 0, 100, 2, 10, true)]
    public void Both_seconds_and_tokens_are_known_whichever_the_provider_counts(
        string answer,
        long text,
        long audio,
        long output,
        long seconds,
        bool estimated)
    {
        var form = Form(new byte[40_000]);
        var meter = Wires.Transcriptions.NewWholeMeter(Accepted(form), counts: true);
        Assert.True(meter.See(Encoding.UTF8.GetBytes(answer)));
        var metered = meter.Settle(form);
        Assert.Equal((text, audio, output, seconds, 1, estimated),
            (
                metered.Usage[Meter.Input],
                metered.Usage[Meter.AudioInput],
                metered.Usage[Meter.Output],
                metered.Usage[Meter.Second],
                metered.Usage[Meter.Request],
                metered.Estimated));
    }

    [Theory]
    [InlineData("<html></html>")]
    [InlineData("{\"error\":{\"message\":\"no\"}}")]
    [InlineData("{\"text\":\"half")]
    public void What_is_no_answer_is_none(string answer) =>
        Assert.False(Wires.Transcriptions.NewWholeMeter(Accepted(Form("x"u8)), counts: true).See(Encoding.UTF8.GetBytes(answer)));

    [Fact]
    public void Who_leaves_before_the_answer_pays_for_the_sound()
    {
        var form = Form(Wav(16_000, 5));
        var usage = Wires.Transcriptions.NewWholeMeter(Accepted(form), counts: false).Estimate(form, "aborted").Usage;
        Assert.Equal((5, 50, 0), (usage[Meter.Second], usage[Meter.AudioInput], usage[Meter.Output]));
    }

    [Fact]
    public void A_text_alone_is_taken_as_it_is()
    {
        var form = Form(Wav(16_000, 5), "response_format=text");
        var meter = Wires.Transcriptions.NewWholeMeter(Accepted(form), counts: true);
        Assert.True(meter.See("one two three\n"u8));
        Assert.Equal((5, 3, true), (meter.Settle(form).Usage[Meter.Second], meter.DeliveredTokens, meter.Settle(form).Estimated));
    }

    static ModelOffer Offer(Prices prices) => new("m", "audio", "p", "up", 16_000, 2_000, null, prices);

    static TranscriptionRequest Accepted(byte[] form)
    {
        Assert.True(Wires.Transcriptions.TryRead(form, default, out var request, out var problem), problem?.Message);
        return (TranscriptionRequest)request!;
    }

    static Problem Refused(ModelOffer model, byte[] form) =>
        Assert.Throws<ProblemException>(() => UpperBound.Check(model, Accepted(form), passes: true, out _)).Problem;

    static byte[] Form(ReadOnlySpan<byte> sound, string field = "") =>
    [
        .. "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"u8, .. sound,
        .. Encoding.UTF8.GetBytes(
            "\r\n" + Model + (field.Length == 0
                ? ""
                : $"--b\r\nContent-Disposition: form-data; name=\"{field.Split('=')[0]}\"\r\n\r\n{field.Split('=')[1]}\r\n") + End),
    ];

    /// <summary>16-bit mono.</summary>
    static byte[] Wav(int samplesPerSecond, int seconds, short format = 1)
    {
        var data = new byte[samplesPerSecond * 2 * seconds];
        using var wav = new MemoryStream();
        using var to = new BinaryWriter(wav);
        to.Write("RIFF"u8);
        to.Write(36 + data.Length);
        to.Write("WAVEfmt "u8);
        to.Write(16);
        to.Write(format);
        to.Write((short)1);
        to.Write(samplesPerSecond);
        to.Write(samplesPerSecond * 2);
        to.Write((short)2);
        to.Write((short)16);
        to.Write("data"u8);
        to.Write(data.Length);
        to.Write(data);
        return wav.ToArray();
    }
}
