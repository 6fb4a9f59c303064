namespace LlmGateway.Sandbox;

/// <summary>A failure in OpenAI's shape.</summary>
public sealed record OpenAIError(int Status, string Type, string Message, string? Param = null, string? Code = null) : IResult
{
    public const string InvalidRequest = "invalid_request_error";

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = Status;
        if (Status == StatusCodes.Status429TooManyRequests)
        {
            response.Headers.RetryAfter = "1";
        }
        await response.WriteAsJsonAsync(new { error = Body }, httpContext.RequestAborted);
    }

    public object Body => new { message = Message, type = Type, param = Param ?? RawJson.Null, code = Code ?? RawJson.Null };

    public static OpenAIError Invalid(string message, string? param = null, string? code = null) =>
        new(StatusCodes.Status400BadRequest, InvalidRequest, message, param, code);

    /// <summary>The event of a stream that has failed.</summary>
    public static byte[] InStream() => RawJson.Event(new { error = OfStatus(StatusCodes.Status500InternalServerError, "").Body });

    /// <summary>Reads a JSON call with its credential.</summary>
    public static (Turn? Turn, IResult? Refusal) Read(Exchange exchange, Func<RequestFields, Turn> read)
    {
        if (OfCredential(exchange.Context.Request) is { } error)
        {
            return (null, error);
        }
        var (turn, bad) = RequestFields.Read(exchange.Body, read);
        return (turn, bad is null ? null : Invalid(bad.Message, bad.Param, bad.Code));
    }

    public static OpenAIError NoSuchRoute(HttpRequest request) =>
        new(StatusCodes.Status404NotFound, InvalidRequest, $"Invalid URL ({request.Method} {request.Path})");

    /// <summary>The refusal of a request; null when it brings any bearer key but the bad one.</summary>
    public static OpenAIError? OfCredential(HttpRequest request) => ProviderKey.Bearer(request) switch
    {
        "" => new(StatusCodes.Status401Unauthorized, InvalidRequest, "You didn't provide an API key (Authorization: Bearer …)."),
        ProviderKey.Bad => OfStatus(StatusCodes.Status401Unauthorized, ""),
        _ => null,
    };

    /// <summary>The refusal of a model that does not know <c>stream_options</c>; null for other models.</summary>
    public static OpenAIError? OfStreamOptions(Behaviour behaviour, bool hasStreamOptions) =>
        behaviour.RefusesStreamOptions && hasStreamOptions ? Invalid("Unrecognized request argument supplied: stream_options") : null;

    /// <summary>The refusal of a model that wants its thoughts back, in DeepSeek's words; null for other models.</summary>
    public static OpenAIError? OfThoughts(Behaviour behaviour, bool lacksThoughts) =>
        behaviour.Dialect is { WantsThoughts: true } && lacksThoughts
            ? Invalid("The `reasoning_content` in the thinking mode must be passed back to the API.")
            : null;

    /// <summary>The refusal of a model that does not think to encrypt its thoughts; null for other models.</summary>
    public static OpenAIError? OfSealedThoughts(Behaviour behaviour, bool sealsThoughts) =>
        behaviour.RefusesSealedThoughts && sealsThoughts ? Invalid("Encrypted content is not supported with this model.", "include") : null;

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
