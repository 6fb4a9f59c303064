using System.Text;
using System.Text.Json;
using Xunit;

namespace LlmGateway.UnitTests.Sandbox;

/// <summary>What only Gemini's wire has.</summary>
public sealed class GeminiTests(Provider provider) : IClassFixture<Provider>
{
    const string Hello = "{\"contents\":[{\"parts\":[{\"text\":\"hello there\"}]}]}";

    [Fact]
    public async Task Each_chunk_has_the_usage_so_far()
    {
        var chunks = Wire.Events((await PostAsync(
            "/v1beta/models/m:streamGenerateContent?alt=sse&key=k",
            "{\"contents\":[{\"parts\":[{\"text\":\"[[thinks:1]] [[tokens:2]]\"}]}]}")).Text)
            .Select(item => JsonElement.Parse(item.Data).GetProperty("usageMetadata")).ToArray();

        Assert.Equal(
            [(0L, 3L), (1, 4), (2, 5), (2, 5)],
            chunks.Select(usage => (usage.Long("candidatesTokenCount"), usage.Long("totalTokenCount"))));
        Assert.All(chunks, usage => Assert.Equal(1, usage.Long("thoughtsTokenCount")));
    }

    [Fact]
    public async Task A_stream_without_alt_is_one_array()
    {
        var array = (await PostAsync("/v1/models/m:streamGenerateContent?key=k", Hello)).Json;

        Assert.Equal(21, array.GetArrayLength());
        Assert.Equal("STOP", array[20].GetProperty("candidates")[0].Text("finishReason"));
    }

    [Fact]
    public async Task Both_versions_answer_the_same() => Assert.Equal(
        (await PostAsync("/v1/models/m:generateContent?key=k", Hello)).Text,
        (await PostAsync("/v1beta/models/m:generateContent?key=k", Hello)).Text);

    [Fact]
    public async Task A_bad_key_is_an_invalid_argument_and_none_is_denied()
    {
        var bad = await PostAsync("/v1beta/models/m:generateContent?key=sk-bad", Hello);

        Assert.Equal(
            (400, "INVALID_ARGUMENT", "API_KEY_INVALID"),
            (
                bad.Status,
                bad.Json.GetProperty("error").Text("status"),
                bad.Json.GetProperty("error").GetProperty("details")[0].Text("reason")));
        Assert.Equal(403, (await PostAsync("/v1beta/models/m:generateContent", Hello)).Status);
        Assert.Equal(404, (await PostAsync("/v1beta/models/m:sing?key=k", Hello)).Status);
    }

    [Fact]
    public async Task Candidates_json_and_images_are_counted()
    {
        var answer = (await PostAsync("/v1beta/models/m:generateContent?key=k", """
            {"systemInstruction":{"parts":[{"text":"be nice"}]},
             "contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":""}},{"fileData":{"fileUri":"x"}},
                {"text":"[[tokens:4]]"}]}],
             "generationConfig":{"candidateCount":2,"responseMimeType":"application/json","responseJsonSchema":{}}}
            """.Unwrapped())).Json;

        Assert.Equal(
            (2 + 85 + 85 + 1, 8),
            (
                answer.GetProperty("usageMetadata").Long("promptTokenCount"),
                answer.GetProperty("usageMetadata").Long("candidatesTokenCount")));
        var texts = answer
            .GetProperty("candidates")
            .EnumerateArray()
            .Select(candidate => candidate.GetProperty("content").GetProperty("parts")[0].Text("text"))
            .ToArray();
        Assert.Equal(2, texts.Distinct().Count());
        Assert.All(texts, text => Assert.Equal(4, JsonElement.Parse(text).Text("answer").Split(' ').Length));
    }

    [Fact]
    public async Task Counting_agrees_with_the_usage()
    {
        Assert.Equal(2, (await PostAsync("/v1beta/models/m:countTokens?key=k", Hello)).Json.Long("totalTokens"));
        Assert.Equal(
            2,
            (await PostAsync("/v1beta/models/m:countTokens?key=k", "{\"generateContentRequest\":" + Hello + "}")).Json.Long("totalTokens"));
        Assert.Equal(
            2,
            (await PostAsync("/v1beta/models/m:generateContent?key=k", Hello)).Json.GetProperty("usageMetadata").Long("promptTokenCount"));
    }

    [Fact]
    public async Task One_text_has_the_same_vector_alone_and_among_others()
    {
        const string one = "{\"content\":{\"parts\":[{\"text\":\"hello there\"}]},\"outputDimensionality\":8}";

        var alone = (await PostAsync("/v1beta/models/m:embedContent?key=k", one)).Json.GetProperty("embedding");
        var batch = (await PostAsync(
            "/v1beta/models/m:batchEmbedContents?key=k",
            "{\"requests\":[" + one.Replace("there", "you") + "," + one + "]}")).Json;

        Assert.Equal(8, alone.GetProperty("values").GetArrayLength());
        Assert.Equal(alone.GetRawText(), batch.GetProperty("embeddings")[1].GetRawText());
        Assert.NotEqual(alone.GetRawText(), batch.GetProperty("embeddings")[0].GetRawText());
        Assert.Equal(4, batch.GetProperty("usageMetadata").Long("promptTokenCount"));
    }

    [Fact]
    public async Task Models_come_in_pages()
    {
        var (seen, token) = (new List<string>(), "");
        do
        {
            var page = (await provider.GetAsync("/v1beta/models?pageSize=7&pageToken=" + token, ("x-goog-api-key", "k"))).Json;
            seen.AddRange(page.GetProperty("models").EnumerateArray().Select(model => model.Text("name")));
            token = page.TextOr("nextPageToken");
        }
        while (token.Length > 0);

        Assert.Equal(seen.Distinct(), seen);
        Assert.Contains("models/sandbox-small-error-mid", seen);
    }

    Task<Provider.Arrived> PostAsync(string path, string body) =>
        provider.SendAsync(new(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") });
}
