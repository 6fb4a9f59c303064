using System.Buffers;
using LlmGateway.Contracts;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Responses;

/// <summary><c>POST /v1/responses</c>, OpenAI's newer wire.</summary>
public sealed class ResponsesWire : ConversationWire
{
    public override string Name => "OpenAI Responses";

    public override bool Speaks(string provider) => provider is ProviderWire.OpenAi or ProviderWire.Responses;

    public override ModelRequest Read(ReadOnlySpan<byte> body, RequestTarget target) => ResponsesRequestReader.Read(body);

    public override string Path(string upstreamModel, bool stream) => "/v1/responses";

    /// <remarks>The last event repeats the whole answer, so it may be as large as an answer that is no stream.</remarks>
    public override StreamRelay NewRelay(ModelRequest request) => new PassRelay(this, maxEventBytes: AnswerBody.MaxBytes);

    public override Conversation Understand(ReadOnlySpan<byte> body, ModelRequest request) => ResponsesUnderstanding.Read(body);

    public override NameRules NamesOf(string upstreamModel) => NameRules.Responses;

    protected override bool TakesRecords => true;

    protected override byte[] Write(Conversation conversation, string upstreamModel, long outputLimit, bool stream) =>
        JsonPen.Write(json => new ResponsesComposer(conversation, Name, json).WriteBody(upstreamModel, outputLimit, stream));

    public override AnswerReader NewReader() => new ResponsesReader();

    public override AnswerWriter NewWriter(AnswerHead head) => new ResponsesWriter(head);

    public override void WriteError(IBufferWriter<byte> to, Problem problem, string requestId) =>
        Problems.WriteBody(to, problem, requestId);

    /// <summary>Clients look for the reason in two places: beside the type, or in an error object.</summary>
    public override void WriteStreamError(IBufferWriter<byte> to, Problem problem, string requestId, int sequence = 0)
    {
        to.Write("event: error\ndata: "u8);
        var json = new JsonPen().On(to);
        json.WriteStartObject();
        json.WriteString("type", "error");
        json.WriteNumber("sequence_number", sequence);
        json.WriteString("code", problem.Code);
        json.WriteString("message", problem.Message);
        json.WriteString("param", problem.Param);
        json.WriteStartObject("error");
        json.WriteString("type", problem.Type);
        json.WriteString("code", problem.Code);
        json.WriteString("message", problem.Message);
        json.WriteString("param", problem.Param);
        json.WriteEndObject();
        json.WriteString("requestId", requestId);
        json.WriteEndObject();
        json.Flush();
        to.Write("\n\n"u8);
    }
}
