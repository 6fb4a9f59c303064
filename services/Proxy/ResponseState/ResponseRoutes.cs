using System.Text.Json;
using LlmGateway.Proxy.Translation;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Proxy.ResponseState;

/// <summary><c>GET</c> and <c>DELETE /v1/responses/{id}</c>, <c>GET …/input_items</c>: a customer's own responses, by whom they were made.
/// </summary>
public sealed class ResponseRoutes(Entrance entrance, ResponseStates states)
{
    const string Path = "/responses/{id}";
    const int DefaultPage = 20, MaxPage = 100;

    public static void Map(WebApplication app)
    {
        var routes = app.Services.GetRequiredService<ResponseRoutes>();
        foreach (var version in (string[])["/v1", ""])
        {
            foreach (var method in (string[])[HttpMethods.Get, HttpMethods.Head])
            {
                app.MapMethods($"{version}{Path}", [method], (string id, HttpContext http) => routes.GetAsync(http, id));
                app.MapMethods($"{version}{Path}/input_items", [method], (string id, HttpContext http) => routes.ListAsync(http, id));
            }
            app.MapDelete($"{version}{Path}", (string id, HttpContext http) => routes.DeleteAsync(http, id));
        }
    }

    async Task<IResult> GetAsync(HttpContext http, string id)
    {
        var kept = await FindAsync(http, id);
        if (http.Request.Query["stream"] == "true")
            throw FieldErrors.Invalid("stream", "is not offered here: an answer is there as a whole, or not yet");
        return Json(json => json.WriteRaw(kept.Response));
    }

    async Task<IResult> ListAsync(HttpContext http, string id)
    {
        var kept = await FindAsync(http, id);
        var asked = new ListQuery(http.Request.Query).Limit(DefaultPage, MaxPage);
        var items = InputItem.ListOf(kept, id);
        if (http.Request.Query["order"] != "asc")
            items.Reverse();
        if (http.Request.Query["after"].ToString() is { Length: > 0 } after)
            items.RemoveRange(0, 1 + items.FindIndex(item => item.Id == after) is > 0 and var seen ? seen
                : throw FieldErrors.Invalid("after", "must be the id of an item of this list"));
        var page = items.Take(asked).ToList();
        return Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("object", "list");
            json.WriteStartArray("data");
            foreach (var item in page)
                item.Write(json);
            json.WriteEndArray();
            json.WriteString("first_id", page.FirstOrDefault()?.Id);
            json.WriteString("last_id", page.LastOrDefault()?.Id);
            json.WriteBoolean("has_more", items.Count > page.Count);
            json.WriteEndObject();
        });
    }

    async Task<IResult> DeleteAsync(HttpContext http, string id)
    {
        var caller = await entrance.EnterAsync(http, Wires.Responses);
        if (!await states.DeleteAsync(caller, id))
            throw NotFound;
        return Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("id", id);
            json.WriteString("object", "response");
            json.WriteBoolean("deleted", true);
            json.WriteEndObject();
        });
    }

    async Task<KeptConversation> FindAsync(HttpContext http, string id)
    {
        var caller = await entrance.EnterAsync(http, Wires.Responses);
        var room = states.OpenRoom(caller);
        http.Response.RegisterForDispose(room);
        return await states.FindAsync(caller, id, room) ?? throw NotFound;
    }

    static ProblemException NotFound => new(Problems.NotFound("response"));

    static IResult Json(Action<Utf8JsonWriter> content) => Results.Bytes(JsonPen.Write(content), "application/json");
}

/// <summary>An item of a response's input as it is listed: messages have a type and parts, whatever short form their caller used.</summary>
public sealed record InputItem(string Id, JsonElement Item)
{
    /// <summary>
    /// In the order in which they were said. Callers choose ids and may repeat them, so an item whose id is taken or absent gets one of
    /// ours: a page is asked for by the id of the last item before it.
    /// </summary>
    public static List<InputItem> ListOf(KeptConversation kept, string response)
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        return [.. kept.Input.Select((item, index) => new InputItem(
            References.TextOf(item, "id") is { } own && taken.Add(own) ? own : $"msg_{response[(response.IndexOf('_') + 1)..]}_in{index}",
            item))];
    }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id", Id);
        if (Item.Find("type") is null)
            json.WriteString("type", "message");
        foreach (var member in Item.EnumerateObject())
        {
            if (member.NameEquals("id") || (member.NameEquals("type") && member.Value.ValueKind == JsonValueKind.Null))
                continue;
            json.WritePropertyName(member.Name);
            if (member.NameEquals("content") && member.Value.ValueKind == JsonValueKind.String)
                WriteText(json, member.Value, References.TextOf(Item, "role") == "assistant" ? "output_text" : "input_text");
            else
                json.WriteRaw(member.Value);
        }
        json.WriteEndObject();
    }

    static void WriteText(Utf8JsonWriter json, JsonElement text, string type)
    {
        json.WriteStartArray();
        json.WriteStartObject();
        json.WriteString("type", type);
        json.WritePropertyName("text");
        json.WriteRaw(text);
        json.WriteEndObject();
        json.WriteEndArray();
    }
}
