using System.Threading.RateLimiting;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions.ResponseState;

/// <summary>How long responses are kept, and how many of them.</summary>
/// <param name="Life">From the moment of keeping. Zero keeps nothing.</param>
/// <param name="CustomerBytes">Of one customer.</param>
/// <param name="CustomerRows">Of one customer.</param>
/// <param name="ProjectBytes">Of one project.</param>
/// <param name="TotalBytes">Of all projects.</param>
public sealed record Bounds(TimeSpan Life, long CustomerBytes, long CustomerRows, long ProjectBytes, long TotalBytes)
{
    /// <summary>What a row costs besides its sealed bytes.</summary>
    const int RowBytes = 512;

    const long Megabyte = 1024 * 1024;

    public static Bounds Read(IConfiguration settings) => new(
        TimeSpan.FromHours(settings.GetValue("ResponseState:Hours", 24.0)),
        settings.GetValue("ResponseState:CustomerMegabytes", 64L) * Megabyte,
        settings.GetValue("ResponseState:CustomerResponses", 10_000L),
        settings.GetValue("ResponseState:ProjectMegabytes", 4_096L) * Megabyte,
        settings.GetValue("ResponseState:TotalMegabytes", 16_384L) * Megabyte);

    /// <summary>What a response counts.</summary>
    public static long Count(int sealedBytes, int marks) => RowBytes + sealedBytes + (marks * sizeof(long));

    /// <summary>False for a response that does not fit even where nothing else is kept.</summary>
    public bool Takes(long bytes) =>
        Life > TimeSpan.Zero && CustomerRows > 0 && bytes <= Math.Min(CustomerBytes, Math.Min(ProjectBytes, TotalBytes));
}

/// <summary>
/// The bytes of responses that are in this process's memory on their way to or from the table. Whoever finds no room waits, and is refused
/// when too many wait already.
/// </summary>
public sealed class InFlight : IDisposable
{
    const int MaxBytes = 256 * 1024 * 1024, MaxWaitingBytes = int.MaxValue;

    readonly ConcurrencyLimiter _limiter = new(new() { PermitLimit = MaxBytes, QueueLimit = MaxWaitingBytes });

    /// <exception cref="ProblemException">Too many wait (503).</exception>
    public async Task<RateLimitLease> TakeAsync(long bytes, CancellationToken token)
    {
        var lease = await _limiter.AcquireAsync((int)Math.Min(bytes, 2 * KeptResponse.MaxBytes), token);
        return lease.IsAcquired ? lease : throw new ProblemException(Problems.Overloaded);
    }

    public void Dispose() => _limiter.Dispose();
}

public static class BoundsRegistration
{
    public static void AddResponseState(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton(Bounds.Read(builder.Configuration));
        builder.Services.AddSingleton<InFlight>();
    }
}
