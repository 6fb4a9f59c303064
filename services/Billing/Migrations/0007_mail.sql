-- Mail that is to be sent, written with what it tells of, and who wants to be told what.

create table mail (
    id         uuid primary key,           -- of what it tells: that is mailed once
    recipient  text        not null,
    subject    text        not null,
    body       text        not null,
    status     text        not null default 'waiting' check (status in ('waiting', 'sent', 'failed')),
    attempts   integer     not null default 0,
    next_at    timestamptz not null default now(), -- nobody takes it before: it waits, or somebody sends it
    reason     text,                       -- why the latest attempt has failed
    created_at timestamptz not null default now(),
    sent_at    timestamptz
);
create index mail_waiting on mail (next_at) where status = 'waiting';
create index mail_by_age on mail (created_at);

create table alert (
    project    uuid        not null,
    test       boolean     not null,
    email      text        not null,
    events     text[]      not null,
    changed_at timestamptz not null default now(),
    primary key (project, test)
);
