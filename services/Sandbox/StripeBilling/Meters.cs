using System.Globalization;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/billing/meters</c> and their events. What was reported counts a little later.</summary>
static class Meters
{
    const long Day = 24 * 60 * 60, Past = 35 * Day, Future = 5 * 60;
    const int MaxIdentifier = 100, MaxDigits = 15;

    /// <summary>Seconds until an event is in the sums.</summary>
    public const long Lag = 2;

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "billing.meter", "created": 0, "customer_mapping": {"event_payload_key": "stripe_customer_id",
          "type": "by_id"}, "default_aggregation": {"formula": "sum"}, "display_name": "", "event_name": "", "event_time_window": null,
         "livemode": false, "status": "active", "status_transitions": {"deactivated_at": null}, "updated": 0,
         "value_settings": {"event_payload_key": "value"}}
        """);

    public static void Map(Routes routes)
    {
        routes.Post(
            "/v1/billing/meters",
            "display_name! event_name! default_aggregation{formula:sum|count|last!}! customer_mapping{type:by_id! event_payload_key!} "
                + "value_settings{event_payload_key!} event_time_window:day|hour",
            Create);
        routes.Read("/v1/billing/meters", "billing.meter", "status");
        routes.Post("/v1/billing/meters/*", "display_name", call =>
        {
            var meter = call.Subject("billing.meter");
            call.Account.Change(meter, "billing.meter.updated", () => meter.Take(call.Given, "display_name"));
            return meter;
        });
        routes.Post("/v1/billing/meters/*/deactivate", "", call => Switch(call, isActive: false));
        routes.Post("/v1/billing/meters/*/reactivate", "", call => Switch(call, isActive: true));
        routes.Post("/v1/billing/meter_events", "event_name! payload:any! identifier timestamp:int", Report);
        routes.Post("/v1/billing/meter_event_adjustments", "event_name! type:cancel! cancel{identifier!}", Adjust);
        routes.Get(
            "/v1/billing/meters/*/event_summaries",
            "customer! start_time:int! end_time:int! value_grouping_window:day|hour" + Params.Paging,
            Summaries);
    }

    /// <summary>What a customer has used from a time until before another.</summary>
    public static long Usage(Account account, string meter, string customer, long from, long until)
    {
        var counted = account.Oldest("billing.meter_event").Where(e => e.Text("_meter") == meter && e.Text("_customer") == customer
            && e.Is("_counted") && e.Long("timestamp") >= from && e.Long("timestamp") < until);
        var values = counted.Select(e => (At: e.Long("timestamp"), Value: e.Long("_value"))).ToList();
        return account.Get("billing.meter", meter).Object("default_aggregation")!.Text("formula") switch
        {
            "count" => values.Count,
            "last" => values.Count == 0 ? 0 : values.MaxBy(each => each.At).Value,
            _ => values.Sum(each => each.Value),
        };
    }

    static JsonObject Create(Call call)
    {
        if (Active(call.Account, call.Given.Text("event_name")!) is not null)
        {
            throw Refusal.Invalid("An active meter with this event name exists.", "event_name", "resource_already_exists");
        }
        var meter = call.Account.New(Shape, "mtr");
        meter.Take(call.Given, "display_name", "event_name", "default_aggregation", "event_time_window");
        meter.Merge(call.Given, "customer_mapping", "value_settings");
        meter["updated"] = call.Now;
        call.Account.Add(meter);
        call.Account.Emit("billing.meter.created", meter);
        return meter;
    }

    static JsonObject? Active(Account account, string name) => account.Newest("billing.meter")
        .FirstOrDefault(meter => meter.Text("event_name") == name && meter.Text("status") == "active");

    static JsonObject Switch(Call call, bool isActive)
    {
        var meter = call.Subject("billing.meter");
        if (meter.Text("status") == "active" == isActive)
        {
            throw Refusal.Invalid($"The meter is already {meter.Text("status")}.");
        }
        meter["status"] = isActive ? "active" : "inactive";
        meter["status_transitions"]!["deactivated_at"] = isActive ? null : call.Now;
        call.Account.Emit(isActive ? "billing.meter.reactivated" : "billing.meter.deactivated", meter);
        return meter;
    }

    static JsonObject Report(Call call)
    {
        var (account, given) = (call.Account, call.Given);
        var name = given.Text("event_name")!;
        var meter = Active(account, name) ?? throw Refusal.Invalid(
            $"No active meter found for event name {name}.",
            "event_name",
            account.Newest("billing.meter").Any(each => each.Text("event_name") == name) ? "archived_meter" : "no_meter");
        var (customer, value) = Read(account, meter, given);
        var clock = call.World.ClockOf(customer);
        var at = given.MaybeLong("timestamp") ?? clock.Now;
        if (at < clock.Now - Past)
        {
            throw Refusal.Invalid("The timestamp is too far in the past.", "timestamp", "timestamp_too_far_in_past");
        }
        if (at > clock.Now + Future)
        {
            throw Refusal.Invalid("The timestamp is in the future.", "timestamp", "timestamp_in_future");
        }
        var identifier = given.Text("identifier") ?? StripeIds.SmallText(24);
        if (identifier.Length > MaxIdentifier)
        {
            throw Refusal.Invalid($"An identifier has at most {MaxIdentifier} characters.", "identifier");
        }
        if (account.Newest("billing.meter_event").Any(known =>
            known.Text("identifier") == identifier && known.Long("created") > call.Now - Day))
        {
            throw Refusal.Invalid($"An event already exists with identifier {identifier}.", "identifier", "resource_already_exists");
        }
        var e = new JsonObject
        {
            ["id"] = StripeIds.New("mte"),
            ["object"] = "billing.meter_event",
            ["created"] = call.Now,
            ["event_name"] = name,
            ["identifier"] = identifier,
            ["livemode"] = false,
            ["payload"] = given["payload"]!.DeepClone(),
            ["timestamp"] = at,
            ["_meter"] = meter.Id(),
            ["_customer"] = customer.Id(),
            ["_value"] = value,
        };
        account.Add(e);
        clock.After(Lag, () => e["_counted"] = !e.Is("_canceled"));
        return Shown(e);
    }

    static JsonObject Shown(JsonObject e)
    {
        var shown = e.Shown();
        shown.Remove("id");
        return shown;
    }

    static (JsonObject Customer, long Value) Read(Account account, JsonObject meter, JsonObject given)
    {
        var payload = given["payload"] as JsonObject ?? throw Refusal.Invalid("Invalid object", "payload");
        var key = meter.Object("customer_mapping")!.Text("event_payload_key")!;
        if (payload.Text(key) is not { } id)
        {
            throw Refusal.Invalid($"The payload names no customer ({key}).", $"payload[{key}]", "meter_event_no_customer_defined");
        }
        if (account.Find("customer", id) is not { } customer || customer.Is("deleted"))
        {
            throw Refusal.Invalid($"No such customer: '{id}'", $"payload[{key}]", "meter_event_customer_not_found");
        }
        var name = meter.Object("value_settings")!.Text("event_payload_key")!;
        var text = payload.Text(name) ?? (meter.Object("default_aggregation")!.Text("formula") == "count" ? "1" : "");
        if (text.Length > MaxDigits)
        {
            throw Refusal.Invalid("The value has too many digits.", $"payload[{name}]", "meter_event_value_too_many_digits");
        }
        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            ? (customer, value)
            : throw Refusal.Invalid("The value is no whole number.", $"payload[{name}]", "meter_event_invalid_value");
    }

    static JsonObject Adjust(Call call)
    {
        var identifier = call.Given.Object("cancel")?.Text("identifier");
        var e = call.Account.Newest("billing.meter_event").FirstOrDefault(each =>
            each.Text("identifier") == identifier && each.Text("event_name") == call.Given.Text("event_name"))
            ?? throw Refusal.Invalid($"No event with the identifier {identifier}.", "cancel[identifier]", "resource_missing");
        if (e.Long("created") < call.Now - Day)
        {
            throw Refusal.Invalid("An event can be canceled for 24 hours.", "cancel[identifier]");
        }
        (e["_canceled"], e["_counted"]) = (true, false);
        return new()
        {
            ["object"] = "billing.meter_event_adjustment",
            ["cancel"] = new JsonObject { ["identifier"] = identifier },
            ["event_name"] = e.Text("event_name"),
            ["livemode"] = false,
            ["status"] = "pending",
            ["type"] = "cancel",
        };
    }

    static JsonObject Summaries(Call call)
    {
        var (meter, customer) = (call.Subject("billing.meter"), Customers.Given(call)!);
        var (from, until) = (call.Given.Long("start_time"), call.Given.Long("end_time"));
        if (from % 60 != 0 || until % 60 != 0 || until <= from)
        {
            throw Refusal.Invalid("Times have to be whole minutes, the end after the start.", "start_time");
        }
        var step = call.Given.Text("value_grouping_window") switch { "day" => Day, "hour" => 3600, _ => until - from };
        var summaries = new List<JsonObject>();
        for (var start = from; start < until && summaries.Count < 1_000; start += step)
        {
            var end = Math.Min(start + step, until);
            var used = Usage(call.Account, meter.Id(), customer.Id(), start, end);
            if (used != 0 || step == until - from)
            {
                summaries.Insert(0, new()
                {
                    ["id"] = $"mtrusg_{meter.Id()}_{start}",
                    ["object"] = "billing.meter_event_summary",
                    ["aggregated_value"] = used,
                    ["end_time"] = end,
                    ["livemode"] = false,
                    ["meter"] = meter.Id(),
                    ["start_time"] = start,
                });
            }
        }
        return call.Page(summaries);
    }
}
