using System.Net;
using System.Net.Http.Json;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>How a proxy keeps its leases alive, with a ledger that grants everything.</summary>
public sealed class SlicesTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("llmgateway-slices-").FullName;
    readonly GrantingLedger _ledger = new();
    readonly FakeTimeProvider _time = new();
    readonly Spool _spool;
    readonly Slices _slices;

    public SlicesTests()
    {
        _spool = new(_folder, NullLogger<Spool>.Instance);
        var wallet = new WalletClient(new HttpClient(_ledger) { BaseAddress = new("http://wallet") }, new(_time), _time);
        _slices = new(new RequestGate(), _spool, wallet, _time, NullLogger<Slices>.Instance);
    }

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _slices.Dispose();
        _spool.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task All_of_10_001_leases_are_renewed()
    {
        var registers = Enumerable.Range(0, 10_001).Select(_ => NewRegister()).ToArray();
        await Task.WhenAll(registers.Select(register => HoldAsync(register)));

        await _slices.RenewAsync();

        Assert.Equal(10_001, _ledger.Renewed.SelectMany(renewal => renewal.Leases).Distinct().Count());
    }

    [Fact]
    public async Task Thousands_of_slices_that_fall_idle_together_are_all_given_back_but_not_at_once()
    {
        const int many = 2_000;
        var holds = await Task.WhenAll(Enumerable.Range(0, many).Select(_ => HoldAsync(NewRegister())));
        foreach (var hold in holds)
            hold.Void();
        // As many as may be given back wait for each other, so that one more would be seen.
        var full = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (now, most, all) = (0, 0, 0);
        var counts = new Lock();
        _ledger.Returned = async () =>
        {
            lock (counts)
            {
                (now, all) = (now + 1, all + 1);
                most = Math.Max(most, now);
                if (now == Slices.ReturnsAtOnce)
                    full.TrySetResult();
            }
            await full.Task;
            await Task.Yield(); // behind every return that has been begun
            lock (counts)
                now--;
        };

        await _slices.GiveBackAsync(TimeSpan.Zero);

        Assert.Equal((many, Slices.ReturnsAtOnce), (all, most));
    }

    [Fact]
    public async Task A_lease_of_a_frozen_wallet_admits_nothing_more_after_its_renewal_although_nobody_was_told()
    {
        var (frozen, other) = (NewRegister(), NewRegister());
        var (running, elsewhere) = (await HoldAsync(frozen), await HoldAsync(other));
        running.Void();
        elsewhere.Void();
        _ledger.Frozen.Add(running.Lease);

        await _slices.RenewAsync();
        var (next, unaffected) = (await HoldAsync(frozen), await HoldAsync(other));

        Assert.NotEqual(running.Lease, next.Lease); // the ledger was asked, and it would have refused
        Assert.Equal(elsewhere.Lease, unaffected.Lease);
    }

    [Fact]
    public async Task A_lease_admits_nothing_from_the_moment_on_when_something_expires_that_it_was_granted_from()
    {
        var register = NewRegister();
        _ledger.ExpiresIn = TimeSpan.FromSeconds(1);
        var first = await HoldAsync(register);
        first.Void();
        _time.Advance(TimeSpan.FromSeconds(0.9));
        var before = await HoldAsync(register);
        before.Void();
        Assert.Equal(first.Lease, before.Lease);
        Assert.Empty(_ledger.GivenBack);

        _time.Advance(TimeSpan.FromSeconds(0.1));
        await _slices.GiveBackAsync(TimeSpan.FromSeconds(2)); // of what was used a moment ago nothing else would go back
        var after = await HoldAsync(register);

        Assert.NotEqual(first.Lease, after.Lease);
        Assert.Equal(first.Lease, Assert.Single(_ledger.GivenBack).Lease);
    }

    [Fact]
    public async Task What_runs_on_a_frozen_wallet_keeps_its_lease_alive()
    {
        var hold = await HoldAsync(NewRegister());
        _ledger.Frozen.Add(hold.Lease);
        await _slices.RenewAsync();
        _ledger.Renewed.Clear();

        await _slices.RenewAsync();

        Assert.Equal([hold.Lease], Assert.Single(_ledger.Renewed).Leases);
    }

    [Fact]
    public async Task A_lease_is_renewed_until_its_last_settlement_is_delivered()
    {
        var hold = await HoldAsync(NewRegister());
        hold.Settle(hold.Amounts);
        hold.Spooled(_spool.Append([1, 0, 0, 0, 1]));
        await _slices.RenewAsync();
        Assert.Equal([hold.Lease], Assert.Single(_ledger.Renewed).Leases);

        _spool.Delivered.Add(1);
        await _slices.RenewAsync();

        Assert.Single(_ledger.Renewed);
    }

    [Fact]
    public async Task An_orderly_stop_hands_over_the_leases_of_settlements_that_stay_on_disk_and_no_others()
    {
        var (waiting, returned, running) = (await HoldAsync(NewRegister()), await HoldAsync(NewRegister()), await HoldAsync(NewRegister()));
        waiting.Settle([waiting.Amounts[0] - 1]);
        waiting.Spooled(_spool.Append([1, 0, 0, 0, 1]));
        returned.Void();

        await _slices.StopAsync(Token);

        var handedOver = Assert.Single(_ledger.Renewed);
        Assert.True(handedOver.HandedOver);
        Assert.Equal([waiting.Lease], handedOver.Leases);
        Assert.DoesNotContain(running.Lease, handedOver.Leases);
    }

    /// <summary>The broker is away: nothing is delivered, and customers come and go.</summary>
    [Fact]
    public async Task A_customer_who_has_left_costs_neither_memory_nor_renewals_while_the_broker_is_away()
    {
        var left = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => HoldAsync(NewRegister())));
        foreach (var hold in left)
        {
            hold.Settle(hold.Amounts);
            hold.Spooled(_spool.Append([1, 0, 0, 0, 1]));
        }
        _time.Advance(TimeSpan.FromSeconds(15));
        var here = await HoldAsync(NewRegister());
        here.Settle(here.Amounts);
        here.Spooled(_spool.Append([1, 0, 0, 0, 1]));

        await _slices.RenewAsync();
        await _slices.GiveBackAsync(TimeSpan.FromSeconds(2));

        Assert.Equal(1, _slices.Leases);
        var handedOver = Assert.Single(_ledger.Renewed, renewal => renewal.HandedOver);
        Assert.Equal(left.Select(hold => hold.Lease).Order(), handedOver.Leases.Order());
        Assert.Equal([here.Lease], Assert.Single(_ledger.Renewed, renewal => !renewal.HandedOver).Leases);
    }

    [Fact]
    public async Task Who_comes_back_after_a_hand_over_gets_a_lease_of_its_own()
    {
        var register = NewRegister();
        var before = await HoldAsync(register);
        before.Settle(before.Amounts);
        before.Spooled(_spool.Append([1, 0, 0, 0, 1]));
        _time.Advance(TimeSpan.FromSeconds(15));
        await _slices.RenewAsync();

        Assert.NotEqual(before.Lease, (await HoldAsync(register)).Lease);
    }

    /// <summary>Otherwise one wallet with wrong books would end the leases of all customers.</summary>
    [Fact]
    public async Task A_return_that_the_ledger_refuses_keeps_no_other_lease_from_being_renewed()
    {
        (await HoldAsync(NewRegister())).Void();
        var other = await HoldAsync(NewRegister());
        _ledger.RefusesReturns = true;

        await _slices.GiveBackAsync(TimeSpan.Zero);
        await _slices.RenewAsync();

        Assert.Contains(other.Lease, _ledger.Renewed.SelectMany(renewal => renewal.Leases));
    }

    [Fact]
    public async Task A_recall_takes_what_is_idle_of_its_register_in_every_claim_and_of_no_other()
    {
        var (wallet, other) = (NewRegister(), NewRegister());
        (await HoldAsync(wallet)).Void();
        (await _slices.ReserveAsync(Limited(wallet), [10, 10], [10, 10], Token)).Hold!.Void();
        (await HoldAsync(other)).Void();

        await _slices.RecallAsync(new(Ids.New(), wallet.Id, Except: Ids.New()));
        Assert.Equal(2, _ledger.GivenBack.Count);
        Assert.All(_ledger.GivenBack, give => Assert.Contains(give.Lines, line => line.Register == wallet.Id));

        // Also of slices that come after one that was closed.
        await _slices.GiveBackAsync(TimeSpan.Zero);
        _ledger.GivenBack.Clear();
        (await HoldAsync(wallet)).Void();
        await _slices.RecallAsync(new(Ids.New(), Ids.New(), Except: Ids.New()) { Also = [wallet.Id] });
        Assert.Single(_ledger.GivenBack);

        static Claim Limited(RegisterRef wallet) => new(
            [new(Ids.New(), AccountKind.SessionCap, Unit.UsdLimit), new(wallet.Id, wallet.Kind, wallet.Unit)], firstSource: 1, scope: null);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Slots_are_asked_for_anew_where_the_first_epoch_that_is_heard_need_not_be_the_first(bool lost)
    {
        using var beats = new Heartbeats(
            new(new HttpClient(_ledger) { BaseAddress = new("http://wallet") }, new(_time), _time), _slices, _spool, _time,
            NullLogger<Heartbeats>.Instance);
        if (lost)
        {
            _ledger.LosesBeats = true;
            await beats.BeatAsync(Token);
            _ledger.LosesBeats = false;
        }
        var before = await RunAsync();
        before.Void();

        await beats.BeatAsync(Token); // it may have been gone in between

        Assert.Equal(lost, before.Lease != (await RunAsync()).Lease);

        async Task<Hold> RunAsync() => (await _slices.ReserveAsync(
            new([new(Slots, AccountKind.Slots, Unit.Slots)
            {
                Counter = new(AccountKind.Slots, Unit.Slots, null, 5, DateTimeOffset.UnixEpoch, Term.Ever),
            }], firstSource: 1, scope: null), [1], [1], Token)).Hold!;
    }

    static readonly Guid Slots = Ids.New();

    async Task<Hold> HoldAsync(RegisterRef register) => (await _slices.ReserveAsync(
        new([new(register.Id, register.Kind, register.Unit)], firstSource: 0, scope: null), [10], [10], Token)).Hold!;

    static RegisterRef NewRegister() => new(Ids.New(), AccountKind.Wallet, Unit.Usd);

    sealed class GrantingLedger : HttpMessageHandler
    {
        public List<LeaseRenewal> Renewed { get; } = [];

        public HashSet<Guid> Frozen { get; } = [];

        /// <summary>What a return waits for.</summary>
        public Func<Task> Returned { get; set; } = () => Task.CompletedTask;

        public bool RefusesReturns { get; set; }

        public bool LosesBeats { get; set; }

        /// <summary>Something expires so long after each grant.</summary>
        public TimeSpan? ExpiresIn { get; set; }

        public List<LeaseReturn> GivenBack { get; } = [];

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            switch (request.RequestUri!.AbsolutePath)
            {
                case "/internal/leases":
                    var asked = await ReadAsync<LeaseRequest>(request);
                    var now = DateTimeOffset.UnixEpoch; // another clock than the proxy's
                    return Json(new LeaseAnswer([.. asked.Lines.Select(line => line.All)], null)
                    {
                        Now = now, LotsExpireAt = now + ExpiresIn,
                    });
                case "/internal/heartbeat":
                    return LosesBeats ? new(HttpStatusCode.ServiceUnavailable) : Json(new HeartbeatAnswer(Ids.New()));
                case "/internal/leases/return":
                    var give = await ReadAsync<LeaseReturn>(request);
                    lock (GivenBack)
                        GivenBack.Add(give);
                    await Returned();
                    return new(RefusesReturns ? HttpStatusCode.InternalServerError : HttpStatusCode.NoContent);
                default:
                    var renewal = await ReadAsync<LeaseRenewal>(request);
                    if (renewal.Leases.Count > LeaseRenewal.MaxLeases)
                        return new(HttpStatusCode.BadRequest);
                    lock (Renewed)
                        Renewed.Add(renewal);
                    return Json(new RenewedLeases(renewal.Leases, [.. renewal.Leases.Where(Frozen.Contains)]));
            }
        }

        static async Task<T> ReadAsync<T>(HttpRequestMessage request) =>
            (await request.Content!.ReadFromJsonAsync<T>(Defaults.Json, Token))!;

        static HttpResponseMessage Json<T>(T answer) =>
            new(HttpStatusCode.OK) { Content = JsonContent.Create(answer, options: Defaults.Json) };
    }
}
