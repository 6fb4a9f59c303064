using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// A part of a seed file as the body of a call, and as its answer: a project's settings, a provider, a model, a plan, a route. The rules
/// and the writers are those of files; a mistake is named by its path in the body.
/// </summary>
public static class SeedPart
{
    /// <summary>What the address names need not stand in the body.</summary>
    static readonly JsonSerializerOptions Read = new(SeedReader.Json)
    {
        TypeInfoResolver = SeedReader.Json.TypeInfoResolver!.WithAddedModifier(type =>
        {
            foreach (var member in type.Properties)
                if (type.Type == typeof(SeedProject) ? member.Name == "name" : IsNamed(type.Type) && member.Name == "id")
                    member.IsRequired = false;
        }),
    };

    /// <summary>As callers, and files, have it: without what is not said.</summary>
    public static readonly JsonSerializerOptions Shown = new(SeedReader.Json)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    static bool IsNamed(Type type) => type == typeof(SeedProvider) || type == typeof(SeedModel) || type == typeof(SeedPlan);

    /// <summary>Throws a 400 that names the field. Nothing is taken from the environment: it is the operator's.</summary>
    public static async Task<T> ReadAsync<T>(HttpContext http)
    {
        var body = await Body.BytesAsync(http);
        try
        {
            using var document = JsonDocument.Parse(body, new() { MaxDepth = Read.MaxDepth });
            using var expanded = new MemoryStream();
            using (var writer = new Utf8JsonWriter(expanded))
                SeedReader.Expand(document.RootElement, "", writer, environment: null);
            return Body.Parse<T>(expanded.ToArray(), Read);
        }
        catch (JsonException e)
        {
            throw new ProblemException(Problems.NotValidJson(e));
        }
        catch (InvalidOperationException)
        {
            throw new ProblemException(Problems.Malformed("A text in the body is not valid Unicode.")); // half a surrogate pair
        }
        catch (SeedException e)
        {
            throw Refused(e.Message);
        }
    }

    /// <summary>A slash in a name is escaped in an address, and the server does not decode this one escape.</summary>
    public static string NameIn(string address) => address.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);

    /// <summary>Throws a 400 when the body names another thing than the address.</summary>
    public static void MustBeNamed(string? written, string inAddress, string member = "id")
    {
        if (written is not null && written != inAddress)
            throw Fields.Invalid(member, $"is '{written}', and the address says '{inAddress}'");
    }

    /// <summary>Throws a 400 for the first of the mistakes, if there is one.</summary>
    public static void MustBeRight(IEnumerable<string> mistakes)
    {
        if (mistakes.FirstOrDefault() is { } mistake)
            throw Refused(mistake);
    }

    /// <param name="mistake">A line that begins with a path, as <see cref="SeedRules"/> makes it for a path that is empty.</param>
    public static ProblemException Refused(string mistake)
    {
        var line = mistake.TrimStart('.');
        var end = line.IndexOfAny([' ', ':']);
        return new(Problems.Invalid(line[..end], $"'{line[..end]}'{line[end..]}{(line[^1] is '.' or '?' ? "" : ".")}"));
    }

    /// <summary>
    /// The caller's project, which nobody else changes until the transaction ends: neither another call nor a seed. Configuration is of
    /// both worlds, so that a test key must not change, in a live project, what live customers pay, nor read who they are.
    /// </summary>
    public static async Task<Project> LockAsync(SessionsDb db, Principal caller, CancellationToken token)
    {
        await db.LockProjectAsync(caller.Project, token);
        return await FindAsync(db, caller, token);
    }

    /// <inheritdoc cref="LockAsync"/>
    public static async Task<Project> FindAsync(SessionsDb db, Principal caller, CancellationToken token)
    {
        var project = await db.Projects.SingleAsync(project => project.Id == caller.Project, token);
        return caller.Test && !project.Test ? throw new ProblemException(Problems.LiveKeyNeeded) : project;
    }
}
