-- A secret key that may do some things alone, or ends.

alter table secret_key
    add column permissions text[], -- null: all; empty: none
    add column expires_at timestamptz;
