namespace LlmGateway.Sandbox;

/// <summary>A failure in Anthropic's shape.</summary>
public sealed record AnthropicError(int Status, string Type, string Message) : IResult
{
    const string RequestId = "request-id";

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = Status;
        if (Status == StatusCodes.Status429TooManyRequests)
        {
            response.Headers.RetryAfter = "1";
        }
        await response.WriteAsJsonAsync(
            new { type = "error", error = Body, request_id = NameRequest(httpContext, httpContext.TraceIdentifier) },
            httpContext.RequestAborted);
    }

    object Body => new { type = Type, message = Message };

    public static AnthropicError Invalid(string message) => new(StatusCodes.Status400BadRequest, "invalid_request_error", message);

    public static AnthropicError Of(BadField bad) => Invalid(bad switch
    {
        { Param: null } => "The request body is not valid JSON.",
        { Code: "missing_required_parameter" } => $"{bad.Param}: Field required",
        _ => $"{bad.Param}: {bad.Message}",
    });

    /// <summary>The event of a stream that has failed.</summary>
    public static byte[] InStream() =>
        RawJson.Event("error", new { type = "error", error = OfStatus(StatusCodes.Status500InternalServerError, "").Body });

    /// <summary>Reads a JSON call with its credential.</summary>
    public static (Turn? Turn, IResult? Refusal) Read(Exchange exchange, Func<RequestFields, Turn> read)
    {
        NameRequest(exchange.Context, exchange.Id);
        if (OfHeaders(exchange.Context.Request) is { } error)
        {
            return (null, error);
        }
        var (turn, bad) = RequestFields.Read(exchange.Body, read);
        return (turn, bad is null ? null : Of(bad));
    }

    /// <summary>The refusal of a request; null when it names a version and brings any key but the bad one.</summary>
    public static AnthropicError? OfHeaders(HttpRequest request)
    {
        var key = request.Headers["x-api-key"].ToString() is { Length: > 0 } named ? named : ProviderKey.Bearer(request);
        return key switch
        {
            "" => new(StatusCodes.Status401Unauthorized, "authentication_error", "x-api-key header is required"),
            ProviderKey.Bad => OfStatus(StatusCodes.Status401Unauthorized, ""),
            _ when request.Headers["anthropic-version"].Count == 0 => Invalid("anthropic-version: header is required"),
            _ => null,
        };
    }

    /// <summary>What Anthropic says with a status.</summary>
    public static AnthropicError OfStatus(int status, string model) => status switch
    {
        400 => Invalid("The sandbox was asked to find this request invalid."),
        401 => new(status, "authentication_error", "invalid x-api-key"),
        404 => new(status, "not_found_error", $"model: {model}"),
        429 => new(status, "rate_limit_error", "This request would exceed your account's rate limit. Please try again later."),
        529 => new(status, "overloaded_error", "Overloaded"),
        _ => new(status, "api_error", "Internal server error"),
    };

    static string NameRequest(HttpContext context, string id)
    {
        var headers = context.Response.Headers;
        if (headers[RequestId].Count == 0)
        {
            headers[RequestId] = id;
        }
        return headers[RequestId].ToString();
    }
}
