using System.Text;
using Microsoft.AspNetCore.Http;

namespace LlmGateway.ServiceDefaults;

/// <summary>A file that is sent while it is read.</summary>
public static class FileParts
{
    /// <summary>So many characters are sent at once.</summary>
    public const int AtOnce = 64 * 1024;

    /// <summary>A reader that does not take them within this time is left, so that its place is free for others.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>The head goes with the first part, so that what fails before it is an error of its own.</summary>
    public static async Task SendAsync(
        HttpResponse response, string type, string name, StringBuilder text, TimeProvider time, CancellationToken token)
    {
        if (!response.HasStarted)
        {
            response.ContentType = type;
            response.Headers.ContentDisposition = $"attachment; filename={name}";
        }
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(token, patience.Token);
        try
        {
            await response.Body.WriteAsync(Encoding.UTF8.GetBytes(text.ToString()), either.Token);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
            response.HttpContext.Abort();
            throw;
        }
        text.Clear();
    }
}
