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

    /// <summary>False when it is not kept: there is no room for it, or its customer was deleted.</summary>
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

    /// <summary>What the customer has of what is asked for, without its contents.</summary>
    /// <exception cref="ProblemException">It is too much for one request (413).</exception>
    public async Task<IReadOnlyList<FoundResponse>> FindAsync(Guid customer, KeptResponseQuestion question)
    {
        using var answer = await http.PostAsJsonAsync($"/internal/kept-responses/{customer:N}/find", question, Defaults.Json);
        if (answer.StatusCode == HttpStatusCode.RequestEntityTooLarge)
            throw new ProblemException(Problems.RefersToTooMuch(KeptResponse.MaxBytes, KeptResponseQuestion.MaxFound));
        answer.EnsureSuccessStatusCode();
        return (await answer.Content.ReadFromJsonAsync<IReadOnlyList<FoundResponse>>(Defaults.Json))!;
    }

    /// <summary>The sealed bytes; null when the customer has no such response any more.</summary>
    public async Task<byte[]?> GetAsync(Guid customer, Guid id)
    {
        using var answer = await http.GetAsync($"/internal/kept-responses/{customer:N}/{id:N}");
        if (answer.StatusCode == HttpStatusCode.NotFound)
            return null;
        answer.EnsureSuccessStatusCode();
        return await answer.Content.ReadAsByteArrayAsync();
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
