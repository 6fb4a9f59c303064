namespace LlmGateway.Proxy.Translation;

/// <summary>
/// Fits a conversation to what every provider demands, whatever wire it came from: names and ids of the provider's form, ids and tools that
/// are there once, media types as they are registered, at least one turn.
/// </summary>
static class Fitting
{
    public static Conversation Fit(Conversation said, NameRules rules)
    {
        var tools = new List<Tool>();
        foreach (var tool in said.Tools)
            if (tools.Exists(known => known.Name == rules.ToolName(tool.Name)))
                said.LeftOut.Add(tool.Field);
            else
                tools.Add(tool with { Name = rules.ToolName(tool.Name) });
        var ids = new IdsOfCalls(rules);
        var turns = said.Turns.Select(turn => turn with { Parts = [.. turn.Parts.Select(part => Fit(part, rules, ids))] }).ToList();
        var system = said.System;
        // A request of instructions alone asks for an answer to them.
        if (turns.Count == 0 && system.Count > 0)
        {
            turns.Add(new(Speaker.User, [system[^1]], ""));
            system = [.. system.SkipLast(1)];
        }
        return said with
        {
            System = system, Turns = turns, Tools = tools,
            ToolChoice = said.ToolChoice is { Name: { } name } choice ? choice with { Name = rules.ToolName(name) } : said.ToolChoice,
        };
    }

    static Part Fit(Part part, NameRules rules, IdsOfCalls ids) => part switch
    {
        ToolCallPart call => call with { Id = ids.OfCall(call.Id), Name = rules.ToolName(call.Name) },
        ToolResultPart result => result with
        {
            CallId = ids.OfResult(result.CallId), Name = result.Name is { } name ? rules.ToolName(name) : null,
            Content = [.. result.Content.Select(content => Fit(content, rules, ids))],
        },
        ImagePart { MediaType: { } type } image when type.Equals("image/jpg", StringComparison.OrdinalIgnoreCase) =>
            image with { MediaType = "image/jpeg" },
        _ => part,
    };

    /// <summary>The provider's ids of the calls of one conversation. Results answer the oldest open call of their id.</summary>
    sealed class IdsOfCalls(NameRules rules)
    {
        readonly Dictionary<string, (int Calls, int Results)> _seen = new(StringComparer.Ordinal);

        public string OfCall(string id)
        {
            var (calls, results) = _seen.GetValueOrDefault(id);
            _seen[id] = (calls + 1, results);
            return rules.CallId(id, calls);
        }

        public string OfResult(string id)
        {
            var (calls, results) = _seen.GetValueOrDefault(id);
            _seen[id] = (calls, results + 1);
            return rules.CallId(id, Math.Max(0, Math.Min(results, calls - 1)));
        }
    }
}
