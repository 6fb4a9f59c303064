-- Plans that a subscription gives, and how long they are served when nobody pays.

alter table plan
    add column grace_days       integer check (grace_days >= 0), -- null: as long as Stripe tries
    add column overage_invoiced boolean not null default false;  -- by the subscription; false: the wallet pays it

alter table customer_plan
    add column subscription   uuid,                       -- null: nobody pays for it
    add column version        bigint      not null default 0, -- of what Billing has said last
    add column anchor         timestamptz,                -- from which months are counted; null: starts_at
    add column paid_to        timestamptz,                -- a month that begins from here on has no quota of its own yet
    add column changed_month  timestamptz,                -- the month in which the plan was changed for another
    add column changed_tokens bigint,                     -- of that month
    add constraint a_subscription_says_from_when_to_when
        check ((subscription is null) = (anchor is null) and (subscription is null) = (paid_to is null)),
    add constraint a_changed_month_has_tokens check ((changed_month is null) = (changed_tokens is null));
