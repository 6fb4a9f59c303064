-- The list of all payments of a project, newest first.
create index payment_by_project on payment (project, test, id desc);

-- Who has asked for what is usually mailed is told of endpoints that are disabled, too.
update alert set events = array_append(events, 'webhook_endpoint.disabled')
where cardinality(events) = 4 and events @> array['limit.threshold', 'payout.failed', 'wallet.exhausted', 'wallet.low_balance'];
