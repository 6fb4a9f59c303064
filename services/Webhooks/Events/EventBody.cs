using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.Webhooks;

/// <summary>
/// An event as owners' systems get it: <c>{id, type, created, apiVersion, data, sequence, series}</c>. It is made once and kept as text,
/// because receivers check a signature over these very bytes. Numbers of two series have nothing to do with each other.
/// </summary>
public static class EventBody
{
    /// <summary>Changes when a member changes its meaning or goes; members that are added do not change it.</summary>
    public const string ApiVersion = "2026-11-01";

    /// <summary>In UTF-8. Receivers are promised that there is no larger one.</summary>
    public const int MaxBytes = 20 * 1024;

    static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    sealed record Body(string Id, string Type, DateTimeOffset Created, string ApiVersion, JsonElement Data, long Sequence, string Series);

    /// <summary>Throws <see cref="InvalidDataException"/> for one that is too large.</summary>
    public static string Of(PublicEvent told)
    {
        using var data = JsonDocument.Parse(told.Data);
        var body = JsonSerializer.Serialize(
            new Body(
                Ids.Show(Ids.Event, told.Id), told.Type, told.Created, ApiVersion, data.RootElement, told.Sequence, $"{told.Subject:N}"),
            Json);
        return Encoding.UTF8.GetByteCount(body) <= MaxBytes
            ? body
            : throw new InvalidDataException($"the event {told.Id:N} has more than {MaxBytes} bytes");
    }
}
