using System.Buffers;
using System.Net;
using MimeKit;

namespace LlmGateway.Sandbox;

/// <param name="Number">1, 2, 3 … in the order of arrival.</param>
public sealed record CaughtMail(long Number, string MessageId, string From, IReadOnlyList<string> To, string Subject, string Text);

/// <summary>The mails that were caught, the latest of them.</summary>
public sealed class CaughtMails
{
    /// <summary>Mails that are remembered, and characters of a text.</summary>
    const int Max = 1000, MaxText = 20_000;

    readonly Lock _gate = new();

    readonly Queue<CaughtMail> _mails = new();

    long _count;

    public async Task AddAsync(ReadOnlySequence<byte> bytes, IReadOnlyList<string> to, CancellationToken token)
    {
        using var stream = new MemoryStream(bytes.ToArray());
        using var message = await MimeMessage.LoadAsync(stream, token);
        var text = message.TextBody ?? message.HtmlBody ?? "";
        lock (_gate)
        {
            _mails.Enqueue(new(
                ++_count, message.MessageId ?? "", message.From.ToString(), to, message.Subject ?? "",
                text.Length > MaxText ? text[..MaxText] : text));
            if (_mails.Count > Max)
                _mails.Dequeue();
        }
    }

    /// <summary>Newest first.</summary>
    /// <param name="to">Null: to everybody.</param>
    public IReadOnlyList<CaughtMail> To(string? to)
    {
        lock (_gate)
            return [.. _mails.Where(mail => to is null || mail.To.Contains(to, StringComparer.OrdinalIgnoreCase)).Reverse()];
    }
}

/// <summary>
/// <c>GET /sandbox/mail?to=</c>: the mails that were caught, newest first, as JSON, and as a page where a browser asks.
/// </summary>
public static class MailPage
{
    public static void MapMail(this IEndpointRouteBuilder routes) => routes.MapGet("/sandbox/mail", (
        HttpContext http, CaughtMails mails, string? to) =>
        http.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.Ordinal)
            ? Results.Content(PageOf(mails.To(to)), "text/html; charset=utf-8")
            : Results.Json(new { mails = mails.To(to) }));

    static string PageOf(IReadOnlyList<CaughtMail> mails) =>
        "<!doctype html><meta charset=utf-8><title>Mail of the sandbox</title><style>body{font-family:sans-serif;margin:2em}"
        + "article{border-top:1px solid #ccc;padding:1em 0}pre{white-space:pre-wrap}</style><h1>Mail that the sandbox has caught</h1>"
        + (mails.Count == 0 ? "<p>None.</p>" : string.Concat(mails.Select(ArticleOf)));

    static string ArticleOf(CaughtMail mail) =>
        $"<article><b>{WebUtility.HtmlEncode(mail.Subject)}</b><br>to {WebUtility.HtmlEncode(string.Join(", ", mail.To))}"
        + $"<pre>{WebUtility.HtmlEncode(mail.Text)}</pre></article>";
}
