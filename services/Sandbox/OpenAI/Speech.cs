using System.Buffers.Binary;

namespace LlmGateway.Sandbox;

/// <summary>
/// <c>POST /v1/audio/speech</c>: a tone of 0.1 s for each word, always as WAV (8000 samples a second, 8 bits, one channel).
/// </summary>
public static class Speech
{
    public const int SamplesPerSecond = 8000;

    const int SamplesPerWord = SamplesPerSecond / 10;
    const int MaxCharacters = 4096;
    const int HeaderBytes = 44;

    public static void MapSpeech(this IEndpointRouteBuilder routes) =>
        routes.MapTurn("/v1/audio/speech", exchange => OpenAIError.Read(exchange, ReadTurn));

    static Turn ReadTurn(RequestFields fields)
    {
        var model = fields.RequiredText("model");
        var input = fields.RequiredText("input");
        fields.RequiredText("voice");
        if (input.Length > MaxCharacters)
        {
            fields.Fail(
                $"Invalid 'input': string too long. Expected a string with maximum length {MaxCharacters}.",
                "input",
                "string_above_max_length");
        }
        var said = Said.OfText(input);
        var question = new Question(model, Question.FingerprintOf(model, fields.Any("input")), said.Tokens, Markers.Read(input));
        return new(
            question,
            status => OpenAIError.OfStatus(status, model),
            (answer, _) => new WholeReply(Wave(said.Tokens, answer.Variation), "audio/wav"))
        {
            Answer = (_, _) => Answer.OfTokens(question, 0),
        };
    }

    static byte[] Wave(int words, int variation)
    {
        var samples = words * SamplesPerWord;
        var wave = new byte[HeaderBytes + samples];
        "RIFF"u8.CopyTo(wave);
        BinaryPrimitives.WriteInt32LittleEndian(wave.AsSpan(4), wave.Length - 8);
        "WAVEfmt "u8.CopyTo(wave.AsSpan(8));
        BinaryPrimitives.WriteInt32LittleEndian(wave.AsSpan(16), 16);
        BinaryPrimitives.WriteInt16LittleEndian(wave.AsSpan(20), 1);
        BinaryPrimitives.WriteInt16LittleEndian(wave.AsSpan(22), 1);
        BinaryPrimitives.WriteInt32LittleEndian(wave.AsSpan(24), SamplesPerSecond);
        BinaryPrimitives.WriteInt32LittleEndian(wave.AsSpan(28), SamplesPerSecond);
        BinaryPrimitives.WriteInt16LittleEndian(wave.AsSpan(32), 1);
        BinaryPrimitives.WriteInt16LittleEndian(wave.AsSpan(34), 8);
        "data"u8.CopyTo(wave.AsSpan(36));
        BinaryPrimitives.WriteInt32LittleEndian(wave.AsSpan(40), samples);
        var period = 20 + (variation % 60);
        for (var i = 0; i < samples; i++)
        {
            wave[HeaderBytes + i] = (byte)(i % period < period / 2 ? 112 : 144);
        }
        return wave;
    }
}
