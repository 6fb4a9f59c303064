using System.Reflection;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>
/// What clients are told to do about a refusal. The list of refusals is that of the code, so that a new one must be decided.
/// </summary>
public sealed class RefusalsTests
{
    static readonly string[] UsedUp =
    [
        nameof(Problems.WalletExhausted), nameof(Problems.NotEnoughCredits), nameof(Problems.WalletFrozen), nameof(Problems.LimitReached),
        nameof(Problems.PlanEnded), nameof(Problems.SessionCap), nameof(Problems.NothingPays),
    ];

    static readonly string[] MayComeAgain =
    [
        nameof(Problems.BalanceHeld), nameof(Problems.LimitHeld), nameof(Problems.TooManyRunning), nameof(Problems.RateLimited),
        nameof(Problems.TooManyBytes),
    ];

    [Fact]
    public async Task Only_what_is_used_up_tells_clients_not_to_try_again()
    {
        var all = All().ToList();
        Assert.Equal(
            UsedUp.Concat(MayComeAgain).Order(),
            all.Where(one => one.Problem.Status is 402 or 429).Select(one => one.Name).Distinct().Order());
        foreach (var (name, problem) in all)
        {
            var http = new DefaultHttpContext();
            await problem.ExecuteAsync(http);
            Assert.Equal((name, UsedUp.Contains(name) ? "false" : ""), (name, http.Response.Headers["x-should-retry"].ToString()));
        }
    }

    /// <summary>Every problem of the table, with any arguments.</summary>
    static IEnumerable<(string Name, Problem Problem)> All()
    {
        const BindingFlags Public = BindingFlags.Public | BindingFlags.Static;
        foreach (var field in typeof(Problems).GetFields(Public).Where(field => field.FieldType == typeof(Problem)))
            yield return (field.Name, (Problem)field.GetValue(null)!);
        foreach (var method in typeof(Problems).GetMethods(Public).Where(method => method.ReturnType == typeof(Problem)))
            if (method.Name is not (nameof(Problems.Upstream) or nameof(Problems.NotValidJson)))
                yield return (method.Name, (Problem)method.Invoke(null, [.. method.GetParameters().Select(Any)])!);
    }

    static object? Any(ParameterInfo parameter) =>
        parameter.HasDefaultValue ? parameter.DefaultValue
        : parameter.ParameterType == typeof(string) ? "x"
        : parameter.ParameterType == typeof(HttpContext) ? new DefaultHttpContext()
        : parameter.ParameterType == typeof(LimitState) ? new LimitState("customer", "requests", "1", "1", "1", null)
        : parameter.ParameterType == typeof(CreditState) ? CreditState.Of("standard", [])
        : parameter.ParameterType.IsValueType ? Activator.CreateInstance(parameter.ParameterType)
        : throw new NotSupportedException($"{parameter.Member.Name} takes {parameter.ParameterType}");
}
