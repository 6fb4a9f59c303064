using System.Net.Http.Headers;

namespace LlmGateway.EndToEnd;

/// <summary>
/// Forms with sound, <c>POST /v1/audio/transcriptions</c> and <c>/v1/audio/translations</c>: by tokens a word of the prompt costs $1 a
/// million, sound $3 and a word of the answer $2; by the minute $0.006.
/// </summary>
public sealed class TranscriptionTests
{
    /// <summary>30 tokens of sound, two words of prompt, twenty of answer.</summary>
    const long ByTokens = 30 * 3_000 + 2 * Price.Input + 20 * Price.Output;

    const long BySeconds = 3 * 100_000;

    [Theory]
    [InlineData("/v1/audio/transcriptions")]
    [InlineData("/audio/translations")]
    public async Task Sound_is_paid_by_its_tokens_and_reaches_the_provider_as_it_is(string path)
    {
        var user = await Backend.Wires.NewUserAsync();
        var (one, other) = (Wav(3), Wav(3, loudness: 7));

        var reply = (await PostAsync(user, "transcribe", one, path)).MustBe(200);

        Assert.Equal(20, reply.Json.Text("text").Split(' ').Length);
        Assert.Equal("0.000132", reply["X-LLMGateway-Cost"]);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((2, 20, ByTokens, false), (row.InputTokens, row.OutputTokens, row.Charged, row.Estimated));
        // The sandbox's answer follows from the file's bytes.
        Assert.Equal(reply.Json.Text("text"), (await PostAsync(user, "transcribe", one)).MustBe(200).Json.Text("text"));
        Assert.NotEqual(reply.Json.Text("text"), (await PostAsync(user, "transcribe", other)).MustBe(200).Json.Text("text"));
    }

    [Theory]
    [InlineData("whisper", "", BySeconds, false)]
    [InlineData("whisper", "verbose_json", BySeconds, false)]
    [InlineData("whisper", "text", BySeconds, true)]
    [InlineData("whisper-nousage", "", BySeconds, true)]
    [InlineData("transcribe-nousage", "", 30 * 3_000 + 20 * Price.Output, true)]
    public async Task Sound_is_paid_by_its_seconds_and_counted_where_the_provider_counts_nothing(
        string model,
        string format,
        long charged,
        bool estimated)
    {
        var user = await Backend.Wires.NewUserAsync();
        (await PostAsync(user, model, Wav(3), fields: format.Length > 0 ? [("response_format", format)] : [])).MustBe(200);
        var row = await Books.OnlyUsageAsync(user);
        Assert.Equal((charged, estimated), (row.Charged, row.Estimated));
    }

    [Theory]
    [InlineData("transcribe-error-500", 502, "upstream_error")]
    [InlineData("transcribe-html", 502, "upstream_malformed")]
    public async Task What_the_provider_fails_at_costs_nothing(string model, int status, string code)
    {
        var user = await Backend.Wires.NewUserAsync();
        (await PostAsync(user, model, Wav(1))).MustBeProblem(status, code);
        Assert.Equal((Outcome.Failed, 0), ((await Books.OnlyUsageAsync(user)).Outcome, (await Books.OnlyUsageAsync(user)).Charged));
    }

    [Theory]
    [InlineData("transcribe", "stream", "true", "invalid_value", "stream")]
    [InlineData("transcribe", "response_format", "srt", "unpriceable_parameter", "response_format")]
    [InlineData("transcribe", "chunking_strategy", "auto", "unpriceable_parameter", "chunking_strategy")]
    [InlineData("transcribe", "model", "whisper", "invalid_value", "model")]
    [InlineData("chat-small", "language", "en", "invalid_value", "model")]
    [InlineData("speech", "language", "en", "model_unpriced", "model")]
    [InlineData("no-such-model", "language", "en", "model_not_found", "model")]
    public async Task What_cannot_be_served_is_refused_by_name(string model, string field, string value, string code, string param)
    {
        var user = await Backend.Wires.NewUserAsync();
        (await PostAsync(user, model, Wav(1), fields: [(field, value)])).MustBeProblem(400, code, param);
        Assert.Empty(await Books.UsageAsync(user));
    }

