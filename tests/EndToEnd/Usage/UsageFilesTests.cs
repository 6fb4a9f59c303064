using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>Files of a usage log that is much longer than a page.</summary>
public sealed class UsageFilesTests : OnOwnLedger
{
    const int Many = 60_000;

    const long Cost = (long)Many * (Many + 1) / 2;

    [Fact]
    public async Task A_file_has_every_line_and_one_that_breaks_off_is_an_error_to_who_reads_it()
    {
        await BookManyAsync();

        var whole = await _ledger.GetAsync("/v1/usage/requests?format=json");
        Assert.Equal((Many, (long)Many), (whole["requests"]!.AsArray().Count, (long)whole["count"]!));
        Assert.Equal(new Money(Cost).ToString(), (string)whole["total"]!["cost"]!);
        var csv = await _ledger.Http.GetStringAsync("/v1/usage/requests?format=csv", Token);
        Assert.Equal(Many + 2, csv.Split('\n').Length);

        // It is sent no faster than it is read, so most of it is still to be read from the database.
        using var response = await _ledger.Http.GetAsync(
            "/v1/usage/requests?format=json", HttpCompletionOption.ResponseHeadersRead, Token);
        await using var body = await response.Content.ReadAsStreamAsync(Token);
        await body.ReadExactlyAsync(new byte[1], Token);
        await _ledger.RunAsync("alter function input_tokens(bigint[]) rename to input_tokens_that_were");

        await Assert.ThrowsAnyAsync<IOException>(() => body.CopyToAsync(Stream.Null, Token));
    }

    [Fact]
    public async Task A_page_looks_through_a_bounded_part_of_the_log_and_of_a_customer_through_its_own()
    {
        await BookManyAsync();
        await _ledger.SettleAsync(_ledger.Settlement(DateTimeOffset.UtcNow.AddHours(-2)));
        var filter = new UsageFilter(OwnLedger.Project, false, DateTimeOffset.MinValue, DateTimeOffset.MaxValue);

        var (reads, next) = (0, (LinePlace?)LinePlace.End);
        for (; next is { } place; reads++)
        {
            (var lines, next) = await ReadAsync(filter with { Model = "another" }, place);
            Assert.Empty(lines);
        }
        Assert.InRange(reads, Many / UsageLog.Scanned, (Many / UsageLog.Scanned) + 2);

        var own = await ReadAsync(filter with { Customer = _ledger.Wallet }, LinePlace.End);
        Assert.Single(own.Lines);
        Assert.Null(own.Next);
    }

    Task<UsageLog.Page> ReadAsync(UsageFilter filter, LinePlace after) =>
        UsageLog.ReadAsync(_ledger.Database, filter, after, DateTimeOffset.MaxValue, 50, Token);

    /// <summary>Requests of the last minute, of some other customer, that cost 1, 2, 3 … and that nobody has paid for.</summary>
    async Task BookManyAsync()
    {
        await using var insert = _ledger.Database.Sql("""
            insert into usage_record (
                request_id, organization, project, customer, credential, test, endpoint, model, provider, upstream_model, stream,
                started_at, duration_ms, status, outcome, meters, cost, charged, absorbed, estimated, created_at)
            select (left($1::uuid::text, 24) || lpad(to_hex(n), 12, '0'))::uuid, $2, $3, $4, $4, false, '/v1/chat/completions', 'small',
                'p', 'm', false, moment, 5, 200, 0, array[1::bigint], n, 0, 0, false, moment
            from generate_series(1, $5) n, lateral (select now() - n * interval '1 millisecond' as moment) as times
            """, Ids.New(), OwnLedger.Organization, OwnLedger.Project, Ids.New(), Many);
        insert.CommandTimeout = 0;
        Assert.Equal(Many, await insert.ExecuteNonQueryAsync(Token));
    }
}
