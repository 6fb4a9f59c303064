using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox;

/// <summary>
/// An MCP server over streamable HTTP, at <c>/http/mcp</c>. Its tools do what their names say. Ids of its sessions are numbers, as those of
/// careless servers are, so that one can be guessed.
/// </summary>
public static class McpServer
{
    const string SessionHeader = "Mcp-Session-Id", Version = "2025-06-18";

    static readonly TimeSpan Between = TimeSpan.FromMilliseconds(50);

    static readonly string[] Tools = ["echo", "costly", "unsold", "fails", "refuses", "streams", "cut", "forever", "breaks"];

    static readonly ConcurrentDictionary<string, bool> Sessions = new();
    static int _sessions;

    public static void MapMcpServer(this IEndpointRouteBuilder routes) => routes.Map(
        "/http/mcp", (HttpContext context, RequestLog log, TimeProvider time) => Exchange.HandleAsync(context, log, time, HandleAsync));

    static async Task HandleAsync(Exchange exchange)
    {
        var (request, response) = (exchange.Context.Request, exchange.Context.Response);
        var session = request.Headers[SessionHeader].ToString();
        if (HttpMethods.IsDelete(request.Method))
        {
            response.StatusCode = Sessions.TryRemove(session, out _) ? StatusCodes.Status200OK : StatusCodes.Status404NotFound;
            return;
        }
        if (!HttpMethods.IsPost(request.Method))
        {
            response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            return;
        }
        var message = JsonNode.Parse(exchange.Body)!.AsObject();
        var method = (string?)message["method"];
        if (method == "initialize")
        {
            session = Interlocked.Increment(ref _sessions).ToString(CultureInfo.InvariantCulture);
            Sessions[session] = true;
            response.Headers[SessionHeader] = session;
        }
        else if (session.Length > 0 && !Sessions.ContainsKey(session))
        {
            response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }
        if (message["id"] is not { } id || method is null)
        {
            response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }
        await (method switch
        {
            "initialize" => SayAsync(exchange, id, new()
            {
                ["protocolVersion"] = (string?)message["params"]?["protocolVersion"] ?? Version,
                ["capabilities"] = new JsonObject { ["tools"] = new JsonObject() },
                ["serverInfo"] = new JsonObject { ["name"] = "sandbox", ["version"] = "1" },
            }),
            "tools/list" => SayAsync(exchange, id, new()
            {
                ["tools"] = new JsonArray([.. Tools.Select(name => (JsonNode)new JsonObject
                {
                    ["name"] = name, ["inputSchema"] = new JsonObject { ["type"] = "object" },
                })]),
            }),
            "tools/call" => CallAsync(exchange, id, message["params"]!.AsObject()),
            "ping" => SayAsync(exchange, id, new()),
            _ => RefuseAsync(exchange, id, -32601, null),
        });
    }

    static async Task CallAsync(Exchange exchange, JsonNode id, JsonObject call)
    {
        var cost = call["arguments"]?["cost"]?.DeepClone();
        var words = (string?)call["arguments"]?["text"] ?? "done";
        exchange.TokensOut++;
        switch ((string?)call["name"])
        {
            case "echo" or "costly" or "unsold":
                await SayAsync(exchange, id, Result(words, isError: false, cost));
                break;
            case "fails":
                await SayAsync(exchange, id, Result("no luck", isError: true, cost));
                break;
            case "refuses":
                await RefuseAsync(exchange, id, -32000, cost);
                break;
            case "breaks":
                exchange.Context.Response.StatusCode = StatusCodes.Status500InternalServerError;
                await RefuseAsync(exchange, id, -32603, cost);
                break;
            case "streams":
                await TellAsync(exchange, Progress());
                await TellAsync(exchange, Answer(id, "result", Result(words, isError: false, cost)));
                break;
            case "cut":
                await TellAsync(exchange, Progress());
                exchange.Drop();
                break;
            case "forever":
                for (; ; await Task.Delay(Between, exchange.Time, exchange.CallerLeft))
                    await TellAsync(exchange, Progress());
            default:
                await RefuseAsync(exchange, id, -32602, null);
                break;
        }
    }

    static JsonObject Result(string words, bool isError, JsonNode? cost)
    {
        var result = new JsonObject
        {
            ["content"] = new JsonArray(new JsonObject { ["type"] = "text", ["text"] = words }), ["isError"] = isError,
        };
        if (cost is not null)
            result["_meta"] = new JsonObject { ["cost"] = cost };
        return result;
    }

    static JsonObject Progress() => new()
    {
        ["jsonrpc"] = "2.0", ["method"] = "notifications/progress",
        ["params"] = new JsonObject { ["progressToken"] = "one", ["progress"] = 1 },
    };

    static JsonObject Answer(JsonNode id, string member, JsonObject value) =>
        new() { ["jsonrpc"] = "2.0", ["id"] = id.DeepClone(), [member] = value };

    static Task SayAsync(Exchange exchange, JsonNode id, JsonObject result) => WriteAsync(exchange, Answer(id, "result", result));

    static Task RefuseAsync(Exchange exchange, JsonNode id, int code, JsonNode? cost)
    {
        var error = new JsonObject { ["code"] = code, ["message"] = "refused" };
        if (cost is not null)
            error["data"] = new JsonObject { ["_meta"] = new JsonObject { ["cost"] = cost } };
        return WriteAsync(exchange, Answer(id, "error", error));
    }

    static async Task WriteAsync(Exchange exchange, JsonObject answer)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(answer);
        exchange.Context.Response.ContentType = "application/json";
        exchange.Context.Response.ContentLength = bytes.Length;
        await exchange.Context.Response.Body.WriteAsync(bytes, exchange.CallerLeft);
    }

    static async Task TellAsync(Exchange exchange, JsonObject message)
    {
        if (!exchange.Context.Response.HasStarted)
            exchange.Context.Response.ContentType = "text/event-stream";
        await exchange.Context.Response.WriteAsync($"event: message\ndata: {message.ToJsonString()}\n\n", exchange.CallerLeft);
        await exchange.Context.Response.Body.FlushAsync(exchange.CallerLeft);
    }
}
