-- Every event that owners' systems may be told of, as it is told: kept once, for 30 days.

create table event (
    id          uuid primary key,
    subject     uuid        not null, -- the customer, whose events are numbered
    sequence    bigint      not null,
    project     uuid        not null,
    test        boolean     not null,
    type        text        not null,
    created     timestamptz not null,
    received_at timestamptz not null default now(),
    body        text        not null, -- the bytes that are signed, sent and shown; made once
    constraint every_number_is_of_one_event unique (subject, sequence),
    constraint events_are_counted_from_one check (sequence > 0)
);
create index event_by_age on event (created);

-- The highest number of a subject that was deleted. What is missing below it is not looked for any more.
create table forgotten (
    subject uuid primary key,
    until   bigint not null
);

create function remember_what_is_forgotten() returns trigger language plpgsql as $$
begin
    insert into forgotten (subject, until) select subject, max(sequence) from gone group by subject order by subject
    on conflict (subject) do update set until = greatest(forgotten.until, excluded.until);
    return null;
end $$;
create trigger remember after delete on event referencing old table as gone
    for each statement execute function remember_what_is_forgotten();
