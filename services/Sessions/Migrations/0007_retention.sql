-- To find the rows whose time is over.
create index session_by_expiry on session (expires_at);
create index session_family_by_age on session_family (created_at);
