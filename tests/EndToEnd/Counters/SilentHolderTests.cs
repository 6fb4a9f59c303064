using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.EndToEnd;

/// <summary>Whose slots are freed, on a real server.</summary>
public sealed class SilentHolderTests : OnOwnLedger
{
    [Fact]
    public async Task A_proxy_that_is_back_keeps_the_slots_that_it_has_since_then()
    {
        foreach (var holder in (string[])["gone", "back"])
        {
            await _ledger.RunAsync("insert into holder (holder, seen_at, epoch, gone) values ($1, now(), gen_random_uuid(), true)", holder);
            await RunAsync(holder);
        }
        Assert.Equal(2, (await SlotSweeper.FindAsync(_ledger.Database, Token)).Count);

        await _ledger.RunAsync("update holder set gone = false where holder = 'back'"); // as its next word does
        await RunAsync("back");

        var found = Assert.Single(await SlotSweeper.FindAsync(_ledger.Database, Token));
        Assert.Equal([$"{found.LeaseId}"], await _ledger.RowsAsync("select id from lease where holder = 'gone'"));
    }

    /// <summary>While proxies are updated, one of the version before calls the route by its old name.</summary>
    [Fact]
    public async Task A_proxy_of_the_version_before_is_heard_too()
    {
        foreach (var (route, holder) in ((string, string)[])[("heartbeat", "new"), ("alive", "old")])
            Assert.NotEqual(Guid.Empty, (Guid)(await _ledger.GetAsync($"/internal/{route}", new Heartbeat(holder)))["epoch"]!);

        Assert.Equal(["new", "old"], await _ledger.RowsAsync("select holder from holder where not gone order by holder"));
    }

    /// <summary>A request that runs at a proxy.</summary>
    async Task RunAsync(string holder) => Assert.IsType<Answer.Granted>(await _ledger.Writer.RunAsync(new Extend(
        new(Ids.New(), 1, holder, [
            new(Ids.New(), 1, 1, 1, 1)
            {
                Counter = new(AccountKind.Slots, Unit.Slots, null, 10, DateTimeOffset.UnixEpoch, Term.Ever),
            }])
        {
            FirstSource = 1, Scope = new(OwnLedger.Organization, OwnLedger.Project, _ledger.Wallet, false),
        })));
}
