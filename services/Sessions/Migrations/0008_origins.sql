-- Null allows every origin, which an empty list did until now. An empty list allows none.
alter table project alter column allowed_origins drop not null;
update project set allowed_origins = null where allowed_origins = '{}';
