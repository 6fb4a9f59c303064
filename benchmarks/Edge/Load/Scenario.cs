namespace LlmGateway.Edge;

/// <summary>
/// What is posted, or got where there is no body, over how many connections, and to whom. Paced streams have a client of their own,
/// everything else is <c>wrk</c>'s.
/// </summary>
sealed record Scenario(string Name, string BodyFile, int Connections, string[] Targets)
{
    public bool Paced { get; init; }

    /// <summary>
    /// The core of the load has other work for everybody: beside ours that is the ledger, beside the others <see cref="Neighbour"/>. A
    /// proxy whose callers and provider are slower does more for each request.
    /// </summary>
    public bool Beside { get; init; }

    public string Path { get; init; } = "/v1/chat/completions";

    /// <summary>Of another caller than the target's usual one.</summary>
    public string? Key { get; init; }

    /// <summary>The rows of the comparison.</summary>
    public sealed record Set(
        Scenario Json1, Scenario Json32, Scenario Json256, Scenario Beside32, Scenario Beside256, Scenario Large, Scenario Burst,
        Scenario Translated, Scenario Paced)
    {
        public IEnumerable<Scenario> Rows => [Json1, Json32, Json256, Beside32, Beside256, Large, Burst, Translated, Paced];
    }

    /// <summary>Writes the bodies that the scenarios post.</summary>
    public static Set Prepare(string folder)
    {
        const string prompt = "Say something short about proxies.", stream = "\"stream\":true,\"stream_options\":{\"include_usage\":true},";
        var json = Write("json", "", prompt);
        var large = Write("large", "", string.Join(' ', Enumerable.Repeat("a document that is summarised", 256 * 1024 / 30)));
        var burst = Write("burst", stream, prompt);
        var paced = Write("paced", stream + "\"user\":\"paced\",", prompt);
        var translated = Write("translated", "\"stream\":true,", prompt); // as Anthropic's clients ask, of a provider that speaks chat
        string[] some = [Rig.Nginx, Rig.Yarp, Rig.Full], more = [Rig.Nginx, Rig.Yarp, Rig.Ungoverned, Rig.Full];
        string[] all = [Rig.Direct, Rig.Nginx, Rig.Yarp, Rig.Portkey, Rig.Ungoverned, Rig.Full];
        return new(
            new("1 KB JSON", json, 1, more), new("1 KB JSON", json, 32, all), new("1 KB JSON", json, 256, all),
            new("1 KB JSON, beside work", json, 32, more) { Beside = true },
            new("1 KB JSON, beside work", json, 256, more) { Beside = true },
            new("256 KB request", large, 32, some), new("SSE burst", burst, 32, [Rig.Direct, .. more]),
            new("SSE burst, translated", translated, 32, [Rig.Full]) { Path = "/v1/messages" },
            new("SSE paced", paced, 512, some) { Paced = true });

        string Write(string name, string options, string text)
        {
            var path = System.IO.Path.Combine(folder, $"{name}.json");
            File.WriteAllText(
                path, $$"""{"model":"bench",{{options}}"max_tokens":256,"messages":[{"role":"user","content":"{{text}}"}]}""");
            return path;
        }
    }
}
