namespace LlmGateway.Sandbox;

/// <summary>A failure in Google's shape.</summary>
/// <param name="Name">Google's name of the status, such as <c>INVALID_ARGUMENT</c>.</param>
public sealed record GeminiError(int Status, string Name, string Message, params object[] Details) : IResult
{
    const string InvalidArgument = "INVALID_ARGUMENT";

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = Status;
        if (Status == StatusCodes.Status429TooManyRequests)
        {
            response.Headers.RetryAfter = "1";
        }
        response.ContentType = "application/json; charset=UTF-8";
        await response.Body.WriteAsync(RawJson.Of(Body), httpContext.RequestAborted);
    }

    object Body => new { error = new { code = Status, message = Message, status = Name, details = Details.Length == 0 ? null : Details } };

    /// <summary>What a stream that has failed says last.</summary>
    public static object InStream() => OfStatus(StatusCodes.Status500InternalServerError, "").Body;

    /// <summary>Reads a JSON call with its credential.</summary>
    public static (Turn? Turn, IResult? Refusal) Read(Exchange exchange, Func<RequestFields, Turn> read)
    {
        if (OfCredential(exchange.Context.Request) is { } error)
        {
            return (null, error);
        }
        var (turn, bad) = RequestFields.Read(exchange.Body, read);
        return (turn, bad is null ? null : Of(bad));
    }

    public static GeminiError Of(BadField bad) => new(StatusCodes.Status400BadRequest, InvalidArgument, bad switch
    {
        { Param: null } => "Invalid JSON payload received. Unexpected token.",
        { Code: "missing_required_parameter" } => $"* {bad.Param}: {bad.Param} is not specified\n",
        _ => $"Invalid value at '{bad.Param}': {bad.Message}",
    });

    /// <summary>Whether a request brings a key in Google's manner.</summary>
    public static bool HasKey(HttpRequest request) => Key(request).Length > 0;

    /// <summary>The refusal of a request; null when it brings any key but the bad one.</summary>
    public static GeminiError? OfCredential(HttpRequest request) => Key(request) switch
    {
        "" => OfStatus(StatusCodes.Status403Forbidden, ""),
        ProviderKey.Bad => new(
            StatusCodes.Status400BadRequest,
            InvalidArgument,
            "API key not valid. Please pass a valid API key.",
            Info("API_KEY_INVALID"),
            Detail("LocalizedMessage", new() { ["locale"] = "en-US", ["message"] = "API key not valid. Please pass a valid API key." })),
        _ => null,
    };

    /// <summary>What Google says with a status.</summary>
    public static GeminiError OfStatus(int status, string model) => status switch
    {
        400 => new(status, InvalidArgument, "The sandbox was asked to find this request invalid."),
        401 => new(status, "UNAUTHENTICATED", "Request had invalid authentication credentials.", Info("ACCESS_TOKEN_TYPE_UNSUPPORTED")),
        403 => new(
            status,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers. Please use API Key or other form of API consumer identity to call this API."),
        404 => new(status, "NOT_FOUND", $"models/{model} is not found, or is not supported for this method."),
        429 => new(
            status,
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota. Please retry in 1s.",
            Detail("RetryInfo", new() { ["retryDelay"] = "1s" })),
        503 or 529 => new(status, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        _ => new(status, "INTERNAL", "An internal error has occurred. Please retry."),
    };

    static Dictionary<string, object> Info(string reason) => Detail("ErrorInfo", new()
    {
        ["reason"] = reason,
        ["domain"] = "googleapis.com",
        ["metadata"] = new { service = "generativelanguage.googleapis.com" },
    });

    static Dictionary<string, object> Detail(string kind, Dictionary<string, object> members) =>
        new(members.Prepend(new("@type", "type.googleapis.com/google.rpc." + kind)));

    static string Key(HttpRequest request) =>
        request.Headers["x-goog-api-key"].ToString() is { Length: > 0 } header ? header : request.Query["key"].ToString();
}
