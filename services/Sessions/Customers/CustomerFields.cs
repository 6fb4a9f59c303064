using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>The fields of a customer that its backend may write. Absent leaves a field as it is, null clears it.</summary>
public static class CustomerFields
{
    /// <summary>Throws a 400 that names the member.</summary>
    public static void Apply(JsonElement body, Customer customer)
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
            }
        }
    }

    /// <summary>Throws a 400 that names a member that is neither one of these nor one of <paramref name="others"/>.</summary>
    public static void MustBeKnown(JsonElement body, params ReadOnlySpan<string> others)
    {
        foreach (var member in body.EnumerateObject())
            if (member.Name is not ("email" or "name" or "company" or "phone") && !others.Contains(member.Name))
                throw Fields.Invalid(member.Name, "is not a field of a customer that can be set here");
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

    /// <inheritdoc cref="MustBeKnown"/>
    public static async Task<JsonElement> ReadAsync(HttpContext http, params string[] others)
    {
        if (await Body.ReadAsync<JsonElement>(http) is not { ValueKind: JsonValueKind.Object } body)
            throw new ProblemException(Problems.Malformed("The body must be a JSON object."));
        MustBeKnown(body, others);
        return body;
    }
}
