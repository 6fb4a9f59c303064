-- Something that only the database's own master key opens, and something that only its pepper makes.
create table key_check (
    setting text primary key,
    proof text not null
);
