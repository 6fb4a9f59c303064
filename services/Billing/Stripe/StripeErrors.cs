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

    /// <summary>Our own: Stripe gave no answer for as long as it keeps a key, and knows nothing of it.</summary>
    public const string NoAnswer = "no_answer";

    public const string UnexpectedState = "payment_intent_unexpected_state", UnexpectedSetup = "setup_intent_unexpected_state",
        NoSuchObject = "resource_missing", NotOurAccount = "account_invalid";
}

/// <summary>
/// Our key may not do this at Stripe. Callers are told to come later, as in an outage; but time does not heal it, a person does.
/// </summary>
public sealed class StripeForbiddenException(Problem problem) : ProblemException(problem);

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
            // A card that is declined is its owner's affair, and what is missing may be looked for.
            if (e.StripeError is not ({ Type: "card_error" } or { Code: StripeRefusalException.NoSuchObject }))
                log.LogWarning("Stripe refuses a call ({Code}): {Message}", e.StripeError?.Code, e.StripeError?.Message ?? e.Message);
            throw new StripeRefusalException(e.StripeError?.Code, e.StripeError?.Message ?? e.Message, e);
        }
        catch (StripeException e)
        {
            if (e.HttpStatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
                log.LogError("Stripe does not accept our key: {Message}", e.StripeError?.Message ?? e.Message);
            throw e.HttpStatusCode == HttpStatusCode.Forbidden
                ? new StripeForbiddenException(Unavailable) : new ProblemException(Unavailable);
        }
    }

    /// <summary>Calls whose refusal by Stripe is their caller's answer.</summary>
    public static RouteHandlerBuilder WithRefusals(this RouteHandlerBuilder route) => route.AddEndpointFilter(async (context, next) =>
    {
        try
        {
            return await next(context);
        }
        catch (StripeRefusalException e)
        {
            return Problems.Conflict("stripe_refused", Say(e.Code));
        }
    });

    /// <summary>
    /// A refusal in words for tenants and their users. Stripe's own are for who runs the gateway: they speak of its account, and of what is
    /// in it.
    /// </summary>
    public static string Say(string? code) => code switch
    {
        "balance_insufficient" or "insufficient_funds" => "The operator's money at Stripe is not available yet. Try again later.",
        "charge_already_refunded" => "It is refunded already.",
        "charge_disputed" => "It is disputed at the payer's bank, and cannot be refunded.",
        StripeRefusalException.NoAnswer => "Stripe gave no answer for a day and knows nothing of it.",
        _ => "Stripe has refused it. Whoever runs the gateway finds the reason in its log.",
    };

    /// <summary>
    /// A wrong key is no refusal of what was asked; an account that has cut us off is. Neither is a conflict: another call with the same
    /// key runs, or the object is locked. Nor is a key that was used with other parameters, as by another version of ours: what was asked
    /// then may have been done. What is not in Stripe's form comes from something between us and Stripe, which knows nothing of it.
    /// </summary>
    public static bool IsRefusal(StripeException e) => e.StripeError is { } error && (error.Code == StripeRefusalException.NotOurAccount
        || (e.HttpStatusCode is HttpStatusCode.BadRequest or HttpStatusCode.PaymentRequired or HttpStatusCode.NotFound
            && error is not { Code: "rate_limit" } and not { Type: "idempotency_error" }));
}
