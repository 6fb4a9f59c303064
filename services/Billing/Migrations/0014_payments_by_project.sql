-- The list of all payments of a project, newest first.
create index payment_by_project on payment (project, test, id desc);
