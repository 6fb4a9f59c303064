namespace LlmGateway.Harness;

/// <summary>
/// Prices of <c>test.seed.json</c> by token, in nano-dollars: $1 per million input tokens, $2 per million output tokens, half for cached
/// input.
/// </summary>
static class Price
{
    public const long Input = 1_000, Cached = 500, Output = 2_000;

    /// <summary>The usual question, three words, with the sandbox's usual answer of twenty.</summary>
    public const string Question = "one two three";

    public const long QuestionTokens = 3, AnswerTokens = 20;

    public const long OfQuestion = QuestionTokens * Input, OfAnswer = AnswerTokens * Output;
}
