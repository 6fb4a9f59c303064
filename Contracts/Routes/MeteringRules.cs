using LlmGateway.Contracts.Expressions;

namespace LlmGateway.Contracts;

/// <summary>
/// What is wrong with how a route says what its answers are worth, each mistake a line that begins with the JSON path: the same when a
/// route is saved and when it is tried.
/// </summary>
public static class MeteringRules
{
    static readonly string[] Units = [CustomRoute.Requests, CustomRoute.Tokens];

    public static IEnumerable<string> Errors(CustomRoute route, string path)
    {
        if (!MeteringExpression.TryParse(route.Meter, out var expression, out var error))
            return [$"{path}.meter: {error}"];
        return
        [
            .. Must(route.Kind != CustomRoute.WebSocket || !expression.ReadsContent, $"{path}.meter",
                "may only count bytes and messages of a WebSocket: what they say is not read"),
            .. Must(Units.Contains(route.Unit), $"{path}.unit", $"must be one of {string.Join(", ", Units)}"),
            .. Must(
                route.MaxUnits is not null || expression.Constant is not null
                    || (route.Price is null && route.Unit != CustomRoute.Tokens),
                $"{path}.maxUnits",
                "is required beside a price and of tokens: how many units an answer is worth is known only afterwards, and held before"),
            .. Must(route.MaxUnits is null or (> 0 and <= CustomRoute.MostUnits), $"{path}.maxUnits",
                $"must be from 1 to {CustomRoute.MostUnits}"),
            .. Must(
                route.FallbackUnits is null || (route.FallbackUnits >= 1 && !(route.FallbackUnits > route.Bound(expression.Constant))),
                $"{path}.fallbackUnits",
                "must be from 1 to maxUnits"),
            .. Must(route.FallbackUnits is null || route.Unit != CustomRoute.Tokens, $"{path}.fallbackUnits",
                "is not used for tokens, which are counted when the expression fails"),
        ];
    }

    static IEnumerable<string> Must(bool isTrue, string path, string rule) => isTrue ? [] : [$"{path} {rule}"];
}
