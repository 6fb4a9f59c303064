using System.Net;
using System.Net.Http.Headers;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy;

/// <summary>The ledger, which knows what each <c>Idempotency-Key</c> stands for. It throws where the ledger does not answer.</summary>
public sealed class KeyedCallsClient(HttpClient http)
{
    /// <summary>A caller waits, at the end for an answer that is there already. With its repetition a call takes twice as long.</summary>
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(1);

    /// <summary>Why a call is not to run, and the sealed answer of the one that has run.</summary>
    public async Task<(HttpStatusCode Status, byte[] Sealed)> TakeAsync(KeyRequest asked)
    {
        using var answer = await http.PostAsJsonAsync("/internal/calls", asked, Defaults.Json);
        if (answer.StatusCode is not (HttpStatusCode.Conflict or HttpStatusCode.Gone or HttpStatusCode.UnprocessableEntity))
            answer.EnsureSuccessStatusCode();
        return (answer.StatusCode, answer.StatusCode == HttpStatusCode.OK ? await answer.Content.ReadAsByteArrayAsync() : []);
    }

    /// <summary>Books a call and keeps its answer, both or neither.</summary>
    /// <param name="record">Its settlement.</param>
    /// <param name="answer">Empty when it is not to be kept.</param>
    public async Task EndAsync(Guid request, byte[] record, byte[] answer)
    {
        using var body = new ByteArrayContent([.. record, .. answer]);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        using var response = await http.PostAsync($"/internal/calls/{request:N}", body);
        response.EnsureSuccessStatusCode();
    }

    public async Task FreeAsync(Guid request)
    {
        using var response = await http.DeleteAsync($"/internal/calls/{request:N}");
        response.EnsureSuccessStatusCode();
    }

    /// <returns>Those that still count as running.</returns>
    public async Task<IReadOnlyList<Guid>> RenewAsync(IReadOnlyList<Guid> requests)
    {
        using var response = await http.PostAsJsonAsync("/internal/calls/renew", new KeyRenewal(requests), Defaults.Json);
        response.EnsureSuccessStatusCode();
        return (await response.Content.ReadFromJsonAsync<KeyRenewal>(Defaults.Json))!.Requests;
    }
}
