using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// An error of Stripe's. It is thrown, because rules that refuse stand deep in each other, and nothing but the answer is left to be made.
/// What was changed before it stays: a declined payment leaves its failed charge behind, as at Stripe.
/// </summary>
sealed class Refusal(int status, string type, string message) : Exception(message)
{
    public int Status => status;

    public string? Code { get; init; }

    public string? Param { get; init; }

    public string? DeclineCode { get; init; }

    /// <summary>Members beside the usual ones: the intent, the charge, the payment method.</summary>
    public JsonObject Others { get; init; } = [];

    /// <summary>False for what never began to be executed. Its answer is not kept for the idempotency key.</summary>
    public bool IsKept { get; init; } = true;

    public static Refusal Invalid(string message, string? param = null, string? code = null) =>
        new(StatusCodes.Status400BadRequest, "invalid_request_error", message) { Param = param, Code = code };

    /// <summary>A parameter that is refused before anything is executed.</summary>
    public static Refusal Parameter(string message, string param, string? code = null) =>
        new(StatusCodes.Status400BadRequest, "invalid_request_error", message) { Param = param, Code = code, IsKept = false };

    public static Refusal Missing(string kind, string? id, string param) =>
        new(
            param == "id" ? StatusCodes.Status404NotFound : StatusCodes.Status400BadRequest,
            "invalid_request_error",
            $"No such {kind.Replace('.', ' ')}: '{id}'") { Param = param, Code = "resource_missing" };

    public static Refusal Card(string message, string code, string? decline) =>
        new(StatusCodes.Status402PaymentRequired, "card_error", message) { Code = code, DeclineCode = decline };

    public static Refusal Unauthorized(string message) =>
        new(StatusCodes.Status401Unauthorized, "invalid_request_error", message) { IsKept = false };

    public static Refusal Server() => new(
        StatusCodes.Status500InternalServerError,
        "api_error",
        "An unknown error occurred (ordered from the sandbox).");

    public JsonObject Body(string account, string request)
    {
        var error = new JsonObject();
        if (Code is not null)
        {
            error["code"] = Code;
            error["doc_url"] = $"https://stripe.com/docs/error-codes/{Code.Replace('_', '-')}";
        }
        if (DeclineCode is not null)
        {
            error["decline_code"] = DeclineCode;
        }
        error["message"] = Message;
        if (Param is not null)
        {
            error["param"] = Param;
        }
        error["request_log_url"] = $"https://dashboard.stripe.com/{account}/test/logs/{request}";
        error["type"] = type;
        foreach (var (name, value) in Others)
        {
            error[name] = value?.DeepClone();
        }
        return new() { ["error"] = error };
    }
}
