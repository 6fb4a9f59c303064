using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.Proxy.ResponseState;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmGateway.UnitTests.Proxy.ResponseState;

/// <summary>
/// The responses that Sessions keeps, in memory, and a gateway on top of it. It gives out everything to everybody: what a customer may read
/// must not rest on this table alone.
/// </summary>
sealed class KeptInMemory : HttpMessageHandler
{
    public static readonly Envelope Envelope = new([new byte[32]]);

    readonly List<KeptResponse> _rows = [];

    /// <summary>What is answered instead; null answers.</summary>
    public HttpStatusCode? Answer { get; set; }

    public IReadOnlyList<KeptResponse> Rows => _rows;

    /// <summary>How many of the rows were fetched.</summary>
    public int Fetched { get; private set; }

    public ResponseStates States(BodyBudget? bodies = null) => new(
        new KeptResponsesClient(new HttpClient(this, disposeHandler: false) { BaseAddress = new("http://sessions") }), Envelope,
        bodies ?? new(1L << 30, 1L << 30), NullLogger<ResponseStates>.Instance);

    /// <summary>A call by a customer of the project, which has the models <c>own</c> and <c>other</c> of two providers.</summary>
    public static ModelCall Call(Guid customer) => new(
        new DefaultHttpContext(), "/v1/responses", new(TimeProvider.System), TimeProvider.System)
    {
        Caller = new(SessionsInMemory.Credential() with { Customer = customer, Project = ProjectId }, Project, ""),
    };

    static readonly Guid ProjectId = Ids.New();
    static readonly Project Project = new(
        new(ProjectId, Ids.New(), "app", true, true, [], [Provider("own"), Provider("other")], [Model("own"), Model("other")]), Envelope);

    static ProviderConnection Provider(string id) =>
        new(id, ProviderWire.Responses, "https://api.example.com/v1", "none", null, [], 60, 0, "cancel", Sandbox: false);

    static ModelOffer Model(string id) => new(id, "chat", id, id, 1000, 100, null, null);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (Answer is { } answer)
            return new(answer);
        var path = request.RequestUri!.AbsolutePath.Split('/');
        if (request.Method == HttpMethod.Post)
        {
            var question = await request.Content!.ReadFromJsonAsync<KeptResponseQuestion>(Defaults.Json, cancellationToken);
            return Json(_rows.Where(row => row.Id == question!.Id || row.Marks.Intersect(question.Marks).Any()).Reverse()
                .Select(row => new FoundResponse(row.Id, row.PlainBytes)));
        }
        var id = Guid.ParseExact(path[^1], "N");
        if (request.Method == HttpMethod.Put)
            _rows.Add(KeptResponse.Read(id, await request.Content!.ReadAsByteArrayAsync(cancellationToken))!);
        if (request.Method == HttpMethod.Delete)
            return new(_rows.RemoveAll(row => row.Id == id) > 0 ? HttpStatusCode.NoContent : HttpStatusCode.NotFound);
        if (request.Method == HttpMethod.Put)
            return new(HttpStatusCode.NoContent);
        Fetched++;
        return _rows.Find(row => row.Id == id) is { } found
            ? new(HttpStatusCode.OK) { Content = new ByteArrayContent(found.Sealed) }
            : new(HttpStatusCode.NotFound);
    }

    static HttpResponseMessage Json(object value) => new(HttpStatusCode.OK)
    {
        Content = new StringContent(JsonSerializer.Serialize(value, Defaults.Json), Encoding.UTF8, "application/json"),
    };
}
