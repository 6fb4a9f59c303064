using System.Net.Http.Headers;
using LlmGateway.Contracts;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>
/// What leaves the table of kept responses for a new one, in projects that only this test has: whoever keeps much pays for it alone.
/// </summary>
public sealed class KeptResponseBoundsTests
{
    const long Gigabyte = 1L << 30;

    [Fact]
    public async Task Every_row_that_comes_or_goes_is_counted()
    {
        var (project, other) = (await NewProjectAsync(), await NewProjectAsync());
        Guid[] customers = [await NewCustomerAsync(project), await NewCustomerAsync(project), await NewCustomerAsync(other)];
        foreach (var customer in customers)
            await KeptAsync(customer);
        var again = await KeptAsync(customers[0]);
        Assert.Equal(204, await KeepAsync(customers[0], again));

        await CountsAreRightAsync();
        await RunAsync("delete from kept_response where customer_id = $1", customers[0]);
        await CountsAreRightAsync();

        async Task CountsAreRightAsync() => Assert.Equal(0, await NumberAsync(
            """
            with counted as (select level, owner, sum(bytes) as bytes, sum(rows) as rows from kept_response_count group by level, owner),
            there as (
                select 0 as level, customer_id as owner, sum(bytes) as bytes, count(*) as rows from kept_response group by customer_id
                union all select 1, project_id, sum(bytes), count(*) from kept_response group by project_id)
            select count(*) from counted left join there using (level, owner)
            where owner = any($1) and (counted.bytes, counted.rows) <> (coalesce(there.bytes, 0), coalesce(there.rows, 0))
            """,
            (Guid[])[.. customers, project, other]));
    }

    [Fact]
    public async Task A_full_project_loses_its_own_oldest_response_and_keeps_the_new_one()
    {
        var project = await NewProjectAsync();
        var (mine, other) = (await NewCustomerAsync(project), await NewCustomerAsync(project));
        var (oldest, newer) = (await KeptAsync(mine), await KeptAsync(mine));
        await GrowAsync(project, oldest, 4 * Gigabyte);

        var newest = await KeptAsync(other);

        Assert.Equal([newer, newest], await KeptOfAsync(oldest, newer, newest));
    }

    [Fact]
    public async Task When_all_is_full_the_largest_project_makes_room_and_nobody_is_refused()
    {
        var (large, small) = (await NewProjectAsync(), await NewProjectAsync());
        var customer = await NewCustomerAsync(small);
        var (oldest, own) = (await KeptAsync(await NewCustomerAsync(large)), await KeptAsync(customer));
        await GrowAsync(large, oldest, 3 * Gigabyte);
        await RunAsync("insert into kept_response_count values (2, $1, 99, $2, 0)", Guid.Empty, 14 * Gigabyte);
        try
        {
            var newest = await KeptAsync(customer);
            Assert.Equal([own, newest], await KeptOfAsync(oldest, own, newest));
        }
        finally
        {
            await RunAsync("delete from kept_response_count where level = 2 and slot = 99 and owner = $1", Guid.Empty);
        }
    }

    [Fact]
    public async Task A_customer_s_responses_have_a_bound_in_rows()
    {
        var customer = await NewCustomerAsync(await NewProjectAsync());
        var (oldest, newer) = (await KeptAsync(customer), await KeptAsync(customer));
        await RunAsync("update kept_response_count set rows = 10000 where level = 0 and owner = $1", customer);

        var newest = await KeptAsync(customer);

        Assert.Equal([newer, newest], await KeptOfAsync(oldest, newer, newest));
    }

    /// <summary>Its transaction may have begun before another's that has ended.</summary>
    [Fact]
    public async Task A_response_that_is_told_to_be_kept_does_not_leave_for_itself()
    {
        var customer = await NewCustomerAsync(await NewProjectAsync());
        var later = await KeptAsync(customer);
        await RunAsync("update kept_response set created_at = now() + interval '1 minute', bytes = 64 << 20 where id = $1", later);
        await RunAsync("update kept_response_count set bytes = 64 << 20 where level = 0 and owner = $1", customer);

        var newest = await KeptAsync(customer);

        Assert.Equal([newest], await KeptOfAsync(later, newest));
    }

