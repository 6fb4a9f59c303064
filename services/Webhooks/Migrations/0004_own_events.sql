-- What this service tells itself: that an endpoint was disabled. It goes the way of every other event.

alter table endpoint add column disablings bigint not null default 0; -- the number of the last one that was told

create table outbox_message (
    id            uuid primary key,
    type          text        not null,
    body          jsonb       not null,
    created_at    timestamptz not null,
    claimed_until timestamptz not null default 'epoch',
    attempts      integer     not null default 0,
    subject       uuid,
    position      bigint      not null generated always as identity
);
create index outbox_message_by_position on outbox_message (position);
create index outbox_message_by_subject on outbox_message (subject, position);

-- Of customers and their payments somebody proves that no number is missing. What has its number by what it is, and what an endpoint is told
-- of itself or of another one, nobody counts, so no row is to outlive it.
create or replace function remember_what_is_forgotten() returns trigger language plpgsql as $$
begin
    insert into forgotten (subject, until)
    select subject, max(sequence) from gone
    where type not in ('webhook.test', 'webhook_endpoint.disabled', 'customer.created', 'key.created', 'key.revoked')
    group by subject order by subject
    on conflict (subject) do update set until = greatest(forgotten.until, excluded.until);
    return null;
end $$;
