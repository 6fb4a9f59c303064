-- A secret key that may do some things alone, or ends, and when it was last used.

alter table secret_key
    add column permissions text[], -- null: all; empty: none
    add column expires_at timestamptz,
    add column last_used_at timestamptz;
