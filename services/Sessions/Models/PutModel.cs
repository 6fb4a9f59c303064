using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>PUT /v1/models/{id}</c> with a model as a seed file has it. Another price is a new version of it, in force for requests that are
/// admitted from now on; without <c>prices</c> the model keeps the price that it has.
/// </summary>
public static class PutModel
{
    public static void MapPutModel(this WebApplication app) => app.MapPut("/v1/models/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, SessionsDb db, Envelope envelope, HotCopies copies, TimeProvider time, CancellationToken token)
    {
        var (caller, name, now) = (http.Backend(), SeedPart.NameIn(id), time.GetUtcNow());
        var seed = await SeedPart.ReadAsync<SeedModel>(http);
        SeedPart.MustBeNamed(seed.Id, name);
        seed = seed with { Id = name };
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await SeedPart.LockAsync(db, caller, token);
        var providers = (await ProviderWriter.ReadAsync(db, envelope, caller.Project, token)).All;
        SeedPart.MustBeRight(
        [
            .. SeedRules.Model(
                seed, "", [.. providers.Keys],
                [.. providers.Values.Where(provider => provider.Wire == ProviderWire.Http).Select(provider => provider.Id)]),
            .. SeedRules.OneQueryType(seed, "", [.. providers.Values.Select(ProviderWriter.Describe)]),
        ]);
        var models = await ModelWriter.ReadAsync(db, caller.Project, [seed], providers, now, token);
        if (!models.Has(name) && models.Count >= SeedRules.MaxEntries)
            return Problems.Conflict("too_many_models", $"A project may have {SeedRules.MaxEntries} models. Delete one first.");
        Model model;
        try
        {
            model = models.Write(seed, "");
        }
        catch (SeedException e)
        {
            throw SeedPart.Refused(e.Message);
        }
        await db.SaveChangesAsync(token);
        await using (copies.ProjectChanging(caller.Project))
            await transaction.CommitAsync(CancellationToken.None);
        var prices = ReadProject.ByOffer(await db.CurrentPricesAsync([caller.Project], now, CancellationToken.None));
        return Results.Json(ModelWriter.Describe(model, prices), SeedPart.Shown);
    }
}
