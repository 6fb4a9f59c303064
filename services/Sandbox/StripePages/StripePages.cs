namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// Pages that Stripe hosts: for people and for browsers under test. Each says that it is the sandbox's. A path names the world, so that no
/// page needs a key.
/// </summary>
sealed class StripePages(Worlds worlds)
{
    const int MaxForm = 64 * 1024;

    /// <summary>What a page is made of: the way to it, and what its form sent. Null when it is opened.</summary>
    public sealed record Visit(World World, IReadOnlyList<string> Path, IReadOnlyDictionary<string, string>? Sent)
    {
        /// <summary>Of what the page is about, as the address says it; empty when it says nothing.</summary>
        public string Id => Path.Count > 0 ? Path[0] : "";
    }

    delegate IResult Page(Visit visit);

    static readonly Dictionary<string, Page> Pages = new()
    {
        ["authenticate"] = AuthenticationPage.Show,
        ["onboarding"] = OnboardingPage.Show,
        ["express"] = ExpressPage.Show,
        ["checkout"] = CheckoutPage.Show,
        ["portal"] = PortalPage.Show,
        ["invoice"] = InvoicePage.Show,
    };

    public async Task HandleAsync(HttpContext http)
    {
        var path = http.Request.Path.Value!.Trim('/').Split('/');
        var result = path switch
        {
            ["v3" or "basil" or "clover" or "dahlia" or "endive" or "stripe.js", ..] => StripeJs.Script(http.Request),
            ["pages", var name, var world, .. var rest] when Pages.TryGetValue(name, out var page) =>
                await VisitAsync(http, page, world, rest),
            _ => Results.NotFound(),
        };
        await result.ExecuteAsync(http);
    }

    async Task<IResult> VisitAsync(HttpContext http, Page page, string name, string[] rest)
    {
        Dictionary<string, string>? sent = null;
        if (HttpMethods.IsPost(http.Request.Method))
        {
            if (!http.Request.HasFormContentType || http.Request.ContentLength is not <= MaxForm)
            {
                return Results.BadRequest();
            }
            var form = await http.Request.ReadFormAsync(http.RequestAborted);
            sent = form.ToDictionary(field => field.Key, field => field.Value.ToString());
        }
        try
        {
            var world = worlds.Of("sk_test_" + name);
            lock (world.Gate)
            {
                world.Address = $"{http.Request.Scheme}://{http.Request.Host}{http.Request.PathBase}";
                world.Clock.RunDue();
                var result = page(new(world, rest, sent));
                world.Deliveries.Wake();
                return result;
            }
        }
        catch (Refusal refusal)
        {
            return Html.Page("This does not work", $"<p role=\"alert\">{Html.Text(refusal.Message)}</p>", refusal.Status);
        }
    }

    /// <summary>An address with more members in its query.</summary>
    public static IResult Back(string url, params ReadOnlySpan<(string Name, string Value)> query)
    {
        var full = url;
        foreach (var (name, value) in query)
        {
            full += $"{(full.Contains('?', StringComparison.Ordinal) ? '&' : '?')}{name}={Uri.EscapeDataString(value)}";
        }
        // 303: a browser follows it with GET, whatever the form was.
        return new SeeOther(full);
    }

    sealed class SeeOther(string url) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = StatusCodes.Status303SeeOther;
            httpContext.Response.Headers.Location = url;
            return Task.CompletedTask;
        }
    }
}
