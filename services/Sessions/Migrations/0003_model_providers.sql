-- A model may be had from several providers, tried in order; each may have its own name for it and its own prices.

create table model_provider (
    project_id     uuid    not null,
    model_id       text    not null,
    provider_id    text    not null,
    position       integer not null,
    upstream_model text    not null,
    own_prices     boolean not null, -- false: the model's
    primary key (project_id, model_id, provider_id),
    foreign key (project_id, model_id) references model,
    foreign key (project_id, provider_id) references provider
);
insert into model_provider (project_id, model_id, provider_id, position, upstream_model, own_prices)
    select project_id, id, provider_id, 0, upstream_model, false from model;
alter table model drop column provider_id, drop column upstream_model;

alter table price_version add column provider_id text; -- null: wherever the model is had from
drop index price_version_newest_first;
create index price_version_newest_first on price_version (project_id, model_id, provider_id, valid_from desc);
