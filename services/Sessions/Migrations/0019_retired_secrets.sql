-- A key that is rotated keeps its id, and with it its limits and what was used of them. The secrets that it had before are kept, so that a
-- seed file that still has one does not bring it back; the latest of them may be good for a while. Each has an id of its own, because a
-- fingerprint opens only with the id that it was sealed for.

create table retired_secret (
    id                 uuid primary key,
    key_id             uuid        not null references customer_key on delete cascade,
    hash               bytea       not null unique,
    sealed_fingerprint text        not null,
    expires_at         timestamptz not null
);
create index retired_secret_by_key on retired_secret (key_id);
