using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Faults;

/// <summary>An end user with a session, and a wallet of its own with a dollar in it.</summary>
sealed record Person(string Token, Guid Customer)
{
    public Guid Wallet => Ids.WalletOf(Customer);
}

/// <summary>
/// Many end users. Their sessions are written as Sessions would store them, because minting each through it would take most of the tests'
/// time. None of these sessions can be revoked: that needs a sealed fingerprint.
/// </summary>
sealed record Population(Guid Project, Person[] People)
{
    public static readonly Backend Backend = new("sk_live_scale000000000000000000000000000000000000");

    /// <summary>Most registers that Wallet opens in one call.</summary>
    const int RegistersAtOnce = 200;

    public static async Task<Population> CreateAsync(int count)
    {
        var (project, organization) = await ProjectAsync();
        var people = new Person[count];
        for (var i = 0; i < count; i++)
            people[i] = new(Token.New(Token.Session), Ids.New());
        foreach (var some in people.Chunk(RegistersAtOnce))
        {
            var wallets = some.Select(person => new OpenRegister(
                person.Wallet, AccountKind.Wallet, Unit.Usd, organization, project, person.Customer, false, Money.NanosPerUsd));
            (await WalletAsync(ServiceCall.Sessions, "/internal/registers", new OpenRegisters([.. wallets]))).MustBe(200);
        }
        await WriteAsync(project, people);
        return new(project, people);
    }

    /// <summary>Calls a route of Wallet as another service of the gateway.</summary>
    public static Task<Reply> WalletAsync(string caller, string path, object body) => Gateway.SendAsync(
        "POST",
        path,
        json: JsonSerializer.Serialize(body, Defaults.Json),
        at: Stack.Wallet,
        headers: [Stack.Signed(caller, ServiceCall.Wallet)]);

    static async Task<(Guid Project, Guid Organization)> ProjectAsync()
    {
        await using var query = Books.Sessions.CreateCommand("select id, organization_id from project where name = 'scale'");
        await using var row = await query.ExecuteReaderAsync();
        Assert.True(await row.ReadAsync());
        return (row.GetGuid(0), row.GetGuid(1));
    }

    static async Task WriteAsync(Guid project, Person[] people)
    {
        await using var write = Books.Sessions.CreateCommand("""
            with person as (select * from unnest($2::uuid[], $3::uuid[], $4::bytea[]) person (customer, wallet, hash)),
                customers as (
                    insert into customer (id, project_id, test, external_id, status, wallet_id, created_at)
                    select customer, $1, false, customer::text, 'Active', wallet, now() from person),
                families as (
                    insert into session_family (id, customer_id, ttl_seconds, created_at)
                    select customer, customer, 3600, now() from person)
            insert into session (id, family_id, hash, sealed_fingerprint, created_at, expires_at)
            select customer, customer, hash, '', now(), now() + interval '1 hour' from person
            """);
        var pepper = KeySetting.Read(Stack.App.Pepper, KeySetting.Pepper);
        foreach (var value in (object[])[
            project,
            people.Select(person => person.Customer).ToArray(),
            people.Select(person => person.Wallet).ToArray(),
            people.Select(person => HMACSHA256.HashData(pepper, Encoding.ASCII.GetBytes(Token.Fingerprint(person.Token)))).ToArray()])
            write.Parameters.Add(new() { Value = value });
        await write.ExecuteNonQueryAsync();
    }
}
