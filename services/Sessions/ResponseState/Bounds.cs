using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions.ResponseState;

/// <summary>How long responses are kept, and how many bytes of them.</summary>
/// <param name="Life">From the moment of keeping. Zero keeps nothing.</param>
/// <param name="CustomerBytes">Of one customer; its oldest ones go first.</param>
/// <param name="TotalBytes">Of all customers; beyond it nothing more is kept.</param>
public sealed record Bounds(TimeSpan Life, long CustomerBytes, long TotalBytes)
{
    /// <summary>What a row costs besides its sealed bytes.</summary>
    const int RowBytes = 512;

    const long Megabyte = 1024 * 1024;

    public static Bounds Read(IConfiguration settings) => new(
        TimeSpan.FromHours(settings.GetValue("ResponseState:Hours", 24.0)),
        settings.GetValue("ResponseState:CustomerMegabytes", 64L) * Megabyte,
        settings.GetValue("ResponseState:TotalMegabytes", 16_384L) * Megabyte);

    /// <summary>What a response counts.</summary>
    public static long Count(int sealedBytes, int marks) => RowBytes + sealedBytes + (marks * sizeof(long));

    /// <param name="total">Bytes that are kept now.</param>
    public bool HasRoom(long bytes, long total) => Life > TimeSpan.Zero && bytes <= CustomerBytes && total + bytes <= TotalBytes;
}

/// <summary>
/// The bytes of all customers. The sum over all rows is asked for once in <see cref="Interval"/>; what this process adds meanwhile is
/// counted here. So with several processes the total may be exceeded by what the others add within that time.
/// </summary>
public sealed class TotalBytes(Func<Task<long>> sum, TimeProvider time)
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    readonly Lock _lock = new();
    Task<long>? _sum;
    long _askedAt, _added;

    public async Task<long> NowAsync()
    {
        Task<long> asked;
        lock (_lock)
        {
            if (_sum is null or { IsFaulted: true } || time.GetElapsedTime(_askedAt) >= Interval)
                (_sum, _askedAt, _added) = (sum(), time.GetTimestamp(), 0);
            asked = _sum;
        }
        return await asked + Interlocked.Read(ref _added);
    }

    public void Add(long bytes) => Interlocked.Add(ref _added, bytes);

    public static async Task<long> SumAsync(NpgsqlDataSource database)
    {
        await using var query = database.Sql("select coalesce(sum(bytes), 0)::bigint from kept_response where expires_at > now()");
        return (long)(await query.ExecuteScalarAsync())!;
    }
}

public static class BoundsRegistration
{
    public static void AddResponseState(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton(Bounds.Read(builder.Configuration));
        builder.Services.AddSingleton(services =>
        {
            var database = services.GetRequiredService<NpgsqlDataSource>();
            return new TotalBytes(() => TotalBytes.SumAsync(database), services.GetRequiredService<TimeProvider>());
        });
    }
}
