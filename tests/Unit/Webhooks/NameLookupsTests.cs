using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Webhooks;

/// <summary>A resolver that answers when the test says so, and not when its caller has gone: as the system's.</summary>
public sealed class NameLookupsTests
{
    readonly ConcurrentDictionary<string, TaskCompletionSource<IPAddress[]>> _asked = [];
    readonly TaskCompletionSource _lateIsAsked = new();
    readonly NameLookups _names;

    public NameLookupsTests() => _names = new((host, _) =>
    {
        var answer = _asked.GetOrAdd(host, _ => new());
        if (host == "late")
            _lateIsAsked.SetResult();
        return answer.Task;
    });

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Names_that_nobody_answers_for_take_their_owners_places_alone_also_when_nobody_waits_for_them_any_more()
    {
        using var caller = new CancellationTokenSource();
        var dead = Enumerable.Range(0, NameLookups.PerOwner + 1).Select(i => _names.FindAsync($"dead{i}", "one", caller.Token)).ToList();
        await caller.CancelAsync();
        foreach (var lookup in dead[..NameLookups.PerOwner])
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => lookup);
        // The resolver was not asked for the last one, so nothing was learnt of its name.
        await Assert.ThrowsAsync<NoPlaceException>(() => dead[^1]);

        var late = _names.FindAsync("late", "one", Token);
        var other = _names.FindAsync("healthy", "other", Token);

        Assert.Equal(NameLookups.PerOwner + 1, _asked.Count);
        _asked["healthy"].SetResult([IPAddress.Loopback]);
        Assert.Equal([IPAddress.Loopback], await other);
        _asked["dead0"].SetException(new SocketException((int)SocketError.TryAgain));
        await _lateIsAsked.Task;
        _asked["late"].SetResult([IPAddress.IPv6Loopback]);
        Assert.Equal([IPAddress.IPv6Loopback], await late);
    }

    [Fact]
    public void All_owners_together_have_so_many_places()
    {
        for (var i = 0; i < NameLookups.AtOnce + 8; i++)
            _ = _names.FindAsync($"name{i}", $"owner{i}", Token);

        Assert.Equal(NameLookups.AtOnce, _asked.Count);
    }

    [Fact]
    public async Task An_owner_may_look_up_one_name_after_the_other_and_a_failure_is_the_resolvers()
    {
        for (var i = 0; i < 2 * NameLookups.AtOnce; i++)
        {
            var lookup = _names.FindAsync($"name{i}", "one", Token);
            _asked[$"name{i}"].SetException(new SocketException((int)SocketError.HostNotFound));
            await Assert.ThrowsAsync<SocketException>(() => lookup);
        }
    }
}
