-- Which session took a unit of which counter is forgotten when the session is long over or its customer is erased. How many units there
-- were stays in counter_opening.

drop trigger final on window_opening;
create trigger final before update or truncate on window_opening execute function ledger_rows_are_final();
create index window_opening_by_time on window_opening (created_at);
create index session_window_by_owner on session_window (owner);
