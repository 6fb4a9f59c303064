-- People who call as members of an organization, for all of its projects or for one; a client for one customer of one project.

create table member (
    id              uuid primary key,
    organization_id uuid        not null references organization,
    project_id      uuid references project,  -- null: all of the organization's
    customer_id     uuid references customer, -- a client's
    role            text        not null,
    email           text,                     -- null, as the name, when the member was removed
    name            text,
    created_at      timestamptz not null,
    last_used_at    timestamptz,
    removed_at      timestamptz,
    check ((role = 'client') = (customer_id is not null)),
    check (customer_id is null or project_id is not null),
    check ((email is null) = (removed_at is not null))
);
-- Once in each place: what is absent counts as a value of its own.
create unique index member_by_email on member (
    organization_id, coalesce(project_id, organization_id), coalesce(customer_id, organization_id), email)
    where removed_at is null;
create index member_by_customer on member (customer_id) where customer_id is not null;

-- What a member calls with: in one project and one world, until it ends.
create table member_token (
    id                 uuid primary key,
    member_id          uuid        not null references member,
    project_id         uuid        not null references project,
    test               boolean     not null,
    hash               bytea       not null unique,
    sealed_fingerprint text        not null,
    created_at         timestamptz not null,
    expires_at         timestamptz not null,
    revoked_at         timestamptz
);
create index member_token_by_member on member_token (member_id);
create index member_token_by_end on member_token (expires_at);
