-- What vendors' models can do and cost, for projects that do not say it themselves. Prices are kept for ever: usage rows refer to them.

create table catalogue_model (
    vendor            text   not null,
    id                text   not null,
    kind              text   not null,
    context_tokens    bigint check (context_tokens > 0), -- null: not stated
    max_output_tokens bigint not null check (max_output_tokens >= 0),
    primary key (vendor, id)
);

create table catalogue_price (
    id         uuid primary key,
    vendor     text        not null,
    model_id   text        not null,
    prices     jsonb       not null,
    valid_from timestamptz not null,
    imported   boolean     not null, -- false: from the file that comes with the gateway
    source     text        not null,
    checked_on date        not null,
    foreign key (vendor, model_id) references catalogue_model
);
create index catalogue_price_newest_first on catalogue_price (model_id, vendor, valid_from desc);
create trigger final before update or delete or truncate on catalogue_price execute function price_versions_are_final();

-- What a model leaves open is the catalogue's.
alter table model alter column kind drop not null, alter column context_tokens drop not null, alter column max_output_tokens drop not null;
