using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http.Features;

namespace LlmGateway.Sandbox;

/// <summary>
/// An HTTP API that is no model's, under <c>/http</c>, for raw calls and routes of a project. Its path says what it does. It needs no
/// credential, and its log has whatever a call came with. A call is found by <c>[[tag:NAME]]</c> in its body or <c>tag</c> in its query.
/// </summary>
public static class HttpApi
{
    const int MaxBytes = 16 * 1024 * 1024, MaxCount = 100_000;

    public static void MapHttpApi(this IEndpointRouteBuilder routes)
    {
        On("/http/echo/{**path}", EchoAsync);
        On("/http/mirror", exchange =>
        {
            exchange.Context.Response.ContentType = exchange.Context.Request.ContentType;
            return SendAsync(exchange, exchange.Body);
        });
        On("/http/rows/{count:int}", exchange => Results.Json(new { rows = Enumerable.Range(0, Count(exchange)).Select(id => new { id }) })
            .ExecuteAsync(exchange.Context));
        On("/http/bytes/{count:int}", exchange =>
        {
            exchange.Context.Response.ContentType = "application/octet-stream";
            return SendAsync(exchange, new byte[Math.Min(Count(exchange), MaxBytes)]);
        });
        On("/http/status/{count:int}", RefuseAsync);
        On("/http/empty", exchange =>
        {
            exchange.Context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        });
        On("/http/redirect", exchange =>
        {
            exchange.Context.Response.Redirect(exchange.Context.Request.Query["to"].ToString());
            return Task.CompletedTask;
        });
        On("/http/hang", exchange => Task.Delay(Timeout.InfiniteTimeSpan, exchange.Time, exchange.CallerLeft));
        On("/http/cut", exchange =>
        {
            exchange.Drop();
            return Task.CompletedTask;
        });
        On("/http/events/{count:int}", exchange => StreamAsync(exchange, StreamEnd.Whole));
        On("/http/events/{count:int}/hold", exchange => StreamAsync(exchange, StreamEnd.Held));
        On("/http/events/{count:int}/cut", exchange => StreamAsync(exchange, StreamEnd.Cut));

        void On(string path, Func<Exchange, Task> answer) =>
            routes.Map(path, (HttpContext context, RequestLog log, TimeProvider time) => Exchange.HandleAsync(context, log, time, answer));
    }

    enum StreamEnd { Whole, Held, Cut }

    static int Count(Exchange exchange) =>
        Math.Clamp(int.Parse((string)exchange.Context.Request.RouteValues["count"]!, CultureInfo.InvariantCulture), 0, MaxBytes);

    /// <summary>What it was asked, word by word, with what a client could make of it.</summary>
    static Task EchoAsync(Exchange exchange)
    {
        var request = exchange.Context.Request;
        exchange.Context.Response.Headers["X-Total-Count"] = "42";
        exchange.Context.Response.Headers.SetCookie = "upstream=1";
        exchange.Context.Response.Headers.Link = $"<http://{request.Host}{request.Path}?page=2{Key(request)}>; rel=\"next\"";
        return Results.Json(new
        {
            method = request.Method,
            target = exchange.Context.Features.Get<IHttpRequestFeature>()!.RawTarget,
            headers = request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => header.Value.ToString()),
            body = Encoding.UTF8.GetString(exchange.Body),
        }).ExecuteAsync(exchange.Context);
    }

    /// <summary>As APIs repeat what they were called with in links.</summary>
    static string Key(HttpRequest request) => request.Query["key"].ToString() is { Length: > 0 } key ? $"&key={key}" : "";

    /// <summary>An error whose words show the key, as those of some APIs do.</summary>
    static Task RefuseAsync(Exchange exchange) => Results.Json(
        new { error = "refused", detail = $"no luck with '{exchange.Context.Request.Headers.Authorization}'" },
        statusCode: Math.Clamp(Count(exchange), 200, 599)).ExecuteAsync(exchange.Context);

    static async Task SendAsync(Exchange exchange, byte[] body)
    {
        exchange.Context.Response.ContentLength = body.Length;
        await exchange.Context.Response.Body.WriteAsync(body, exchange.CallerLeft);
    }

    /// <summary>A chat's stream: as many words, then its usage and the mark of its end.</summary>
    static async Task StreamAsync(Exchange exchange, StreamEnd end)
    {
        var words = Math.Min(Count(exchange), MaxCount);
        exchange.Context.Response.ContentType = "text/event-stream";
        for (var i = 0; i < words; i++)
        {
            await TellAsync("""{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"word "}}]}""");
            exchange.TokensOut++;
        }
        switch (end)
        {
            case StreamEnd.Held:
                await Task.Delay(Timeout.InfiniteTimeSpan, exchange.Time, exchange.CallerLeft);
                break;
            case StreamEnd.Cut:
                exchange.Drop();
                return;
            default:
                var usage = $$"""{"prompt_tokens":7,"completion_tokens":{{words}},"total_tokens":{{words + 7}}}""";
                await TellAsync($$"""{"object":"chat.completion.chunk","choices":[],"usage":{{usage}}}""");
                await TellAsync("[DONE]");
                break;
        }

        async Task TellAsync(string data)
        {
            await exchange.Context.Response.WriteAsync($"data: {data}\n\n", exchange.CallerLeft);
            await exchange.Context.Response.Body.FlushAsync(exchange.CallerLeft);
        }
    }
}
