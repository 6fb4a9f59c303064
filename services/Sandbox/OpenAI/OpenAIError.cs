namespace LlmGateway.Sandbox;

/// <summary>A failure in OpenAI's shape.</summary>
public sealed record OpenAIError(int Status, string Type, string Message, string? Param = null, string? Code = null) : IResult
{
    const string InvalidRequest = "invalid_request_error";

    /// <summary>The key that is always refused.</summary>
    const string BadKey = "sk-bad";

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = Status;
        if (Status == StatusCodes.Status429TooManyRequests)
        {
            response.Headers.RetryAfter = "1";
        }
        var error = new { message = Message, type = Type, param = Param, code = Code };
        await response.WriteAsJsonAsync(new { error }, httpContext.RequestAborted);
    }

    public static OpenAIError Invalid(string message, string? param = null, string? code = null) =>
        new(StatusCodes.Status400BadRequest, InvalidRequest, message, param, code);

    public static OpenAIError NoSuchRoute(HttpRequest request) =>
        new(StatusCodes.Status404NotFound, InvalidRequest, $"Invalid URL ({request.Method} {request.Path})");

    /// <summary>Why a request may not pass; null when its bearer key is good, as every key is but one.</summary>
    public static OpenAIError? OfCredential(HttpRequest request)
    {
        const string scheme = "Bearer ";
        var header = request.Headers.Authorization.ToString();
        var key = header.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) ? header[scheme.Length..].Trim() : "";
        return key switch
        {
            "" => new(StatusCodes.Status401Unauthorized, InvalidRequest, "You didn't provide an API key (Authorization: Bearer …)."),
            BadKey => OfStatus(StatusCodes.Status401Unauthorized, ""),
            _ => null,
        };
    }

    /// <summary>What OpenAI says with a status.</summary>
    public static OpenAIError OfStatus(int status, string model) => status switch
    {
        400 => Invalid("The sandbox was asked to find this request invalid.", "messages", "invalid_value"),
        401 => new(status, InvalidRequest, "Incorrect API key provided.", null, "invalid_api_key"),
        404 => new(status, InvalidRequest, $"The model `{model}` does not exist or you do not have access to it.", null, "model_not_found"),
        429 => new(status, "requests", $"Rate limit reached for {model}. Please try again in 1s.", null, "rate_limit_exceeded"),
        529 => new(status, "overloaded_error", "Overloaded"),
        503 => new(status, "server_error", "The engine is currently overloaded, please try again later."),
        _ => new(status, "server_error", "The server had an error while processing your request. Sorry about that!"),
    };
}
