namespace LlmGateway.Contracts.Expressions;

/// <summary>Why an expression has no number for one response. Its call is settled by what else is known of it.</summary>
/// <param name="Reason">One of the constants.</param>
/// <param name="At">The number of characters before the part that failed.</param>
/// <param name="Message">What happened there. It repeats the source, and nothing of the request or the response.</param>
public sealed record Failure(string Reason, int At, string Message)
{
    /// <summary>A part has a kind that does not fit, such as null where the response lacks a member.</summary>
    public const string WrongKind = "expression_wrong_kind";
    /// <summary>A text is no JSON, or has a number beyond 28 digits.</summary>
    public const string NotJson = "expression_not_json";
    /// <summary>The response, an event or a line is larger than what is kept.</summary>
    public const string TooLarge = "expression_response_too_large";
    /// <summary>A number is too large, divided by zero, or raised to what is no power here.</summary>
    public const string NoNumber = "expression_no_number";
    /// <summary>An array has no element at the place.</summary>
    public const string NoElement = "expression_no_element";
    /// <summary>The bound of steps is reached.</summary>
    public const string TooLong = "expression_too_long";
    /// <summary>The bound of memory is reached.</summary>
    public const string TooMuch = "expression_too_much";
}

/// <summary>What an expression says of one response.</summary>
/// <param name="Value">At least 0; null when the expression failed.</param>
/// <param name="Failure">Null when it did not.</param>
public sealed record Measurement(decimal? Value, Failure? Failure)
{
    /// <summary>Most units that are believed. No response is near it.</summary>
    public const long MaxUnits = 1_000_000_000_000;

    /// <summary>Whole units, rounded up; null when the expression failed.</summary>
    public long? Units => Value is { } value ? (long)decimal.Ceiling(value) : null;
}
