using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// A header of callers that providers of a wire get, too. Only values whose effect on the cost is known are passed on: a value that nobody
/// here knows may switch on what no hold has paid for. The others are named to the caller in <see cref="Ignored"/>.
/// </summary>
/// <param name="Default">What is sent when the caller sent nothing that is passed on; null for nothing.</param>
/// <param name="Allows">True for a value that costs no more than <see cref="UpperBound"/> says of a model. The model is null when a request
/// is about none, or about several.</param>
public sealed record PassedHeader(string Name, string? Default, Func<string, ModelOffer?, bool> Allows)
{
    /// <summary>What the provider gets: those of the caller's comma-separated values that are allowed.</summary>
    public string? Value(HttpContext? caller, ModelOffer? model)
    {
        var given = caller?.Request.Headers[Name].ToString();
        if (string.IsNullOrEmpty(given))
            return Default;
        if (Allows(given, model))
            return given;
        var kept = new List<string>();
        foreach (var value in given.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            if (Allows(value, model))
                kept.Add(value);
            else
                Ignored.Add(caller!, $"{Name}={value}");
        return kept.Count > 0 ? string.Join(',', kept) : Default;
    }

    /// <summary>Names the caller's values to it, when the provider's wire has no such header.</summary>
    public void LeaveOut(HttpContext caller)
    {
        foreach (var value in caller.Request.Headers.GetCommaSeparatedValues(Name))
            if (value != Default)
                Ignored.Add(caller, $"{Name}={value}");
    }
}
