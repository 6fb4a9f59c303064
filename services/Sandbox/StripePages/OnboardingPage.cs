using System.Text;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>The form of an account's onboarding. Each saving takes what was filled in off the list of what is due.</summary>
static class OnboardingPage
{
    static readonly Dictionary<string, (string Label, string Example)> Labels = new()
    {
        ["business_type"] = ("Type of business", "individual"),
        ["individual.first_name"] = ("First name", "Jenny"),
        ["individual.last_name"] = ("Last name", "Rosen"),
        ["individual.dob.year"] = ("Year of birth (1902 is looked at by hand)", "1990"),
        ["individual.address.line1"] = ("Street", "address_full_match"),
        ["external_account"] = ("Account number of your bank", "000123456789"),
        ["tos_acceptance.date"] = ("Terms of service: write yes", "yes"),
    };

    public static IResult Show(StripePages.Visit visit)
    {
        if (visit.Path is not [var id, var token] || visit.World.Platform.Find("account", id) is not { } account)
        {
            throw Refusal.Missing("account", visit.Id, "id");
        }
        if (account.Object("_links")?.Object(token) is not { } link)
        {
            throw Refusal.Invalid("This link is not known.");
        }
        if (visit.Sent is null)
        {
            // A link is for one visit; whoever comes again gets to where a new one is made.
            if (link.Is("opened") || visit.World.Clock.Now > link.Long("until"))
            {
                return StripePages.Back(link.Text("refresh_url")!);
            }
            link["opened"] = true;
            return Form(account);
        }
        if (visit.Sent.GetValueOrDefault("step") == "later")
        {
            return StripePages.Back(link.Text("return_url")!);
        }
        Onboarding.Learn(visit.World, account, Given(account, visit));
        return account.Object("requirements")!.Items("currently_due").Count == 0 || visit.Sent.GetValueOrDefault("step") == "finish"
            ? StripePages.Back(link.Text("return_url")!)
            : Form(account);
    }

    static JsonObject Given(JsonObject account, StripePages.Visit visit)
    {
        var given = new JsonObject();
        foreach (var field in Labels.Keys)
        {
            if (visit.Sent!.GetValueOrDefault(field) is not { Length: > 0 } value)
            {
                continue;
            }
            var steps = field.Split('.');
            var at = given;
            foreach (var step in steps[..^1])
            {
                at[step] ??= new JsonObject();
                at = (JsonObject)at[step]!;
            }
            at[steps[^1]] = field switch
            {
                "external_account" => new JsonObject
                {
                    ["object"] = "bank_account",
                    ["country"] = account.Text("country"),
                    ["currency"] = account.Text("default_currency"),
                    ["account_number"] = value,
                },
                "tos_acceptance.date" => visit.World.Clock.Now,
                "individual.dob.year" => long.TryParse(value, out var year) ? year : 0,
                _ => value,
            };
        }
        return given;
    }

    static IResult Form(JsonObject account)
    {
        var due = account.Object("requirements")!.Items("currently_due").Select(field => field.GetValue<string>()).ToList();
        var form = new StringBuilder("<form method=\"post\">");
        foreach (var field in due.Where(Labels.ContainsKey))
        {
            form.Append(Html.Field(field, Labels[field].Label, Labels[field].Example));
        }
        if (due.Count == 0)
        {
            form.Append("<p>Nothing is missing.</p>");
        }
        form.Append(Html.Button("step", "save", "Save")).Append(Html.Button("step", "finish", "Finish"))
            .Append(Html.Button("step", "later", "Later", isPlain: true)).Append("</form>");
        return Html.Page("Tell us about your business", form.ToString());
    }
}