    [Fact]
    public async Task A_file_that_nothing_bounds_has_no_price_by_the_minute()
    {
        var user = await Backend.Wires.NewUserAsync();
        (await PostAsync(user, "whisper", [.. "OggS"u8, .. new byte[100]])).MustBeProblem(400, "unpriceable_parameter", "file");
        (await Gateway.SendAsync("POST", "/v1/audio/transcriptions", user.Token, """{"model":"whisper"}"""))
            .MustBeProblem(415, "unsupported_media_type", "Content-Type");
        (await PostAsync(user, "whisper", new byte[20 * 1024 * 1024])).MustBeProblem(413, "body_too_large");
        Assert.Empty(await Books.UsageAsync(user));
    }

    [Fact]
    public async Task A_wallet_that_cannot_pay_is_asked_before_anything_is_sent()
    {
        var user = await Backend.Wires.NewUserAsync("0.006");
        (await PostAsync(user, "whisper", Wav(61))).MustBeProblem(402, "wallet_exhausted");
        (await PostAsync(user, "whisper", Wav(60))).MustBe(200);
        Assert.Equal(0, await user.BalanceAfterAsync(1));
    }

    [Fact]
    public async Task The_same_form_under_its_key_is_heard_once()
    {
        var user = await Backend.Wires.NewUserAsync();
        Task<Reply> SendAsync() => PostAsync(user, "transcribe", Wav(3), key: "said once");

        var (first, again) = ((await SendAsync()).MustBe(200), (await SendAsync()).MustBe(200));

        Assert.Equal((null, "true"), (first["Idempotent-Replayed"], again["Idempotent-Replayed"]));
        Assert.Equal(first.Bytes, again.Bytes);
        Assert.Equal(ByTokens, (await Books.OnlyUsageAsync(user)).Charged);
    }

    [Fact]
    public async Task The_npm_package_sends_its_files()
    {
        var user = await Backend.Wires.NewUserAsync();

        var result = await Node.RunAsync("openai.mjs", "transcriptions", new
        {
            url = Stack.Proxy.ToString().TrimEnd('/'),
            key = user.Token,
            model = "transcribe",
            sound = Convert.ToBase64String(Wav(3)),
        });

        Assert.Equal(20, result.GetProperty("transcription").Text("text").Split(' ').Length);
        Assert.Equal(result.GetProperty("transcription").Text("text"), result.GetProperty("translation").Text("text"));
        Assert.Equal(20, result.Text("text").Trim().Split(' ').Length);
        Assert.Equal([ByTokens, ByTokens, BySeconds], (await Books.UsageAsync(user, 3)).Select(row => row.Charged));
    }

    static async Task<Reply> PostAsync(
        User user,
        string model,
        byte[] file,
        string path = "/v1/audio/transcriptions",
        (string Name, string Value)[]? fields = null,
        string? key = null)
    {
        using var form = new MultipartFormDataContent("the-same-in-each-call");
        if (fields is null)
            form.Add(new StringContent("one two"), "prompt");
        foreach (var (name, value) in fields ?? [])
            form.Add(new StringContent(value), name);
        var sound = new ByteArrayContent(file);
        sound.Headers.ContentType = new MediaTypeHeaderValue("audio/wav");
        form.Add(sound, "file", "said.wav");
        form.Add(new StringContent(model), "model");
        using var request = Gateway.Request("POST", path, user.Token);
        request.Content = form;
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return await Gateway.SendAsync(request);
    }

    /// <summary>16-bit mono at 16 kHz.</summary>
    static byte[] Wav(int seconds, byte loudness = 0)
    {
        const int Rate = 16_000;
        var data = new byte[Rate * 2 * seconds];
        data.AsSpan().Fill(loudness);
        using var wav = new MemoryStream();
        using var to = new BinaryWriter(wav);
        to.Write("RIFF"u8);
        to.Write(36 + data.Length);
        to.Write("WAVEfmt "u8);
        foreach (var half in (ReadOnlySpan<short>)[16, 0, 1, 1])
            to.Write(half);
        to.Write(Rate);
        to.Write(Rate * 2);
        to.Write((short)2);
        to.Write((short)16);
        to.Write("data"u8);
        to.Write(data.Length);
        to.Write(data);
        return wav.ToArray();
    }
}
