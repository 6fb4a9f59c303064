using System.Net;
using System.Net.Http.Headers;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.ResponseState;

/// <summary>Sessions, which keeps responses. It throws where Sessions does not answer.</summary>
public sealed class KeptResponsesClient(HttpClient http)
{
    /// <summary>A conversation has megabytes at most, and the caller waits for it.</summary>
    public static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(3);

    /// <summary>False when there is no room for it.</summary>
    public async Task<bool> KeepAsync(Guid customer, KeptResponse response)
    {
        using var body = new ByteArrayContent(response.ToBody());
        body.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        using var answer = await http.PutAsync($"/internal/kept-responses/{customer:N}/{response.Id:N}", body);
        if (answer.StatusCode == HttpStatusCode.InsufficientStorage)
            return false;
        answer.EnsureSuccessStatusCode();
        return true;
    }

    /// <summary>Null when the customer has no such response.</summary>
    public async Task<KeptResponse?> FindAsync(Guid customer, Guid id)
    {
        using var answer = await http.GetAsync($"/internal/kept-responses/{customer:N}/{id:N}");
        if (answer.StatusCode == HttpStatusCode.NotFound)
            return null;
        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadFromJsonAsync<KeptResponse>(Defaults.Json);
    }

    public async Task<IReadOnlyList<KeptResponse>> FindAsync(Guid customer, KeptResponseQuestion question)
    {
        using var answer = await http.PostAsJsonAsync($"/internal/kept-responses/{customer:N}/find", question, Defaults.Json);
        answer.EnsureSuccessStatusCode();
        return (await answer.Content.ReadFromJsonAsync<IReadOnlyList<KeptResponse>>(Defaults.Json))!;
    }

    /// <summary>False when the customer has no such response.</summary>
    public async Task<bool> DeleteAsync(Guid customer, Guid id)
    {
        using var answer = await http.DeleteAsync($"/internal/kept-responses/{customer:N}/{id:N}");
        if (answer.StatusCode == HttpStatusCode.NotFound)
            return false;
        answer.EnsureSuccessStatusCode();
        return true;
    }
}
