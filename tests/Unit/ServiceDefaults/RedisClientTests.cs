using System.Diagnostics.Metrics;
using System.Reflection;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.UnitTests.Proxy;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>Who writes in Redis is nobody: what the gateway did not seal itself, for this place and just now, is not there.</summary>
public sealed class RedisClientTests
{
    static readonly InternalKeys Others = new([[.. Enumerable.Repeat((byte)1, 32)]]);

    static readonly TimeSpan Life = TimeSpan.FromSeconds(5);

    readonly FakeTimeProvider _time = new();
    readonly Server _redis = new();

    [Fact]
    public async Task A_copy_is_found_as_it_was_kept()
    {
        await Client().KeepAsync("llmgw:credential:a", new Copy("mine"), Life);

        Assert.Equal((new Copy("mine"), Life), await Client().GetAsync<Copy>("llmgw:credential:a"));
    }

    [Theory]
    [InlineData("unsealed"), InlineData("altered"), InlineData("of another key"), InlineData("of another gateway"), InlineData("old")]
    public async Task A_copy_that_is_not_ours_is_a_miss_is_counted_and_makes_room_for_the_owner_s(string what)
    {
        const string key = "llmgw:credential:a";
        await (what == "of another gateway" ? Client(Others) : Client()).KeepAsync(key, new Copy("forged"), Life);
        await Client().KeepAsync("llmgw:credential:b", new Copy("another's"), Life);
        if (what == "unsealed")
            _redis.Values[key] = JsonSerializer.SerializeToUtf8Bytes(new Copy("forged"), Defaults.Json);
        if (what == "altered")
            _redis.Values[key][^3] ^= 1;
        if (what == "of another key")
            _redis.Values[key] = _redis.Values["llmgw:credential:b"];
        if (what == "old")
            _time.Advance(TimedSeal.Lifetime);
        using var counted = new Count();

        Assert.Equal((null, null), await Client().GetAsync<Copy>(key));

        Assert.Equal(["credential"], counted.Kinds);
        await Client().KeepAsync(key, new Copy("the owner's"), Life);
        Assert.Equal((new Copy("the owner's"), Life), await Client().GetAsync<Copy>(key));
    }

    [Fact]
    public async Task A_newer_value_than_the_one_that_is_not_ours_stays()
    {
        const string key = "llmgw:project:a";
        _redis.Values[key] = [1, 2, 3];
        _redis.AfterGet = () => _redis.Values[key] = [];

        Assert.Equal((null, null), await Client().GetAsync<Copy>(key));

        Assert.Empty(_redis.Values[key]);
    }

    [Fact]
    public async Task An_empty_copy_keeps_out_others_and_is_no_forgery()
    {
        using var counted = new Count();
        await Client().ForgetAsync("llmgw:project:a", Life);
        await Client().KeepAsync("llmgw:project:a", new Copy("older than the change"), Life);

        Assert.Equal((null, null), await Client().GetAsync<Copy>("llmgw:project:a"));
        Assert.Empty(counted.Kinds);
    }

    [Fact]
    public async Task Only_our_messages_are_heard_and_only_on_their_channel()
    {
        var heard = new List<string>();
        Client().Subscribe<Copy>("llmgw:invalidate", copy => heard.Add(copy.Text));
        Client().Subscribe<Copy>("llmgw:recall", copy => heard.Add($"recall {copy.Text}"));
        using var counted = new Count();

        await Client().PublishAsync("llmgw:invalidate", new Copy("ours"));
        await Client(Others).PublishAsync("llmgw:invalidate", new Copy("forged"));
        _redis.Say("llmgw:invalidate", JsonSerializer.SerializeToUtf8Bytes(new Copy("unsealed"), Defaults.Json));
        _redis.Say("llmgw:invalidate", "");
        _redis.Say("llmgw:recall", _redis.Said[0]);

        Assert.Equal(["ours"], heard);
        Assert.Equal(["invalidate", "invalidate", "invalidate", "recall"], counted.Kinds);
    }

    /// <summary>Everything that services do with Redis goes through the client, whose only unsealed door is that of counters.</summary>
    [Fact]
    public void There_is_no_other_way_to_Redis()
    {
        var doors = typeof(RedisClient).GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly);
        var ways = new[] { typeof(LlmGateway.Proxy.Identity), typeof(LlmGateway.Sessions.SessionsDb), typeof(LlmGateway.Wallet.WalletDb) }
            .SelectMany(type => type.Assembly.GetTypes())
            .SelectMany(type => type.GetConstructors().SelectMany(made => made.GetParameters()).Select(need => need.ParameterType))
            .Where(need => need == typeof(IConnectionMultiplexer) || need == typeof(IDatabase));

        Assert.Equal(
            [
                "ExistAsync", "ForgetAsync", "GetAsync", "KeepAsync", "KeepVersionAsync", "NewestAsync", "PublishAsync", "RunAsync",
                "Subscribe", "get_IsConnected",
            ],
            doors.Select(door => door.Name).Order(StringComparer.Ordinal));
        Assert.Empty(ways);
    }

    RedisClient Client(InternalKeys? keys = null) => RedisInMemory.New(_redis.Invoke, keys, _time);

    sealed record Copy(string Text);

    sealed class Count : IDisposable
    {
        readonly MeterListener _listener = new();

        public Count()
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "gateway.redis.not_ours")
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((_, _, tags, _) => Kinds.Add((string)tags[0].Value!));
            _listener.Start();
        }

        public List<string> Kinds { get; } = [];

        public void Dispose() => _listener.Dispose();
    }

    /// <summary>A server with strings and channels.</summary>
    sealed class Server
    {
        readonly List<(string Channel, Action<RedisChannel, RedisValue> Handle)> _subscribers = [];

        public Dictionary<string, byte[]> Values { get; } = [];

        public List<byte[]> Said { get; } = [];

        public Action AfterGet { get; set; } = () => { };

        public void Say(string channel, RedisValue message)
        {
            Said.Add((byte[])message!);
            foreach (var (_, handle) in _subscribers.Where(subscriber => subscriber.Channel == channel))
                handle(RedisChannel.Literal(channel), message);
        }

        public object? Invoke(string method, object?[] args)
        {
            var name = args is [{ } first, ..] ? first.ToString()! : "";
            switch (method)
            {
                case "StringGetWithExpiryAsync":
                    var found = Values.TryGetValue(name, out var value)
                        ? new RedisValueWithExpiry((byte[])[.. value], Life)
                        : new(RedisValue.Null, null);
                    AfterGet();
                    return Task.FromResult(found);
                case "StringSetAsync":
                    var isKept = !args.Contains(When.NotExists) || !Values.ContainsKey(name);
                    if (isKept)
                        Values[name] = ((byte[]?)(RedisValue)args[1]!)!;
                    return Task.FromResult(isKept);
                case "ScriptEvaluateAsync":
                    var key = ((RedisKey[])args[1]!)[0].ToString();
                    if (Values[key].AsSpan().SequenceEqual((byte[])((RedisValue[])args[2]!)[0]!))
                        Values.Remove(key);
                    return Task.FromResult(RedisResult.Create(0, ResultType.Integer));
                case "PublishAsync":
                    Say(name, (RedisValue)args[1]!);
                    return Task.FromResult(1L);
                case "SubscribeAsync":
                    _subscribers.Add((name, (Action<RedisChannel, RedisValue>)args[1]!));
                    return Task.CompletedTask;
                default:
                    throw new NotSupportedException(method);
            }
        }
    }
}
