using System.Buffers;
using LlmGateway.Contracts;

namespace LlmGateway.Proxy;

/// <summary>
/// Looks for the result of a tool's call in the answer of its MCP server, one JSON text or a stream of events. A result costs what the tool
/// costs, or what its <c>_meta.cost</c> says; a failure costs nothing unless it says so. No result is no answer, and costs nothing.
/// </summary>
public sealed class McpMeter(McpMessage message, ToolPrice price, bool isStream) : HttpMeter
{
    /// <summary>A larger answer, or event, is not read. It is a result.</summary>
    const int MaxBytes = 4 * 1024 * 1024;

    const string Failed = "tool_failed", Missing = "no_result", TooLarge = "result_too_large", Left = "result_unknown";

    readonly SseReader? _events = isStream ? new(MaxBytes) : null;
    readonly ArrayBufferWriter<byte>? _whole = isStream ? null : new();

    McpResult? _result;
    bool _isTooLarge, _isAnswer;

    public override bool IsAnswer => _isAnswer;

    /// <summary>A result is written down as soon as it is there.</summary>
    public override long DeliveredTokens => _result is null && !_isTooLarge ? 0 : ModelCall.CheckpointTokens;

    public override void Push(ReadOnlySpan<byte> piece)
    {
        if (_events is null)
        {
            _isTooLarge |= _whole!.WrittenCount + piece.Length > MaxBytes;
            if (!_isTooLarge)
                _whole.Write(piece);
            return;
        }
        while (_events.TryRead(ref piece, out var e))
            See(e);
    }

    void See(scoped SseEvent e)
    {
        _isTooLarge |= e.IsOversize;
        if (e.HasData)
            _result ??= McpResult.Read(e.Data.ToArray(), message);
    }

    public override MeterReading SoFar() => Read(null, isOwed: false);

    public override MeterReading Settle(bool isWhole, string? reason = null, bool hasLeft = false)
    {
        if (_events is not null && _events.TryReadRest(out var rest))
            See(rest);
        if (_whole is not null && isWhole && !_isTooLarge)
            _result ??= McpResult.Read(_whole.WrittenMemory, message);
        return Read(reason, isOwed: hasLeft || reason is HttpAnswers.Aborted or HttpAnswers.Stalled);
    }

    /// <param name="isOwed">It is paid also without a result: the caller has not waited for it.</param>
    MeterReading Read(string? reason, bool isOwed)
    {
        if (_result is null)
        {
            _isAnswer = isOwed || _isTooLarge;
            return Reading(_isAnswer ? null : 0, Join(_isTooLarge ? TooLarge : isOwed ? Left : Missing, reason));
        }
        var most = UpperBound.OfRequests(1, price.Most()).Cost(0);
        var isCapped = _result.Cost > most;
        var cost = _result.Cost is { } told ? Math.Min(told, most) : _result.IsFailure ? 0 : (long?)null;
        _isAnswer = !_result.IsFailure || cost > 0;
        return Reading(cost, Join(Join(_result.IsFailure ? Failed : null, isCapped ? ModelCall.Capped : null), reason));
    }

    /// <param name="cost">Null: the tool's price.</param>
    static MeterReading Reading(long? cost, string? reason) => new(new() { [Meter.Request] = 1 }, false, reason, null) { Bound = cost };

    static string? Join(string? a, string? b) => a is null ? b : b is null ? a : $"{a}, {b}";

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _events?.Dispose();
        base.Dispose(disposing);
    }
}
