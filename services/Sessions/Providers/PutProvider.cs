using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>PUT /v1/providers/{id}</c> with a provider as a seed file has it. A secret that is absent stays as it is while the connection does.
/// A connection that a tenant changes must be to a public address, and does not leave a customer's batch behind.
/// </summary>
public static class PutProvider
{
    static readonly Problem InUse = Problems.Conflict(
        "provider_in_use",
        "A customer's batch is open at this provider, and its cost could not be asked at another host or by another wire. Have the models "
        + "from another provider; this one can be moved when the batch is settled, or two days old.");

    public static void MapPutProvider(this WebApplication app) => app.MapPut("/v1/providers/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, SessionsDb db, Envelope envelope, PrivateHosts hosts, HotCopies copies, TimeProvider time,
        CancellationToken token)
    {
        var caller = http.Backend();
        var seed = await SeedPart.ReadAsync<SeedProvider>(http);
        SeedPart.MustBeNamed(seed.Id, id);
        seed = seed with { Id = id };
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await SeedPart.LockAsync(db, caller, token);
        await DailyChanges.MustBeFewAsync(db, caller.Project, "provider.", token);
        var providers = await ProviderWriter.ReadAsync(db, envelope, caller.Project, token);
        seed = providers.WithStoredSecrets(seed);
        SeedPart.MustBeRight(SeedRules.Provider(seed, ""));
        MustBeNoVariable(seed);
        if (!providers.All.ContainsKey(id) && providers.All.Count >= SeedRules.MaxEntries)
            return Problems.Conflict("too_many_providers", $"A project may have {SeedRules.MaxEntries} providers. Delete one first.");
        var now = time.GetUtcNow();
        if (providers.All.TryGetValue(id, out var stored) && ProviderWriter.IsElsewhere(seed, stored)
            && await OpenBatches.AreAtAsync(db, caller.Project, id, now - OpenBatches.HoldFor, token))
            return InUse;
        var provider = providers.Write(seed, tenant: true);
        if (provider.Tenant && PublicUrl.Mistake(provider.BaseUrl, hosts) is { } mistake)
            throw Fields.Invalid("baseUrl", mistake);
        var models = await ModelWriter.ReadAsync(db, caller.Project, [], providers.All, now, token);
        if (provider.Wire == ProviderWire.Http && models.NameOf(id) is { } named)
            throw Fields.Invalid("wire", $"must be a wire of models while the model '{named}' is had from this provider");
        if (models.OfOtherType(id) is { } mixed)
            throw Fields.Invalid("queryType", $"must be that of all providers of the model '{mixed}'");
        await db.SaveChangesAsync(token);
        await using (copies.ProjectChanging(caller.Project))
            await transaction.CommitAsync(CancellationToken.None);
        return Results.Json(ProviderWriter.Describe(provider), SeedPart.Shown);
    }

    /// <summary>An exported file has variables for secrets. Only at a start is there somebody who has set them.</summary>
    static void MustBeNoVariable(SeedProvider seed)
    {
        foreach (var (i, key) in seed.Secrets.Index())
            if (key.Value!.StartsWith("${", StringComparison.Ordinal))
                throw Fields.Invalid(
                    seed.Keys is null ? "auth.value" : $"keys[{i}].value", "must be the secret itself: variables are for seed files");
    }
}
