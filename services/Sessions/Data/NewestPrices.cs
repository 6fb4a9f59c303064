using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// The newest version of each price. Versions are kept for ever, so each is found by the index, however many there are: whoever changes
/// prices often must not make reading dear for all. A model has a price, and at some providers one of its own.
/// </summary>
public static class NewestPrices
{
    /// <summary>
    /// Prices of models that are on offer. The newest is in force, whatever a clock says: one that is behind would not see it yet, and have
    /// the price before it copied for a minute.
    /// </summary>
    public static Task<List<PriceVersion>> CurrentPricesAsync(this SessionsDb db, IReadOnlyList<Guid> projects, CancellationToken token)
    {
        var ids = projects.ToArray();
        // The provider stands in the order because it does in the index, which is then read from its newest version on.
        return db.PriceVersions.FromSql($"""
            select newest.* from model
            cross join lateral (
                select * from price_version
                where project_id = model.project_id and model_id = model.id and provider_id is null
                order by provider_id, valid_from desc, id desc limit 1) newest
            where model.project_id = any({ids})
                and exists (select 1 from model_provider where project_id = model.project_id and model_id = model.id)
            union all
            select newest.* from model_provider offer
            cross join lateral (
                select * from price_version
                where project_id = offer.project_id and model_id = offer.model_id and provider_id = offer.provider_id
                order by provider_id, valid_from desc, id desc limit 1) newest
            where offer.project_id = any({ids}) and offer.own_prices
            """).AsNoTracking().ToListAsync(token);
    }

    /// <summary>
    /// What a new version comes after: the newest of each of these models' prices, also where the model or the offer is not there any more.
    /// </summary>
    public static Task<List<PriceVersion>> PricesBeforeAsync(
        this SessionsDb db, Guid project, IReadOnlyList<SeedModel> models, CancellationToken token)
    {
        var offers = models.SelectMany(model => model.Offers.Where(offer => offer.Prices is not null), (model, offer) => (model, offer))
            .ToList();
        string[] names = [.. models.Select(model => model.Id)];
        string[] offered = [.. offers.Select(one => one.model.Id)], providers = [.. offers.Select(one => one.offer.Id)];
        return db.PriceVersions.FromSql($"""
            select newest.* from unnest({names}) as wanted (model_id)
            cross join lateral (
                select * from price_version
                where project_id = {project} and model_id = wanted.model_id and provider_id is null
                order by provider_id, valid_from desc, id desc limit 1) newest
            union all
            select newest.* from unnest({offered}, {providers}) as wanted (model_id, provider_id)
            cross join lateral (
                select * from price_version
                where project_id = {project} and model_id = wanted.model_id and provider_id = wanted.provider_id
                order by provider_id, valid_from desc, id desc limit 1) newest
            """).AsNoTracking().ToListAsync(token);
    }
}
