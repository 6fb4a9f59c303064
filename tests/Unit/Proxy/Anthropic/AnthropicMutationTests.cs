using System.Text;
using LlmGateway.Proxy;
using LlmGateway.Proxy.Anthropic;
using LlmGateway.Proxy.Translation;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class AnthropicMutationTests
{
    [Fact]
    public void No_mutation_of_an_answer_makes_anything_throw_and_every_end_is_written() => Seeds.ForEach(2000, random =>
    {
        var stream = TranslationCases.Mutated(Encoding.UTF8.GetBytes(AnthropicAnswerTests.Recorded), random);
        var head = AnthropicAnswerTests.Head;
        foreach (var relay in (StreamRelay[])[new PassRelay(Wires.Messages), new TranslatedRelay(Wires.Messages, Wires.Messages, head)])
            using (relay)
                TranslationCases.Push(relay, stream, random);
        var whole = TranslationCases.Mutated(Encoding.UTF8.GetBytes(AnthropicAnswerTests.RecordedWhole), random);
        new AnthropicReader().ReadWhole(whole, []);
    });
}
