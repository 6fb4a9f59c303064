-- Paths of a provider below which it takes raw calls; null: where its wire takes them.
alter table provider add column raw_paths text[];

-- Routes of a project's own, each as its seed file or a call has said it (JSON).
create table project_route (
    project_id uuid not null references project,
    id         text not null,
    definition text not null,
    -- Of a route that everybody may call: where. A call there has no credential that could say whose it is.
    public_host text,
    primary key (project_id, id)
);
create index project_route_public_host on project_route (public_host) where public_host is not null;
