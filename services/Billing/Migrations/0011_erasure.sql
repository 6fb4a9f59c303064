-- Customers that were deleted: what is to be forgotten of them here and at Stripe. Their rows stay, so that no card is kept that a page
-- saves after all.
create table erasure (
    customer uuid        primary key,
    wallet   uuid        not null unique,
    attempts smallint    not null default 0, -- in vain
    due_at   timestamptz not null default now(),
    done_at  timestamptz
);
create index erasure_by_time on erasure (due_at) where done_at is null;

-- What an event is about, so that its bytes are found when they are to be forgotten. Earlier events have none, and leave after 90 days.
alter table stripe_event
    add about text,
    add intent text,
    add holder text;
create index stripe_event_by_object on stripe_event (about) where about is not null;
create index stripe_event_by_intent on stripe_event (intent) where intent is not null;
create index stripe_event_by_holder on stripe_event (holder) where holder is not null;

create index mail_by_customer on mail (customer) where customer is not null;
