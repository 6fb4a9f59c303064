using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>The fields of a customer that its backend may write. Absent leaves a field as it is, null clears it.</summary>
public static class CustomerFields
{
    /// <summary>
    /// Applies every member of <paramref name="body"/> but those in <paramref name="handled"/>; throws a 400 that names the member.
    /// </summary>
    public static void Apply(JsonElement body, Customer customer, params ReadOnlySpan<string> handled)
    {
        foreach (var member in body.EnumerateObject())
        {
            var (name, value) = (member.Name, member.Value);
            switch (name)
            {
                case "email": customer.Email = Fields.Email(value, name); break;
                case "name": customer.Name = Fields.Text(value, name); break;
                case "company": customer.Company = Fields.Text(value, name); break;
                case "phone": customer.Phone = Fields.Text(value, name); break;
                default:
                    if (!handled.Contains(name))
                        throw Fields.Invalid(name, "is not a field of a customer that can be set here");
                    break;
            }
        }
    }

    /// <summary>Leaves nothing that says who the customer was.</summary>
    public static void Erase(Customer customer)
    {
        (customer.ExternalId, customer.Email, customer.Name) = (null, null, null);
        (customer.Company, customer.Phone) = (null, null);
    }

    /// <summary>A status that can be set; deleting is a call of its own.</summary>
    public static CustomerStatus Status(JsonElement value) => Fields.Text(value, "status") switch
    {
        "active" => CustomerStatus.Active,
        "suspended" => CustomerStatus.Suspended,
        "blocked" => CustomerStatus.Blocked,
        _ => throw Fields.Invalid("status", "must be active, suspended or blocked"),
    };

    public static async Task<JsonElement> ReadAsync(HttpContext http) =>
        await Body.ReadAsync<JsonElement>(http) is { ValueKind: JsonValueKind.Object } body
            ? body
            : throw new ProblemException(Problems.Malformed("The body must be a JSON object."));
}
