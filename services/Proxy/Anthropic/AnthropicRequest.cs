using System.Globalization;
using System.Text;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.Anthropic;

/// <summary>What the gateway needs to know of a <c>POST /v1/messages</c>, and where in the body it stands. The rest stays bytes.</summary>
public sealed class AnthropicRequest : ModelRequest
{
    /// <summary>
    /// Smallest thinking budget that the wire accepts, in tokens. The budget counts toward the output limit and must be below it.
    /// </summary>
    public const int MinThinking = 1024;

    public override int? MaxTokens => MaxTokensMember.Value;

    internal Place ModelValue { get; set; }
    internal Limit MaxTokensMember { get; set; }

    /// <summary><c>thinking.budget_tokens</c>.</summary>
    internal Limit ThinkingBudget { get; set; }

    /// <inheritdoc/>
    /// <exception cref="ProblemException">The hold leaves no room for the thoughts that the caller asked for.</exception>
    public override ReadOnlyMemory<byte> Rewrite(
        ReadOnlyMemory<byte> body, string upstreamModel, long outputLimit, bool injectUsage, bool searches = false, bool plainTier = false)
    {
        var edits = new ByteEdits();
        if (Model != upstreamModel)
            edits.Replace(ModelValue.Start, ModelValue.Length, Quoted(upstreamModel));
        Hosted?.Remove(edits, body.Span, searches);
        if (MaxTokens is { } asked && asked != outputLimit)
        {
            edits.Replace(MaxTokensMember.Place.Start, MaxTokensMember.Place.Length, Digits(outputLimit));
            if (ThinkingBudget.Value is { } budget && budget < asked && budget >= outputLimit)
                edits.Replace(ThinkingBudget.Place.Start, ThinkingBudget.Place.Length, Digits(BudgetWithin(outputLimit)));
        }
        return edits.IsEmpty ? body : edits.Apply(body.Span);
    }

    static long BudgetWithin(long outputLimit) => outputLimit > MinThinking
        ? outputLimit - 1
        : throw new ProblemException(Problems.WalletExhausted(string.Create(CultureInfo.InvariantCulture,
            $"'thinking.budget_tokens' must be below the output limit and at least {MinThinking}, and the balance and the model allow only "
            + $"{outputLimit} output tokens. Add credit, or leave out 'thinking'."))
            with { Param = "thinking.budget_tokens" });

    static byte[] Digits(long number) => Encoding.UTF8.GetBytes(number.ToString(CultureInfo.InvariantCulture));
}
