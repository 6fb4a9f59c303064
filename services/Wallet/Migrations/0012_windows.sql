-- Windows: client sessions, open until a day after their last message. Each takes one unit of its counters when it opens.

create table session_window (
    id        uuid primary key,     -- derived from the customer, what is counted and the client's name of the session, which is not kept
    owner     uuid        not null, -- the customer
    closes_at timestamptz not null,
    openings  integer     not null
) with (fillfactor = 70); -- each message moves the close: leave room for updates in place

create table window_opening (
    register   uuid        not null, -- the counter that gave a unit
    session    uuid        not null, -- the window
    created_at timestamptz not null,
    constraint window_opens_once primary key (register, session, created_at)
);
create trigger final before update or delete or truncate on window_opening execute function ledger_rows_are_final();
