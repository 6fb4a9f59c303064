using System.Text;
using System.Text.Json;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Gemini;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class GeminiRequestTests
{
    const string Contents = """[{"parts":[{"text":"hello"}]}]""";

    [Fact]
    public void Reads_what_decides_the_cost_of_a_request()
    {
        var request = Accepted("""
            {"contents":[{"role":"user","parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}},
                {"fileData":{"fileUri":"https://x/y","mimeType":"image/jpeg"}}]},
             {"role":"model","parts":[{"functionCall":{"name":"f","args":{"model":1}},"thoughtSignature":"x"}]},
             {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"ok":true},
                "parts":[{"inlineData":{"mimeType":"image/webp","data":"AAAA"}}]}}]}],
             "systemInstruction":{"parts":[{"text":"b"}]},"tools":[{"functionDeclarations":[{"name":"f"}]}],
             "generationConfig":{"candidateCount":2,"maxOutputTokens":40,"responseModalities":["TEXT"],
                "thinkingConfig":{"thinkingBudget":99}},"safetySettings":[]}
            """.Unwrapped(), new("provider/gemini-x", Stream: true, Sse: true));

        Assert.Equal(("provider/gemini-x", true, false, true), (request.Model, request.Stream, request.StreamsAsArray, request.WantsUsage));
        Assert.Equal((2, 40, 4, 3, true), (request.Choices, request.MaxTokens, request.Messages, request.Images, request.HasTools));
        Assert.True(Accepted($$"""{"contents":{{Contents}}}""", new("m", Stream: true, Sse: false)).StreamsAsArray);
    }

    [Fact]
    public void Names_may_be_spelt_with_underscores_and_lists_of_one_without_brackets()
    {
        var request = Accepted("""
            {"system_instruction":{"parts":{"text":"b"}},"contents":{"parts":{"inline_data":{"mime_type":"image/png","data":"AAAA"}}},
             "tools":{"function_declarations":[{"name":"f"}]},"generation_config":{"max_output_tokens":7,"candidate_count":2,
                "response_modalities":"TEXT"}}
            """.Unwrapped());

        Assert.Equal((2, 7, 2, 1, true), (request.Choices, request.MaxTokens, request.Messages, request.Images, request.HasTools));
    }

    [Theory]
    [InlineData("""{"generationConfig":{"maxOutputTokens":7,"max_output_tokens":9}}""", "generationConfig.max_output_tokens")]
    [InlineData("""{"generationConfig":{},"generation_config":{}}""", "generation_config")]
    [InlineData("""{"generationConfig":{"maxoutputtokens":7}}""", "generationConfig.maxoutputtokens")]
    [InlineData("""{"generationConfig":{"MAX_OUTPUT_TOKENS":7}}""", "generationConfig.MAX_OUTPUT_TOKENS")]
    [InlineData("""{"GenerationConfig":{"maxOutputTokens":7}}""", "GenerationConfig")]
    [InlineData("""{"generationConfig":{"max_outputTokens":7}}""", "generationConfig.max_outputTokens")]
    [InlineData("""{"generationConfig":{"maxOutputTokens":"7"}}""", "generationConfig.maxOutputTokens")]
    [InlineData("""{"generationConfig":{"maxOutputTokens":0}}""", "generationConfig.maxOutputTokens")]
    [InlineData("""{"generationConfig":{"candidateCount":9}}""", "generationConfig.candidateCount")]
    [InlineData("""{"generationConfig":[]}""", "generationConfig")]
    [InlineData("""{"model":"models/dearer"}""", "model")]
    public void What_two_servers_could_read_differently_is_refused(string members, string param) =>
        Refused(With(members), "invalid_value", param);

    [Theory]
    [InlineData("""{"cachedContent":"cachedContents/1"}""", "cachedContent")]
    [InlineData("""{"cached_content":"cachedContents/1"}""", "cached_content")]
    [InlineData("""{"serviceTier":"priority"}""", "serviceTier")]
    [InlineData("""{"tools":[{"google_search":{}}]}""", "tools[0].google_search")]
    [InlineData("""{"tools":[{"codeExecution":{}}]}""", "tools[0].codeExecution")]
    [InlineData("""{"tools":[{"urlContext":{}}]}""", "tools[0].urlContext")]
    [InlineData("""{"tools":[{"fileSearch":{}}]}""", "tools[0].fileSearch")]
    [InlineData("""{"tools":[{"somethingNew":{}}]}""", "tools[0].somethingNew")]
    [InlineData("""{"generationConfig":{"speechConfig":{}}}""", "generationConfig.speechConfig")]
    [InlineData("""{"generationConfig":{"responseModalities":["TEXT","IMAGE"]}}""", "generationConfig.responseModalities")]
    [InlineData("""{"generationConfig":{"imageConfig":{}}}""", "generationConfig.imageConfig")]
    [InlineData("""{"systemInstruction":{"parts":[{"fileData":{"fileUri":"gs://a"}}]}}""", "systemInstruction.parts[0].fileData.fileUri")]
    [InlineData(
        """{"systemInstruction":{"parts":[{"file_data":{"mime_type":"image/png","""
            + """ "file_uri":"https://generativelanguage.googleapis.com/v1beta/files/x"}}]}}""",
        "systemInstruction.parts[0].file_data.file_uri")]
    public void What_has_no_price_is_refused(string members, string param) => Refused(With(members), "unpriceable_parameter", param);

    [Theory]
    [InlineData("""{"inlineData":{"mimeType":"video/mp4","data":""}}""", "inlineData")]
    [InlineData("""{"inline_data":{"mime_type":"audio/wav","data":""}}""", "inline_data")]
    [InlineData("""{"fileData":{"fileUri":"https://x/y.png"}}""", "fileData")]
    [InlineData("""{"text":"a","videoMetadata":{}}""", "videoMetadata")]
    [InlineData("""{"inlineData":{"mimeType":"image/png"},"mediaResolution":{"numTokens":99999}}""", "numTokens")]
    [InlineData("""{"functionResponse":{"name":"f","parts":[{"inlineData":{"mimeType":"video/mp4"}}]}}""", "inlineData")]
    public void A_part_that_has_no_price_is_refused(string part, string param) =>
        Refused(
            $$"""{"contents":[{"parts":[]},{"parts":[{"text":"a"},{{part}}]}]}""",
            "unpriceable_parameter",
            $"contents[1].parts[1].{param}");

    [Theory]
    [InlineData("""{}""", "missing_field", "contents")]
    [InlineData("""{"contents":[]}""", "invalid_value", "contents")]
    [InlineData("""{"contents":["hi"]}""", "invalid_value", "contents[0]")]
    [InlineData("""{"contents":[{"parts":["hi"]}]}""", "invalid_value", "contents[0].parts[0]")]
    public void A_request_without_contents_is_refused(string body, string code, string param) => Refused(body, code, param);

    [Theory]
    [InlineData("tunedModels/mine")]
    [InlineData("")]
    public void A_model_without_price_or_name_is_refused(string model) =>
        Assert.False(Wires.Gemini.TryRead(Encoding.UTF8.GetBytes(With("{}")), new(model, false, false), out _, out _));

    [Theory]
    [InlineData("""{"contents":[]}""", """{"contents":[],"generationConfig":{"maxOutputTokens":5}}""")]
    [InlineData("""{"contents":[],"generationConfig":null}""", """{"contents":[],"generationConfig":{"maxOutputTokens":5}}""")]
    [InlineData("""{"generationConfig":{ },"contents":[]}""", """{"generationConfig":{"maxOutputTokens":5 },"contents":[]}""")]
    [InlineData("""{"generation_config":{"topK":1},"contents":[]}""",
        """{"generation_config":{"maxOutputTokens":5,"topK":1},"contents":[]}""")]
    [InlineData("""{"generationConfig":{"max_output_tokens":9},"contents":[]}""",
        """{"generationConfig":{"max_output_tokens":5},"contents":[]}""")]
    [InlineData("""{"generationConfig":{"maxOutputTokens":null},"contents":[]}""",
        """{"generationConfig":{"maxOutputTokens":5},"contents":[]}""")]
    [InlineData("""{"generationConfig":{"maxOutputTokens":5},"contents":[]}""",
        """{"generationConfig":{"maxOutputTokens":5},"contents":[]}""")]
    public void The_limit_that_was_reserved_becomes_the_requests(string body, string sent)
    {
        body = body.Replace("[]", Contents, StringComparison.Ordinal);
        var request = Accepted(body);
        Assert.Equal(
            sent.Replace("[]", Contents, StringComparison.Ordinal),
            Encoding.UTF8.GetString(request.Rewrite(Encoding.UTF8.GetBytes(body), "m", 5, true).Span));
    }

    [Theory]
    [InlineData("/v1beta/models/gemini-x:generateContent", "gemini-x", "generateContent")]
    [InlineData("/v1/models/p/gemini-x:streamGenerateContent", "p/gemini-x", "streamGenerateContent")]
    [InlineData("/v1beta/models/models/gemini-x:countTokens", "gemini-x", "countTokens")]
    [InlineData("/v1beta/p/gemini-x:generateContent", "p/gemini-x", "generateContent")]
    [InlineData("/v1beta/models/p%2Fgemini:8b:generateContent", "p/gemini:8b", "generateContent")]
    [InlineData("/v1beta/tunedModels/a:generateContent", "tunedModels/a", "generateContent")]
    [InlineData("/v1beta/models/p%252Fgemini:generateContent?alt=sse", "p%2Fgemini", "generateContent")]
    [InlineData("/v1beta/models/p/../gemini-x:generateContent", "p/../gemini-x", "generateContent")]
    [InlineData("/v1beta/models/%2e%2e/gemini-x:generateContent", "../gemini-x", "generateContent")]
    [InlineData("http://elsewhere/v1beta/models/gemini-x:generateContent?key=k", "gemini-x", "generateContent")]
    [InlineData("http://elsewhere", null, null)]
    [InlineData("/v1beta/models/gemini-x:embedContent", "gemini-x", "embedContent")]
    [InlineData("/v1beta/models/gemini-x:batchEmbedContents", "gemini-x", "batchEmbedContents")]
    [InlineData("/v1beta/models/gemini-x:predict", null, null)]
    [InlineData("/v1/chat/completions", null, null)]
    [InlineData("/v1/c:generateContent", null, null)]
    [InlineData("/v1beta/models", null, null)]
    public void The_address_names_model_and_method(string path, string? model, string? method)
    {
        Assert.Equal(model is not null, GeminiTarget.TryRead(GeminiTarget.PathOf(path), out var target));
        Assert.Equal((model, method), (target.Model, target.Method));
    }

    [Theory]
    [InlineData("gemini-x", false, "/v1beta/models/gemini-x:generateContent")]
    [InlineData("models/gemini-x", true, "/v1beta/models/gemini-x:streamGenerateContent?alt=sse")]
    [InlineData("a b?c", false, "/v1beta/models/a%20b%3Fc:generateContent")]
    public void The_providers_address_names_its_own_model(string model, bool stream, string path) =>
        Assert.Equal(path, Wires.Gemini.Path(model, stream));

    /// <summary>Some clients repeat the address's model in the body.</summary>
    [Fact]
    public void A_body_may_repeat_the_model_of_the_address_and_no_other()
    {
        foreach (var named in (string[])["x/gem", "models/x/gem"])
        {
            var body = $$$"""{"model":"{{{named}}}","contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"maxOutputTokens":9}}""";
            var bytes = Encoding.UTF8.GetBytes(body);
            var request = Wires.Gemini.Read(bytes, new("x/gem", false, Sse: false));
            Assert.Equal(
                body.Replace($"\"{named}\"", "\"models/up\"", StringComparison.Ordinal),
                Encoding.UTF8.GetString(request.Rewrite(bytes, "up", 9, injectUsage: false).Span));
            Assert.Empty(Wires.Gemini.Understand(bytes, request).LeftOut.Names);
            Assert.False(Wires.Gemini.TryRead(bytes, new("other", false, Sse: false), out _, out var problem));
            Assert.Equal(("invalid_value", "model"), (problem!.Code, problem.Param));
        }
    }

    [Fact]
    public void A_count_of_a_whole_request_names_the_providers_model()
    {
        var body =
            Encoding.UTF8.GetBytes("""{"generateContentRequest":{"contents":[{"parts":[{"text":"one two"}]}],"model":"models/mine"}}""");
        var request = CountRequest.Read(body);

        Assert.Equal(2, TokenEstimate.OfRequest(request.Counted(body).Span));
        Assert.Equal("models/theirs", JsonDocument.Parse(request.Rewrite(body, "theirs")).RootElement
            .GetProperty("generateContentRequest")
            .GetProperty("model")
            .GetString());
    }

    static string With(string members) =>
        members == "{}" ? $$"""{"contents":{{Contents}}}""" : $$"""{"contents":{{Contents}},{{members[1..]}}""";

    static ModelRequest Accepted(string body, RequestTarget? target = null)
    {
        Assert.True(
            Wires.Gemini.TryRead(Encoding.UTF8.GetBytes(body), target ?? new("m", false, false), out var request, out var problem),
            problem?.Message);
        return request;
    }

    static void Refused(string body, string code, string param)
    {
        Assert.False(Wires.Gemini.TryRead(Encoding.UTF8.GetBytes(body), new("m", false, false), out _, out var problem));
        Assert.Equal((400, code, param), (problem.Status, problem.Code, problem.Param));
        Assert.Contains($"'{param}'", problem.Message, StringComparison.Ordinal);
    }
}
