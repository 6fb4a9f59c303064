-- What owners are told of their customers' money and limits, and in which order messages are published.

alter table customer add low_balance_nanos bigint;   -- null: its project's
alter table project  add limit_thresholds  integer[]; -- percentages of limits; null: the usual ones

-- Messages leave in the order in which they were written, those of one subject one after the other.
alter table outbox_message
    add subject  uuid,
    add position bigint not null generated always as identity;
drop index outbox_message_by_claim;
create index outbox_message_by_position on outbox_message (position);
create index outbox_message_by_subject on outbox_message (subject, position);
