using System.Net;
using LlmGateway.ServiceDefaults;
using Stripe;

namespace LlmGateway.Billing;

/// <summary>Stripe has refused a call for good: the same call will be refused again.</summary>
/// <param name="code">Stripe's, as in <c>charge_already_refunded</c>.</param>
public sealed class StripeRefusalException(string? code, string message, Exception inner) : Exception(message, inner)
{
    public string? Code => code;

    /// <summary>The PaymentIntent whose attempt has failed; it is there, and may be tried again.</summary>
    public string? Intent => (InnerException as StripeException)?.StripeError?.PaymentIntent?.Id;

    /// <summary>The parameter that Stripe does not like, in its own words.</summary>
    public string? Param => (InnerException as StripeException)?.StripeError?.Param;

    public const string UnexpectedState = "payment_intent_unexpected_state", NoSuchObject = "resource_missing",
        NotOurAccount = "account_invalid";
}

/// <summary>What Stripe's errors mean to us, in one place.</summary>
public static class StripeErrors
{
    static readonly Problem Unavailable = Problems.Unavailable with
    {
        Message = "Payments are not available right now. Try again in a moment.",
    };

    /// <summary>
    /// Runs a call. No clear answer, or one that says "later", surfaces as an outage: nobody knows whether it was done, and who repeats it
    /// under its key finds out. A refusal is a <see cref="StripeRefusalException"/>.
    /// </summary>
    public static async Task<T> CallAsync<T>(Func<Task<T>> call, ILogger log)
    {
        try
        {
            return await call();
        }
        catch (StripeException e) when (IsRefusal(e))
        {
            throw new StripeRefusalException(e.StripeError?.Code, e.StripeError?.Message ?? e.Message, e);
        }
        catch (StripeException e)
        {
            if (e.HttpStatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
                log.LogError("Stripe does not accept our key: {Message}", e.StripeError?.Message ?? e.Message);
            throw new ProblemException(Unavailable);
        }
    }

    /// <summary>
    /// A wrong key is no refusal of what was asked; an account that has cut us off is. Neither is a conflict: another call with the same
    /// key runs, or the object is locked. Nor is a key that was used with other parameters, as by another version of ours: what was asked
    /// then may have been done. What is not in Stripe's form comes from something between us and Stripe, which knows nothing of it.
    /// </summary>
    public static bool IsRefusal(StripeException e) => e.StripeError is { } error && (error.Code == StripeRefusalException.NotOurAccount
        || (e.HttpStatusCode is HttpStatusCode.BadRequest or HttpStatusCode.PaymentRequired or HttpStatusCode.NotFound
            && error is not { Code: "rate_limit" } and not { Type: "idempotency_error" }));
}
