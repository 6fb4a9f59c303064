-- A provider may have several keys, chosen by weight. An address that a tenant set must be a public one.

create table provider_key (
    project_id    uuid    not null,
    provider_id   text    not null,
    position      integer not null,
    sealed_secret text    not null,
    weight        integer not null check (weight > 0),
    primary key (project_id, provider_id, position),
    foreign key (project_id, provider_id) references provider
);
insert into provider_key (project_id, provider_id, position, sealed_secret, weight)
    select project_id, id, 0, sealed_secret, 1 from provider where sealed_secret is not null;
alter table provider drop column sealed_secret, add column tenant boolean not null default false;
