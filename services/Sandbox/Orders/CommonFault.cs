using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sandbox;

/// <summary>
/// A fault that every model has besides those of its name. An operator orders it, while the end of a name is a caller's order. It holds for
/// calls that come from then on, until it is taken away. It wins over the faults of a name that contradict it.
/// </summary>
public sealed class CommonFault
{
    volatile Fault? now;

    sealed record Order
    {
        /// <summary>One of the ends in <see cref="Faults.All"/>. Null takes the fault away.</summary>
        public required string? Fault { get; init; }
    }

    public static void Map(IEndpointRouteBuilder routes)
    {
        const string path = "/sandbox/behaviour";
        routes.MapGet(path, (CommonFault common) => common.Shown);
        routes.MapPost(path, (Order order, CommonFault common, HttpContext http) =>
        {
            if (!common.TrySet(order.Fault))
            {
                return NoSuchFault(order.Fault);
            }
            return http.WantsText() ? PlainText.Of(true, [common.Text]) : Results.Json(common.Shown);
        });
    }

    /// <summary>How a call to this model goes now.</summary>
    public Behaviour Of(string model)
    {
        var behaviour = Faults.Of(model);
        return now is { } fault ? fault.Apply(behaviour) : behaviour;
    }

    object Shown
    {
        get
        {
            var fault = now;
            return new { fault = fault?.Suffix ?? RawJson.Null, effect = fault?.Effect ?? RawJson.Null };
        }
    }

    string Text => now is { } fault
        ? $"Every model has the fault '{fault.Suffix}': {fault.Effect}. 'recover' takes it away."
        : "Every model behaves as its name says.";

    /// <summary>False when there is no such fault. Nothing has changed then.</summary>
    bool TrySet(string? suffix)
    {
        var fault = suffix is null ? null : Faults.All.FirstOrDefault(fault => fault.Suffix == suffix);
        if (fault is null && suffix is not null)
        {
            return false;
        }
        now = fault;
        return true;
    }

    static IResult NoSuchFault(string? suffix) => Results.Json(
        new { error = $"There is no fault '{suffix}'.", faults = Faults.All.Select(fault => fault.Suffix) },
        statusCode: StatusCodes.Status400BadRequest);
}
