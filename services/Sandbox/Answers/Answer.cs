using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace LlmGateway.Sandbox;

/// <summary>What any wire asks of the model.</summary>
/// <param name="Model">The model's full name, with the suffixes that make it misbehave.</param>
/// <param name="Fingerprint">A hash of model and messages, in 64 lower-case hex digits. Everything else (limits, stream options, sampling)
/// is left out, because a gateway that sets or adds such fields must get the same answer as a direct call.</param>
/// <param name="PromptTokens">Tokens of all messages.</param>
public sealed record Question(string Model, string Fingerprint, int PromptTokens, Markers Markers)
{
    /// <summary>How many tokens the model thinks when the caller turns thinking on and does not order how many.</summary>
    public const int DefaultThoughts = 5;

    /// <summary>How many answers, from 1.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>The caller's limit for each answer, from 1. Null for none.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Texts at which an answer ends.</summary>
    public IReadOnlyList<string> Stops { get; init; } = [];

    /// <summary>The calls to answer with. Empty where the caller orders none or offers no tools.</summary>
    public IReadOnlyList<OrderedCall> Calls { get; init; } = [];

    /// <summary>How often the model may search the web. It is 0 where the caller offers no search.</summary>
    public int MostSearches { get; init; }

    /// <summary>Whether the answer must be a JSON object.</summary>
    public bool WantsJson { get; init; }

    /// <summary>Whether the caller turned thinking on.</summary>
    public bool WantsThoughts { get; init; }

    public int Thoughts => Markers.Thinks ?? (WantsThoughts ? DefaultThoughts : 0);

