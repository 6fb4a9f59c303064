using System.Security.Cryptography;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using LlmGateway.UnitTests.Proxy;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using StackExchange.Redis;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>What a proxy hears of a change, with a Redis that is healthy.</summary>
public sealed class HotCopiesTests
{
    readonly FakeTimeProvider _clock = new();
    readonly CredentialSeal _seal = Seal(1);
    readonly ChangeFeed _proxy;
    readonly HotCopies _copies;
    readonly List<Invalidation> _heard = [];
    readonly KnownCredential _key;
    Action<RedisChannel, RedisValue> _subscriber = null!;
    bool _losesPushes;

    public HotCopiesTests()
    {
        _proxy = new(_clock);
        var redis = RedisInMemory.New(Answer);
        redis.Subscribe<Invalidation>(Invalidation.Channel, Hear);
        _copies = new(redis, _seal, _clock);
        var id = Ids.New();
        _key = new(id, _seal.Seal("fingerprint", id));
    }

    [Fact]
    public async Task A_commit_whose_answer_is_lost_is_told()
    {
        await Assert.ThrowsAsync<NpgsqlException>(async () =>
        {
            await using (_copies.CredentialChanging(_key))
                throw new NpgsqlException("the answer was lost");
        });

        Assert.Equal("fingerprint", Assert.Single(_heard).Value);
    }

    [Fact]
    public async Task A_change_that_cannot_be_told_makes_proxies_distrust_what_they_have()
    {
        await BeatAsync();
        var read = _clock.GetTimestamp();
        await Assert.ThrowsAnyAsync<CryptographicException>(async () =>
        {
            // Sealed by another master key: nobody knows any more what proxies call it.
            await using (_copies.CredentialChanging(_key with { SealedFingerprint = Seal(2).Seal("fingerprint", _key.Id) })) { }
        });

        await BeatAsync();
        await BeatAsync();

        Assert.False(_proxy.HasHeardAllSince(read));
    }

    [Fact]
    public async Task A_customer_s_change_is_told_and_distrusted_when_its_credentials_cannot_be_read()
    {
        await BeatAsync();
        var (read, customer) = (_clock.GetTimestamp(), Ids.New());
        await using var db = new SessionsDb(
            new DbContextOptionsBuilder<SessionsDb>().UseNpgsql("Host=127.0.0.1;Port=1;Timeout=5").Options);

        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            await using (_copies.CustomerChanging(customer, db)) { }
        });
        Assert.Equal(customer.ToString("N"), _heard[^1].Value);
        await BeatAsync();
        await BeatAsync();

        Assert.False(_proxy.HasHeardAllSince(read));
    }

    [Fact]
    public async Task A_member_s_change_is_told_and_distrusted_when_its_tokens_cannot_be_read()
    {
        await BeatAsync();
        var (read, member) = (_clock.GetTimestamp(), Ids.New());
        await using var db = new SessionsDb(
            new DbContextOptionsBuilder<SessionsDb>().UseNpgsql("Host=127.0.0.1;Port=1;Timeout=5").Options);

        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            await using (_copies.MemberChanging(member, db)) { }
        });
        Assert.Equal((Invalidation.MemberChanged, member.ToString("N")), (_heard[^1].Kind, _heard[^1].Value));
        await BeatAsync();
        await BeatAsync();

        Assert.False(_proxy.HasHeardAllSince(read));
    }

    /// <summary>The change may have taken effect long before its caller learns of that, or of the connection's end.</summary>
    [Fact]
    public async Task While_a_commit_is_not_answered_proxies_distrust_what_they_had_and_later_the_loss_of_its_push_is_noticed()
    {
        await BeatAsync();
        var before = _clock.GetTimestamp();
        long during;
        await using (_copies.CredentialChanging(_key))
        {
            await BeatAsync();
            await BeatAsync();
            during = _clock.GetTimestamp();
            Assert.Equal((false, true), (_proxy.HasHeardAllSince(before), _proxy.HasHeardAllSince(during)));
            _losesPushes = true;
        }
        _losesPushes = false;

        await BeatAsync();
        await BeatAsync();

        Assert.False(_proxy.HasHeardAllSince(during));
    }

    [Fact]
    public async Task A_change_that_is_told_leaves_what_proxies_have_trusted()
    {
        await BeatAsync();
        var read = _clock.GetTimestamp();
        await using (_copies.CredentialChanging(_key)) { }
        await using (_copies.CatalogueChanging(Ids.New(), Ids.New())) { }

        await BeatAsync();
        await BeatAsync();

        Assert.True(_proxy.HasHeardAllSince(read));
    }

    async Task BeatAsync()
    {
        _clock.Advance(Invalidation.BeatEvery);
        await _copies.BeatAsync();
    }

    void Hear(Invalidation push)
    {
        if (push.Kind != Invalidation.Beat)
            _heard.Add(push);
        _proxy.Hear(push);
    }

    object? Answer(string method, object?[] arguments)
    {
        switch (method)
        {
            case nameof(ISubscriber.SubscribeAsync):
                _subscriber = (Action<RedisChannel, RedisValue>)arguments[1]!;
                return Task.CompletedTask;
            case nameof(IDatabase.PublishAsync):
                if (!_losesPushes)
                    _subscriber((RedisChannel)arguments[0]!, (RedisValue)arguments[1]!);
                return Task.FromResult(1L);
            default:
                return Task.FromResult(true);
        }
    }

    static CredentialSeal Seal(byte master) => new([new byte[32]], new([[.. Enumerable.Repeat(master, 32)]]));
}
