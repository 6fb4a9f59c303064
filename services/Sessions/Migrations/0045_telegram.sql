-- Telegram bots whose Mini Apps make sessions of their own, and when their launch data was taken last.

create table telegram_bot (
    project_id          uuid    not null references project,
    id                  text    not null,
    sealed_token        text    not null,
    max_age_seconds     integer not null,
    mint_window_seconds integer not null,
    ttl_seconds         integer not null,
    primary key (project_id, id)
);

-- By the hash that Telegram has signed the data with: however it is written, it is the same.
create table telegram_mint (
    project_id uuid        not null references project,
    hash       bytea       not null,
    minted_at  timestamptz not null,
    primary key (project_id, hash)
);
create index telegram_mint_by_time on telegram_mint (minted_at);
