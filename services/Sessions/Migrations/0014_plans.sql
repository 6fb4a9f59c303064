-- What a project sells by the month, and who has it.

create table plan (
    project_id        uuid    not null references project,
    id                text    not null,
    name              text    not null,
    price_nanos       bigint  not null check (price_nanos >= 0),
    tokens            bigint  check (tokens >= 0),            -- null: as many as one likes
    tokens_per_minute integer check (tokens_per_minute > 0),
    overage_picos     bigint  check (overage_picos >= 0),     -- USD per million tokens, in pico-dollars; null: blocked
    trial_days        integer not null check (trial_days >= 0),
    last_term_full    boolean not null,                       -- a term that the plan's end cuts has its whole quota
    stripe_price      text,
    primary key (project_id, id)
);

-- One plan at a time. Its id is what the counters of its quota are derived from: it stays when the plan is changed for another.
create table customer_plan (
    customer_id uuid        primary key references customer,
    id          uuid        not null unique,
    project_id  uuid        not null,
    plan_id     text        not null,
    starts_at   timestamptz not null,
    ends_at     timestamptz check (ends_at > starts_at),
    foreign key (project_id, plan_id) references plan
);
