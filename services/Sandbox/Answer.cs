using System.Globalization;

namespace LlmGateway.Sandbox;

/// <summary>What any wire asks of the model.</summary>
/// <param name="Model">The model's full name, with the suffixes that make it misbehave.</param>
/// <param name="Fingerprint">64 lower-case hex digits over model and messages. Everything else (limits, stream options, sampling) is left
/// out, so that a gateway that sets or adds such fields gets the same answer as a direct call.</param>
/// <param name="PromptTokens">Tokens of all messages.</param>
/// <param name="Choices">How many answers, from 1.</param>
/// <param name="MaxTokens">The caller's limit for each answer, from 1; null for none.</param>
/// <param name="OffersTools">Whether a tool call is allowed.</param>
/// <param name="WantsJson">Whether the answer must be a JSON object.</param>
public sealed record Question(
    string Model, string Fingerprint, int PromptTokens, Markers Markers, int Choices, int? MaxTokens, bool OffersTools, bool WantsJson);

public enum Finish { Stop, Length, ToolCalls }

/// <summary>A call of a tool. It costs one token for the name and one for each word of the arguments.</summary>
public sealed record ToolCall(string Id, string Name, IReadOnlyList<string> Arguments);

/// <summary>One of the answers: text as tokens, or tool calls.</summary>
public sealed record Choice(IReadOnlyList<string> Text, IReadOnlyList<ToolCall> ToolCalls, Finish Finish)
{
    public int Tokens { get; } = Text.Count + ToolCalls.Sum(call => 1 + call.Arguments.Count);
}

/// <summary>What the model says: a pure function of the question, so that the same request gets the same bytes.</summary>
public sealed record Answer(string Fingerprint, IReadOnlyList<Choice> Choices, Usage Usage)
{
    /// <summary>Longest answer that a caller can order.</summary>
    public const int MaxTokens = 100_000;

    const int DefaultTokens = 20;

    /// <summary>Bound of all choices of one answer together; keeps the largest response near 10 MB.</summary>
    const int MaxTokensOfAllChoices = 1_000_000;

    const int BigWordLetters = 70_000;

    // No word has more than six letters, so that an estimate of one token per short word is exact.
    static readonly string[] Vocabulary = (
        "able acid aged also area army atom away baby back ball band bank base bath bear beat bell best bird blue boat body bone " +
        "book born both bowl cake calm camp card care cash city clay coal coat cold cook copy corn crew dark dawn deep desk dish " +
        "door dust east easy edge even fair farm fast field final forest garden honey island jungle").Split(' ');

    static readonly string[] SpacedVocabulary = [.. Vocabulary.Select(word => " " + word)];

    /// <summary>A number below 65 536 that differs from answer to answer.</summary>
    public int Variation => int.Parse(Fingerprint.AsSpan(0, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    public static Answer To(Question question, Behaviour behaviour)
    {
        var askedLimit = behaviour.Overruns ? null : question.MaxTokens;
        var limit = Math.Min(MaxTokensOfAllChoices / question.Choices, askedLimit ?? int.MaxValue);
        var choices = Enumerable.Range(0, question.Choices).Select(index => Choose(question, behaviour, index, limit)).ToArray();
        var cached = Math.Min(question.Markers.Cached, question.PromptTokens);
        return new(question.Fingerprint, choices, new(question.PromptTokens, cached, choices.Sum(choice => choice.Tokens)));
    }

    static Choice Choose(Question question, Behaviour behaviour, int index, int limit)
    {
        if (question.OffersTools && question.Markers.Tools.Count > 0)
        {
            return CallTools(question, index, limit);
        }
        var said = question.Markers.Say is { } say ? Words.Split(say) : null;
        var wanted = said?.Count ?? BabbleLength(question, behaviour);
        var count = Math.Min(wanted, limit);
        string[] text = said is null ? Babble(Seed(question.Fingerprint, index), count) : [.. said.Take(count)];
        if (said is null && question.WantsJson && count > 0)
        {
            // Without spaces of its own: the object has as many words as its text. An answer that is cut short is not closed.
            text[0] = "{\"answer\":\"" + text[0];
            text[^1] += count == wanted ? "\"}" : "";
        }
        if (behaviour.BigLine && count > 0)
        {
            text[0] = new string('x', BigWordLetters);
        }
        return new(text, [], count < wanted ? Finish.Length : Finish.Stop);
    }

    static int BabbleLength(Question question, Behaviour behaviour) => behaviour.Overruns && question.MaxTokens is { } asked
        ? 2 * Math.Min(asked, MaxTokens)
        : question.Markers.Tokens ?? DefaultTokens;

    static Choice CallTools(Question question, int index, int limit)
    {
        var calls = new List<ToolCall>();
        var left = limit;
        foreach (var (name, arguments) in question.Markers.Tools)
        {
            if (left == 0)
            {
                return new([], calls, Finish.Length);
            }
            var words = Words.Split(arguments);
            var kept = words.Take(left - 1).ToArray();
            var id = $"call_{question.Fingerprint[..20]}{index:x2}{calls.Count:x2}";
            calls.Add(new(id, name, kept));
            left -= 1 + kept.Length;
            if (kept.Length < words.Count)
            {
                return new([], calls, Finish.Length);
            }
        }
        return new([], calls, Finish.ToolCalls);
    }

    static string[] Babble(ulong seed, int count)
    {
        var tokens = new string[count];
        for (var i = 0; i < count; i++)
        {
            var word = (int)(Mix(seed, (ulong)i) % (ulong)Vocabulary.Length);
            tokens[i] = i == 0 ? Vocabulary[word] : SpacedVocabulary[word];
        }
        return tokens;
    }

    static ulong Seed(string fingerprint, int index) =>
        Mix(ulong.Parse(fingerprint.AsSpan(0, 16), NumberStyles.HexNumber, CultureInfo.InvariantCulture), (ulong)index);

    /// <summary>SplitMix64: the value at a place of a seed's sequence.</summary>
    static ulong Mix(ulong seed, ulong place)
    {
        unchecked
        {
            var z = seed + ((place + 1) * 0x9E3779B97F4A7C15);
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }
}
