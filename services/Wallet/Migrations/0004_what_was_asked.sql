-- What a credit or debit was asked for, so that its id cannot stand for another one. Null in older rows and in movements of other kinds.
-- The names are those of no table beside it, so that the queries of an instance of the version before stay unambiguous.
alter table transfer add column wallet uuid, add column asked bigint;
