using System.Reflection;
using LlmGateway.ServiceDefaults;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>A Redis that answers commands by name, as a test says.</summary>
public static class RedisInMemory
{
    public static readonly InternalKeys Keys = new([new byte[32]]);

    /// <param name="answer">
    /// The name of a method of <see cref="IDatabase"/> or <see cref="ISubscriber"/> and its arguments; what it returns.
    /// </param>
    public static RedisClient New(Func<string, object?[], object?> answer, InternalKeys? keys = null, TimeProvider? time = null) => new(
        Part<IConnectionMultiplexer>((method, _) => method switch
        {
            nameof(IConnectionMultiplexer.GetDatabase) => Part<IDatabase>(answer),
            nameof(IConnectionMultiplexer.GetSubscriber) => Part<ISubscriber>(answer),
            "get_IsConnected" => true,
            _ => null,
        }),
        keys ?? Keys, time ?? TimeProvider.System, NullLogger<RedisClient>.Instance);

    static T Part<T>(Func<string, object?[], object?> answer)
        where T : class
    {
        var part = DispatchProxy.Create<T, Scripted>();
        ((Scripted)(object)part).Answer = answer;
        return part;
    }

    public class Scripted : DispatchProxy
    {
        internal Func<string, object?[], object?> Answer { get; set; } = (_, _) => null;

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => Answer(targetMethod!.Name, args ?? []);
    }
}
