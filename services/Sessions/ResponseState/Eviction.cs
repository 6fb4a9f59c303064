using LlmGateway.ServiceDefaults;
using Npgsql;

namespace LlmGateway.Sessions.ResponseState;

/// <summary>
/// Deletes what is oldest where a bound would be exceeded: of the customer, of its project, and, when all projects together have too much,
/// of the largest one. So nobody's responses leave for those of a project that keeps more.
/// </summary>
public sealed class Eviction(NpgsqlDataSource database, Bounds bounds)
{
    /// <summary>Rows that one statement looks at.</summary>
    const int MaxAtOnce = 1000;

    /// <summary>What is kept beyond each bound once the response is, and the largest project where it is needed.</summary>
    const string Excess =
        """
        with mine as (select id as customer, project_id as project from customer where id = $1),
        of_customer as (select coalesce(sum(bytes), 0) as bytes, coalesce(sum(rows), 0) as rows
            from kept_response_count where level = 0 and owner = $1),
        of_project as (select coalesce(sum(bytes), 0) as bytes from kept_response_count, mine where level = 1 and owner = mine.project),
        of_all as (select coalesce(sum(bytes), 0) as bytes from kept_response_count where level = 2)
        select mine.project, (of_customer.bytes + $2 - $3)::bigint, (of_customer.rows + 1 - $4)::bigint,
            (of_project.bytes + $2 - $5)::bigint, (of_all.bytes + $2 - $6)::bigint,
            case when of_all.bytes + $2 > $6 then
                (select owner from kept_response_count where level = 1 group by owner order by sum(bytes) desc limit 1) end
        from mine, of_customer, of_project, of_all
        """;

    /// <summary>
    /// Three sums over some rows of a small table where no bound is exceeded. Answers that are kept at the same time may exceed a bound
    /// together; the next one makes up for it.
    /// </summary>
    public async Task MakeRoomAsync(Guid customer, long bytes, CancellationToken token)
    {
        await using var query = database.Sql(
            Excess, customer, bytes, bounds.CustomerBytes, bounds.CustomerRows, bounds.ProjectBytes, bounds.TotalBytes);
        await using var row = await query.ExecuteReaderAsync(token);
        if (!await row.ReadAsync(token))
            return;
        var (project, largest) = (row.GetGuid(0), row.IsDBNull(5) ? Guid.Empty : row.GetGuid(5));
        var (ofCustomer, rows, ofProject, ofAll) = (row.GetInt64(1), row.GetInt64(2), row.GetInt64(3), row.GetInt64(4));
        await row.DisposeAsync();
        var gone = await EvictAsync("customer_id", customer, ofCustomer, rows, token);
        gone += await EvictAsync("project_id", project, ofProject - gone, 0, token);
        await EvictAsync("project_id", largest, ofAll - gone, 0, token);
    }

    /// <summary>
    /// Deletes an owner's oldest rows until so many bytes and rows are gone. Those that another transaction is just deleting are skipped,
    /// so that the two cannot wait for each other.
    /// </summary>
    /// <returns>Bytes that are gone.</returns>
    async Task<long> EvictAsync(string column, Guid owner, long bytes, long rows, CancellationToken token)
    {
        if (bytes <= 0 && rows <= 0)
            return 0;
        var tooMuch = bytes;
        await Rounds.UntilNotFullAsync(MaxAtOnce, async () =>
        {
            await using var delete = database.Sql(
                $"""
                with oldest as (
                    select id, bytes, created_at from kept_response where {column} = $1 order by created_at, id limit $4),
                gone as (
                    delete from kept_response where id in (
                        select id from kept_response where id in (
                            select id from (
                                select id, bytes, sum(bytes) over up_to_here as bytes_up_to_here,
                                    count(*) over up_to_here as rows_up_to_here
                                from oldest window up_to_here as (order by created_at, id)) one
                            where bytes_up_to_here - bytes < $2 or rows_up_to_here <= $3)
                        for update skip locked)
                    returning bytes)
                select coalesce(sum(bytes), 0)::bigint, count(*)::int from gone
                """,
                owner, bytes, rows, MaxAtOnce);
            await using var gone = await delete.ExecuteReaderAsync(token);
            await gone.ReadAsync(token);
            (bytes, rows) = (bytes - gone.GetInt64(0), rows - gone.GetInt32(1));
            return bytes > 0 || rows > 0 ? gone.GetInt32(1) : 0;
        });
        return tooMuch - bytes;
    }
}
