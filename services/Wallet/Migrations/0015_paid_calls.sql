-- Paid calls with an Idempotency-Key: what each key stands for now, and the answer that a repetition gets.

-- One table, purged in bounded rounds, not partitioned by day: that a key is taken once must hold across midnight, and a unique
-- index over partitions would have to contain the day.
create table paid_call (
    id         uuid        primary key, -- follows from owner, route and key
    owner      uuid        not null,    -- a customer, or a credential without one
    request_id uuid        not null,    -- the request that runs under the key, or ran
    holder     text        not null,    -- its proxy
    input_hash bytea       not null,
    state      smallint    not null,    -- 0 running, 1 running and doubted, 2 free, 3 charged without an answer, 4 answered
    until      timestamptz not null,    -- the key is taken until then; of a running call: its proxy must be heard before
    sealed     bytea,                   -- the answer
    total      bigint,                  -- bytes of all answers that the owner has had up to this one
    constraint paid_call_is_of_one_request unique (request_id),
    constraint paid_call_state check (state between 0 and 4),
    constraint paid_call_has_its_answer check ((state = 4) = (sealed is not null) and (state = 4) = (total is not null))
);
-- Ciphertext does not compress.
alter table paid_call alter column sealed set storage external;

-- What an owner has kept is the difference between its newest total and its oldest: nothing is summed up.
create index paid_call_by_owner on paid_call (owner, total) where state = 4;
create index paid_call_by_holder on paid_call (holder) where state <= 1;
create index paid_call_by_end on paid_call (until);
