-- How many tokens a family was refreshed into, since when. A bound for each token alone grew with every token.
alter table session_family
    add column refreshes integer not null default 0,
    add column refreshes_since timestamptz not null default now();
alter table session drop column successors;
