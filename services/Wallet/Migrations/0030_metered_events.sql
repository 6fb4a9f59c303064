-- What backends have counted themselves: each event is booked once, for ever.

create table metered_event (
    project    uuid        not null,
    test       boolean     not null,
    event      text        not null,
    input_hash bytea       not null,
    request_id uuid        not null,
    claimed_at timestamptz not null,
    booked_at  timestamptz, -- null: not charged, because it was refused or its proxy died
    primary key (project, test, event),
    constraint metered_event_is_of_one_request unique (request_id)
);