    [Fact]
    public async Task Nothing_is_kept_for_a_customer_whose_deletion_came_first()
    {
        var customer = await NewCustomerAsync(await NewProjectAsync());
        await using var deletion = await OpenTransaction.BeginAsync(
            Books.Sessions, "update customer set status = 'Deleted' where id = $1", customer);

        var id = Ids.New();
        var keeping = KeepAsync(customer, id);
        await deletion.CommitAsync();

        Assert.Equal(507, await keeping);
        Assert.Empty(await KeptOfAsync(id));
    }

    /// <summary>The deletion waits for the row that it would not see.</summary>
    [Fact]
    public async Task What_is_being_kept_when_its_customer_is_deleted_is_deleted_with_it()
    {
        var user = await Backend.Wires.NewUserAsync();
        await using var keeping = await OpenTransaction.BeginAsync(
            Books.Sessions,
            """
            insert into kept_response (id, customer_id, project_id, expires_at, bytes, plain_bytes, marks, sealed)
            select $2, id, project_id, now() + interval '1 hour', 1, 1, '{}', '' from customer where id = $1 for share
            """, user.Customer, Ids.New());

        var deletion = Backend.Wires.DeleteAsync($"/v1/customers/{user.CustomerId}");
        await Eventually.HoldsAsync(keeping.IsWaitedForAsync, "a deletion that waits");
        await keeping.CommitAsync();

        (await deletion).MustBe(204);
        Assert.Equal(0, await Books.KeptResponsesAsync(user));
    }

    static async Task<Guid> KeptAsync(Guid customer)
    {
        var id = Ids.New();
        Assert.Equal(204, await KeepAsync(customer, id));
        return id;
    }

    static async Task<int> KeepAsync(Guid customer, Guid id)
    {
        using var body = new ByteArrayContent(new KeptResponse(id, 1, [], new byte[1000]).ToBody());
        body.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        using var request = new HttpRequestMessage(
            HttpMethod.Put, new Uri(Stack.Url("sessions"), $"/internal/kept-responses/{customer:N}/{id:N}")) { Content = body };
        var (name, value) = Stack.Signed(ServiceCall.Proxy, ServiceCall.Sessions);
        request.Headers.Add(name, value);
        return (await Gateway.SendAsync(request)).Status;
    }

    /// <summary>Those of the responses that are there.</summary>
    static async Task<IReadOnlyList<Guid>> KeptOfAsync(params Guid[] ids)
    {
        var kept = new List<Guid>();
        foreach (var id in ids)
            if (await NumberAsync("select count(*) from kept_response where id = $1", id) == 1)
                kept.Add(id);
        return kept;
    }

    /// <summary>A transaction of somebody else that has done something and not ended.</summary>
    /// <summary>A project that keeps much, of which one response can be seen.</summary>
    static async Task GrowAsync(Guid project, Guid response, long bytes)
    {
        await RunAsync("update kept_response set bytes = $2 where id = $1", response, bytes);
        await RunAsync(
            """
            insert into kept_response_count as kept values (1, $1, 98, $3, 0), (2, $2, 98, $3, 0)
            on conflict (level, owner, slot) do update set bytes = kept.bytes + excluded.bytes
            """, project, Guid.Empty, bytes);
    }

    static async Task<Guid> NewProjectAsync()
    {
        var id = Ids.New();
        await RunAsync(
            """
            insert into project
            select (jsonb_populate_record(project, jsonb_build_object('id', $1::uuid, 'name', $1::text, 'publishable_key', $1::text))).*
            from project limit 1
            """, id);
        return id;
    }

    static async Task<Guid> NewCustomerAsync(Guid project)
    {
        var id = Ids.New();
        await RunAsync(
            """
            insert into customer (id, project_id, test, external_id, status, created_at)
            values ($1, $2, false, $1::text, 'Active', now())
            """, id, project);
        return id;
    }

    static async Task<long> NumberAsync(string sql, object value)
    {
        await using var query = Books.Sessions.CreateCommand(sql);
        query.Parameters.Add(new() { Value = value });
        return (long)(await query.ExecuteScalarAsync())!;
    }

    static async Task RunAsync(string sql, params object[] values)
    {
        await using var command = Books.Sessions.CreateCommand(sql);
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        await command.ExecuteNonQueryAsync();
    }
}
