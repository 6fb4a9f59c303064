-- What a credit or debit was asked for, so that its id cannot stand for another one. Null in older rows and in movements of other kinds.
alter table transfer add column account uuid, add column amount bigint;
