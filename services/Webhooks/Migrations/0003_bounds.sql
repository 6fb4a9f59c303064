-- Made active again: what was tried in vain before is due as if for the first time. The worker that holds the endpoint next sees to it, in
-- rounds, and takes the mark away.
alter table endpoint add column begins_anew boolean not null default false;
create index delivery_tried on delivery (endpoint) where state = 0 and tries > 0;

-- A replay reads its own project's events alone.
create index event_by_project on event (project, test, created);

-- Tests count in their endpoint, and go with it. A row in forgotten would outlive it.
alter table endpoint add column tests bigint not null default 0;
update endpoint set tests = until from forgotten where subject = id;
delete from forgotten where subject in (select id from endpoint)
    or subject in (select subject from event where type = 'webhook.test');

create or replace function remember_what_is_forgotten() returns trigger language plpgsql as $$
begin
    insert into forgotten (subject, until)
    select subject, max(sequence) from gone where type <> 'webhook.test' group by subject order by subject
    on conflict (subject) do update set until = greatest(forgotten.until, excluded.until);
    return null;
end $$;
