using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>Gemini's <c>:embedContent</c> and <c>:batchEmbedContents</c>.</summary>
public static class GeminiEmbeddings
{
    const int MaxDimensions = 3072;
    const int MaxTexts = 100;

    public static Turn Read(string model, RequestFields fields, bool isBatch)
    {
        var texts = (isBatch ? ReadBatch(fields) : [Read(fields)]).ToArray();
        if (texts.Length > MaxTexts)
        {
            fields.Fail($"at most {MaxTexts} requests can be in one batch", "requests");
        }
        var question = new Question(
            model,
            Question.FingerprintOf(model, fields.Any(isBatch ? "requests" : "content")),
            texts.Sum(text => text.Said.Tokens),
            Markers.Read(texts.LastOrDefault().Said.Text ?? ""));
        return new(question, status => GeminiError.OfStatus(status, model), (answer, behaviour) =>
        {
            var values = texts.Select(text => new { values = Noise.Vector(model, text.Said.Text, text.Dimensions) });
            object? usageMetadata = answer.Usage.As(behaviour.Usage) is [.., var usage]
                ? new { promptTokenCount = usage.Prompt, totalTokenCount = usage.Total }
                : null;
            return isBatch
                ? new WholeReply(new { embeddings = values, usageMetadata })
                : new WholeReply(new { embedding = values.Single(), usageMetadata });
        })
        {
            Answer = (_, _) => Answer.OfTokens(question, 0),
        };
    }

    static IEnumerable<(Said Said, int Dimensions)> ReadBatch(RequestFields fields)
    {
        foreach (var request in fields.RequiredArray("requests").EnumerateArray())
        {
            var inner = new RequestFields(request);
            yield return Read(inner);
            if (inner.Bad is { } bad)
            {
                fields.Fail(bad.Message, bad.Param, bad.Code);
            }
        }
    }

    static (Said Said, int Dimensions) Read(RequestFields fields)
    {
        JsonElement? content = fields.RequiredArray("content.parts");
        var dimensions = fields.WholeNumber(
            fields.Has("outputDimensionality") ? "outputDimensionality" : "embedContentConfig.outputDimensionality",
            1,
            MaxDimensions);
        return (Said.Of(content), dimensions ?? MaxDimensions);
    }
}
