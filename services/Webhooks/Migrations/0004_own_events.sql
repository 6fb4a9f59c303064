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
