-- What a seed file has made and said, so that it finds its own again, and how many prices were new lately.

-- The name under which a seed file made the key without bringing one. Until now files alone made keys.
alter table secret_key add column seed_name text;
update secret_key set seed_name = name from (
    select distinct on (k.project_id, k.name) k.id from secret_key k join project p on p.id = k.project_id
    where k.test = p.test order by k.project_id, k.name, k.created_at, k.id) oldest
where secret_key.id = oldest.id;
create unique index secret_key_seed_name on secret_key (project_id, seed_name) where seed_name is not null;

-- A hash of what the files said of the project when they were applied last, sealed: there are secrets in what they said.
alter table project add column sealed_seed text;

create index price_version_by_time on price_version (project_id, valid_from);
