using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>PUT /v1/models/{id}</c> with a model as a seed file has it. Another price is a new version of it, in force for requests that are
/// admitted from now on; without <c>prices</c> the model keeps the price that it has.
/// </summary>
public static class PutModel
{
    /// <summary>Versions are kept for ever. An import of a whole catalogue may come a few times a day.</summary>
    const int MaxPricesADay = 10_000;

    static readonly TimeSpan OneHour = TimeSpan.FromHours(1);

    public static void MapPutModel(this WebApplication app) => app.MapPut("/v1/models/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(
        string id, HttpContext http, SessionsDb db, Envelope envelope, HotCopies copies, TimeProvider time, CancellationToken token)
    {
        var (caller, name) = (http.Backend(), SeedPart.NameIn(id));
        var seed = await SeedPart.ReadAsync<SeedModel>(http);
        SeedPart.MustBeNamed(seed.Id, name);
        seed = seed with { Id = name };
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await SeedPart.LockAsync(db, caller, token);
        await DailyChanges.MustBeFewAsync(db, caller.Project, "model", token, DailyChanges.MaxOfModels);
        var now = time.GetUtcNow();
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
        if (models.NewPrices > 0 && await AreTooManyAsync(db, caller.Project, now.AddDays(-1), token))
            return Problems.RateLimited($"A project may have {MaxPricesADay} new prices a day.", OneHour);
        await db.SaveChangesAsync(token);
        await using (copies.ProjectChanging(caller.Project))
            await transaction.CommitAsync(CancellationToken.None);
        return Results.Json(ModelWriter.Describe(model, models.Newest), SeedPart.Shown);
    }

    static async Task<bool> AreTooManyAsync(SessionsDb db, Guid project, DateTimeOffset since, CancellationToken token) =>
        await db.PriceVersions.Where(version => version.ProjectId == project && version.ValidFrom > since)
            .Take(MaxPricesADay).CountAsync(token) == MaxPricesADay;
}
