using System.Collections.Concurrent;

namespace LlmGateway.EndToEnd;

/// <summary>A thousand requests that end in every way there is, in any order and beside each other, on four slots.</summary>
public sealed class MixedEndingTests
{
    const int Slots = 4, OnWires = 800, Besides = 200;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <param name="Leaves">The caller is gone after the first byte.</param>
    sealed record Way(string Path, string Body, int Status, bool Leaves = false);

    [Fact]
    public async Task However_requests_of_every_wire_and_kind_have_ended_all_slots_are_free_and_no_more()
    {
        var user = await SlotTests.LimitedAsync(Backend.Wires, Slots);
        Way[] ways =
        [
            .. Speaker.All.SelectMany(caller => Speaker.All.SelectMany(provider => OfConversations(caller, provider.Name))),
            .. SlotTests.Kinds.Select(kind => new Way(kind.Path, kind.Body, 200)),
            new(Chat.Path, Chat.Body("nobody-has-it", "hello"), 400), new(Chat.Path, "{", 400),
        ];

        await EndAllAsync(user, ways, OnWires);

        await SlotTests.MustBeFreeAsync(user);
        await MustHaveAllSlotsAsync(user, "chat-barrier");
    }

    /// <summary>Time-outs, tries, another provider, answers that are read to their end though nobody listens.</summary>
    [Fact]
    public async Task However_a_connection_has_ended_requests_in_its_own_way_all_slots_are_free_and_no_more()
    {
        var user = await SlotTests.LimitedAsync(Backend.App, Slots);
        const string Slow = "[[tokens:30]] one two";
        (string Model, int Status)[] models =
        [
            ("small", 200), ("impatient-hang", 504), ("html", 502), ("cut-early", 502), ("unreachable", 502), ("bad-key", 502),
            ("error-503", 503), ("retried-error-503", 503), ("several", 200), ("badusage-huge", 200), ("nodone", 200), ("overrun", 200),
            ("unpriced", 400),
        ];
        Way[] ways =
        [
            .. models.Select(one => new Way(Chat.Path, Chat.Body(one.Model, Price.Question), one.Status)),
            .. ((string[])["slow", "drained-slow"]).SelectMany(model => (Way[])
            [
                new(Chat.Path, Chat.Body(model, Slow, "\"stream\":true"), 200, Leaves: true),
                new(Chat.Path, Chat.Body(model, Slow, "\"stream\":true"), 200),
            ]),
        ];

        await EndAllAsync(user, ways, Besides);

        await SlotTests.MustBeFreeAsync(user);
        await MustHaveAllSlotsAsync(user, "barrier");
    }

    static IEnumerable<Way> OfConversations(Speaker caller, string provider)
    {
        foreach (var (model, whole, stream) in SlotTests.Ways)
        {
            yield return Of($"{provider}-{model}", Price.Question, false, whole);
            yield return Of($"{provider}-{model}", Price.Question, true, stream);
        }
        yield return Of($"{provider}-slow", "[[tokens:900]] one two", true, 200) with { Leaves = true };

        Way Of(string model, string question, bool stream, int status) =>
            new(caller.Path(model, stream), caller.Body(model, question, stream), status);
    }

    /// <summary>As many at once as there are slots, in an order that is the same each time.</summary>
    static async Task EndAllAsync(User user, Way[] ways, int count)
    {
        var order = Enumerable.Range(0, count).Select(i => ways[i % ways.Length]).ToArray();
        new Random(67).Shuffle(order);
        var left = new ConcurrentQueue<Way>(order);
        await Task.WhenAll(Enumerable.Range(0, Slots).Select(async worker =>
        {
            for (var i = worker; left.TryDequeue(out var way); i++)
                await EndAsync(user, way, Stack.Proxies[i % 2]);
        }));
    }

    /// <summary>A slot may be taken for a while by a request whose caller has left: it ends behind its caller's back.</summary>
    static async Task EndAsync(User user, Way way, Uri proxy)
    {
        var reply = await Eventually.GetAsync(
            () => way.Leaves ? LeaveAsync(user, way, proxy) : Gateway.SendAsync("POST", way.Path, user.Token, way.Body, proxy),
            answer => !answer.Text.Contains("concurrent", StringComparison.Ordinal), "a slot");
        Assert.True(reply.Status == way.Status, $"{way.Path} {way.Body}: {reply.Status} {reply.Text}");
    }

    static async Task<Reply> LeaveAsync(User user, Way way, Uri proxy)
    {
        using var response = await Gateway.OpenAsync(Gateway.Request("POST", way.Path, user.Token, way.Body, proxy), Token);
        if ((int)response.StatusCode != way.Status)
            return await Reply.ReadAsync(response);
        var first = new byte[1];
        await (await response.Content.ReadAsStreamAsync(Token)).ReadExactlyAsync(first, Token);
        return new((int)response.StatusCode, response.Headers, response.Content.Headers, first);
    }

    static async Task MustHaveAllSlotsAsync(User user, string model)
    {
        var calls = await Barrier.RunIntoAsync(
            Slots + 1, Slots, (i, prompt) => user.ChatAsync(model, prompt, at: Stack.Proxies[i % 2]));
        SlotTests.MustBeTooMany(Assert.Single(calls, call => call.Status != 200), "customer", Slots);
        await SlotTests.MustBeFreeAsync(user);
    }
}
