namespace LlmGateway.Sandbox.Stripe;

/// <summary>A stand-in for Stripe.js, with the little of it that a payment form needs.</summary>
static class StripeJs
{
    static readonly string Text = Read();

    public static IResult Script(HttpRequest request) => Results.Content(
        Text.Replace("__SANDBOX__", $"{request.Scheme}://{request.Host}{request.PathBase}", StringComparison.Ordinal),
        "text/javascript; charset=utf-8");

    static string Read()
    {
        using var stream = typeof(StripeJs).Assembly.GetManifestResourceStream("stripe.js")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