    public static string FingerprintOf(string model, params ReadOnlySpan<JsonElement?> said)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(model));
        foreach (var element in said)
        {
            hash.AppendData(element is { } some ? JsonMarshal.GetRawUtf8Value(some) : default);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

public enum Finish { Stop, Length, ToolCalls, StopSequence }

/// <summary>A call of a tool. It costs one token for the name and one for each word of the arguments.</summary>
public sealed record ToolCall(string Id, string Name, IReadOnlyList<string> Arguments)
{
    /// <summary>Whether <see cref="Arguments"/> are a text by themselves, not JSON.</summary>
    public bool IsText { get; init; }

    /// <summary>The arguments for a wire that sends them as an object. The object is empty when they are cut short or no JSON.</summary>
    public object ParsedArguments()
    {
        try
        {
            return JsonElement.Parse(string.Concat(Arguments));
        }
        catch (JsonException)
        {
            return new { };
        }
    }
}

/// <summary>One of the answers. Thoughts come first, then text or tool calls. Thoughts and text are lists of tokens.</summary>
/// <param name="StoppedAt">The caller's text that ended it, for <see cref="Finish.StopSequence"/>.</param>
public sealed record Choice(
    IReadOnlyList<string> Thoughts, IReadOnlyList<string> Text, IReadOnlyList<ToolCall> ToolCalls, Finish Finish, string? StoppedAt = null)
{
    public int Tokens { get; } = Thoughts.Count + Text.Count + ToolCalls.Sum(call => 1 + call.Arguments.Count);
}

/// <summary>
/// What the model says. It is a pure function of the question and the behaviour, so that the same request gets the same bytes.
/// </summary>
public sealed record Answer(string Fingerprint, IReadOnlyList<Choice> Choices, Usage Usage)
{
    /// <summary>Longest answer that a caller can order.</summary>
    public const int MaxTokens = 100_000;

    /// <summary>What one search finds, in tokens of the prompt.</summary>
    public const int TokensOfSearch = 100;

    const int DefaultTokens = 20;

    /// <summary>Most searches of one answer.</summary>
    const int MaxSearches = 1000;

    /// <summary>Most tokens of all choices of one answer together. This keeps the largest response near 10 MB.</summary>
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
        var usage = Cost(question, choices.Sum(choice => choice.Tokens));
        var searches = Searches(question, behaviour);
        return new(question.Fingerprint, choices, usage with
        {
            Prompt = usage.Prompt + (searches * TokensOfSearch),
            Searches = searches,
            Thoughts = choices.Sum(choice => choice.Thoughts.Count),
        });
    }

    static int Searches(Question question, Behaviour behaviour) => question.MostSearches == 0
        ? 0
        : Math.Min(question.Markers.Searches, behaviour.Overruns ? MaxSearches : Math.Min(question.MostSearches, MaxSearches));

    /// <summary>An answer that is not words (vectors, an image) and costs a number of tokens.</summary>
    public static Answer OfTokens(Question question, int completion) => new(question.Fingerprint, [], Cost(question, completion));

    static Usage Cost(Question question, int completion)
    {
        var cached = Math.Min(question.Markers.Cached, question.PromptTokens);
        var written = Math.Min(question.Markers.CacheWrite, question.PromptTokens - cached);
        return new(question.PromptTokens, cached, completion) { CacheWritten = written };
    }

    static Choice Choose(Question question, Behaviour behaviour, int index, int limit)
    {
        // No choice has a negative index, so thoughts have a place of their own in the sequence.
        var thoughts = Babble(Seed(question.Fingerprint, -1 - index), Math.Min(question.Thoughts, limit));
        limit -= thoughts.Length;
        var (text, calls, finish) = question.Calls.Count > 0
            ? CallTools(question, index, limit)
            : Speak(question, behaviour, index, limit);
        var (kept, stoppedAt) = StopAt(question.Stops, text);
        return new(thoughts, kept, calls, stoppedAt is null ? finish : Finish.StopSequence, stoppedAt);
    }

    static (string[] Text, ToolCall[] Calls, Finish Finish) Speak(Question question, Behaviour behaviour, int index, int limit)
    {
        var said = question.Markers.Say is { } say ? Words.Split(say) : null;
        var wanted = said?.Count ?? BabbleLength(question, behaviour);
        var count = Math.Min(wanted, limit);
        string[] text = said is null ? Babble(Seed(question.Fingerprint, index), count) : [.. said.Take(count)];
        if (said is null && question.WantsJson && count > 0)
        {
            // The object adds no spaces, so that it has as many words as its text. An answer that is cut short is not closed.
            text[0] = "{\"answer\":\"" + text[0];
            text[^1] += count == wanted ? "\"}" : "";
        }
        if (behaviour.BigLine && count > 0)
        {
            text[0] = new string('x', BigWordLetters);
        }
        return (text, [], count < wanted ? Finish.Length : Finish.Stop);
    }

    /// <summary>The text before the first place where one of the stops begins.</summary>
    static (IReadOnlyList<string> Text, string? StoppedAt) StopAt(IReadOnlyList<string> stops, string[] text)
    {
        if (stops.Count == 0)
        {
            return (text, null);
        }
        var whole = string.Concat(text);
        var found = stops
            .Select(stop => (Stop: stop, Start: whole.IndexOf(stop, StringComparison.Ordinal)))
            .Where(found => found.Start >= 0)
            .ToArray();
        if (found.Length == 0)
        {
            return (text, null);
        }
        var (stop, end) = found.MinBy(found => found.Start);
        return (Words.Split(whole[..end]), stop);
    }

    static int BabbleLength(Question question, Behaviour behaviour) => behaviour.Overruns && question.MaxTokens is { } asked
        ? Math.Max(0, (2 * Math.Min(asked, MaxTokens)) - question.Thoughts)
        : question.Markers.Tokens ?? DefaultTokens;

    static (string[] Text, ToolCall[] Calls, Finish Finish) CallTools(Question question, int index, int limit)
    {
        var calls = new List<ToolCall>();
        var left = limit;
        foreach (var ordered in question.Calls)
        {
            if (left == 0)
            {
                return ([], [.. calls], Finish.Length);
            }
            var words = Words.Split(ordered.IsText ? TextOf(ordered) : ordered.Arguments);
            var kept = words.Take(left - 1).ToArray();
            var id = $"call_{question.Fingerprint[..20]}{index:x2}{calls.Count:x2}";
            calls.Add(new(id, ordered.Name, kept) { IsText = ordered.IsText });
            left -= 1 + kept.Length;
            if (kept.Length < words.Count)
            {
                return ([], [.. calls], Finish.Length);
            }
        }
        return ([], [.. calls], Finish.ToolCalls);
    }

    static string TextOf(OrderedCall call) =>
        JsonElement.Parse(call.Arguments).TextMember("input") ?? "";

    static string[] Babble(ulong seed, int count)
    {
        var tokens = new string[count];
        for (var i = 0; i < count; i++)
        {
            var word = (int)(Noise.At(seed, (ulong)i) % (ulong)Vocabulary.Length);
            tokens[i] = i == 0 ? Vocabulary[word] : SpacedVocabulary[word];
        }
        return tokens;
    }

    static ulong Seed(string fingerprint, int index) =>
        Noise.At(ulong.Parse(fingerprint.AsSpan(0, 16), NumberStyles.HexNumber, CultureInfo.InvariantCulture), unchecked((ulong)index));
}
