using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// Fifty keys of at most 40 characters, with values of at most 500; an empty value unsets its key, an empty map all of them.
/// </summary>
static class Metadata
{
    const int MaxKeys = 50, MaxKey = 40, MaxValue = 500;

    public static void Check(string key, string value, string param)
    {
        if (key.Length > MaxKey)
        {
            throw Refusal.Parameter($"Metadata keys cannot exceed {MaxKey} characters in length.", param);
        }
        if (value.Length > MaxValue)
        {
            throw Refusal.Parameter(
                $"Metadata values can have up to {MaxValue} characters, but you passed in a value that is {value.Length} characters.",
                Form.Nested(param, key));
        }
    }

    /// <summary>The metadata of an object after an update. Nothing is changed when it would have too many keys.</summary>
    public static JsonObject Merged(JsonObject? before, JsonObject given)
    {
        var merged = (JsonObject?)before?.DeepClone() ?? [];
        if (given["metadata"] is not JsonObject changes)
        {
            return given.ContainsKey("metadata") ? [] : merged;
        }
        foreach (var (key, value) in changes)
        {
            if (value!.GetValue<string>().Length == 0)
            {
                merged.Remove(key);
            }
            else
            {
                merged[key] = value.DeepClone();
            }
        }
        return merged.Count <= MaxKeys
            ? merged
            : throw Refusal.Invalid($"You can have up to {MaxKeys} metadata keys, but you would have {merged.Count}.", "metadata");
    }
}
