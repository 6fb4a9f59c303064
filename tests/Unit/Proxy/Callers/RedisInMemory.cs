using System.Reflection;
using LlmGateway.ServiceDefaults;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>A Redis that answers commands by name, as a test says.</summary>
public static class RedisInMemory
{
    /// <param name="answer">The name of a method of <see cref="IDatabase"/> and its arguments; what it returns.</param>
    public static RedisClient New(Func<string, object?[], object?> answer)
    {
        var database = DispatchProxy.Create<IDatabase, Scripted>();
        ((Scripted)database).Answer = answer;
        var connection = DispatchProxy.Create<IConnectionMultiplexer, Scripted>();
        ((Scripted)connection).Answer = (method, _) => method switch
        {
            nameof(IConnectionMultiplexer.GetDatabase) => database,
            "get_IsConnected" => true,
            _ => null,
        };
        return new(connection, NullLogger<RedisClient>.Instance);
    }

    public class Scripted : DispatchProxy
    {
        internal Func<string, object?[], object?> Answer { get; set; } = (_, _) => null;

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => Answer(targetMethod!.Name, args ?? []);
    }
}
