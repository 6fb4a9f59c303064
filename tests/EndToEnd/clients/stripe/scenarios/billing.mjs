// Test clocks, products, prices, meters, subscriptions, invoices, checkout, portal, tax.
import assert from 'node:assert/strict';
import { fails, scenario } from '../suite.mjs';

const day = 86400;
const start = Math.floor(Date.UTC(2026, 0, 31, 12) / 1000);
const at = (year, month, date) => Math.floor(Date.UTC(year, month - 1, date, 12) / 1000);

async function advance(world, clock, to) {
  await world.stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: to });
  const done = await world.stripe.testHelpers.testClocks.retrieve(clock.id);
  assert.equal(done.status, 'ready');
}

/** A customer under a test clock, with a card, and a plan of a flat price. */
async function subscriber(world, { method = 'pm_card_visa', amount = 2900, more = {} } = {}) {
  const { stripe } = world;
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: start });
  const customer = await stripe.customers.create({ email: 'a@example.com', test_clock: clock.id, ...more });
  if (method) {
    const attached = await stripe.paymentMethods.attach(method, { customer: customer.id });
    await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: attached.id } });
  }
  const product = await stripe.products.create({ name: 'Starter' });
  const price = await stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: amount, recurring: { interval: 'month' } });
  return { clock, customer, product, price };
}

scenario('products and prices', async ({ stripe }) => {
  const product = await stripe.products.create({ name: 'Pro', metadata: { plan: 'pro' } });
  const price = await stripe.prices.create({
    product: product.id, currency: 'usd', unit_amount: 9900, recurring: { interval: 'month' }, lookup_key: 'pro',
  });
  assert.deepEqual([price.unit_amount, price.unit_amount_decimal.toString(), price.type], [9900, '9900', 'recurring']);
  assert.equal((await stripe.prices.list({ lookup_keys: ['pro'] })).data[0].id, price.id);
  await fails(stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 1, lookup_key: 'pro' }), { param: 'lookup_key' });
  await fails(stripe.products.del(product.id), { statusCode: 400 });
  assert.equal((await stripe.products.update(product.id, { active: false })).active, false);
  assert.equal((await stripe.products.list({ active: true })).data.length, 0);
  assert.equal((await stripe.prices.update(price.id, { nickname: 'x' })).nickname, 'x');
});

scenario('prices of fractions of a cent, in tiers', async ({ stripe }) => {
  const meter = await stripe.billing.meters.create({
    display_name: 'Tokens', event_name: 'tokens', default_aggregation: { formula: 'sum' },
  });
  const price = await stripe.prices.create({
    currency: 'usd', product_data: { name: 'Tokens' }, billing_scheme: 'tiered', tiers_mode: 'graduated',
    recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
    tiers: [{ up_to: 100_000, unit_amount: 0 }, { up_to: 'inf', unit_amount_decimal: '0.2' }],
    expand: ['tiers'],
  });
  assert.equal(price.unit_amount, null);
  assert.deepEqual(price.tiers.map(tier => [tier.up_to, tier.unit_amount, tier.unit_amount_decimal.toString()]), [
    [100_000, 0, '0'], [null, null, '0.2'],
  ]);
  assert.equal((await stripe.prices.retrieve(price.id)).tiers, undefined);
});

scenario('prices that cannot be', async ({ stripe }) => {
  const data = { currency: 'usd', product_data: { name: 'x' } };
  await fails(stripe.prices.create(data), { param: 'unit_amount' });
  await fails(stripe.prices.create({ ...data, unit_amount: -1 }), { param: 'unit_amount' });
  await fails(stripe.prices.create({ ...data, unit_amount: 1, recurring: { interval: 'month', usage_type: 'metered' } }), {
    param: 'recurring[meter]',
  });
  await fails(stripe.prices.create({ ...data, billing_scheme: 'tiered', tiers_mode: 'graduated', tiers: [{ up_to: 5, unit_amount: 1 }] }), {
    param: 'tiers[0][up_to]',
  });
  await fails(stripe.prices.create({ currency: 'usd', unit_amount: 1, product: 'prod_nothing' }), { code: 'resource_missing' });
});

scenario('a subscription renews every month, from the 31st to the 31st', async world => {
  const { clock, customer, price } = await subscriber(world);
  const subscription = await world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  assert.equal(subscription.status, 'active');
  assert.equal(subscription.items.data[0].current_period_end, at(2026, 2, 28));
  await advance(world, clock, at(2026, 2, 28) + 2 * 3600);
  await advance(world, clock, at(2026, 3, 31) + 2 * 3600);
  const invoices = (await world.stripe.invoices.list({ subscription: subscription.id })).data;
  assert.deepEqual(invoices.map(each => [each.status, each.amount_paid, each.billing_reason]), [
    ['paid', 2900, 'subscription_cycle'], ['paid', 2900, 'subscription_cycle'], ['paid', 2900, 'subscription_create'],
  ]);
  const now = await world.stripe.subscriptions.retrieve(subscription.id);
  assert.equal(now.items.data[0].current_period_end, at(2026, 4, 30));
});

scenario('a renewal is a draft for an hour', async world => {
  const { clock, customer, price } = await subscriber(world);
  const subscription = await world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  await advance(world, clock, at(2026, 2, 28) + 60);
  const { data: [draft] } = await world.stripe.invoices.list({ subscription: subscription.id });
  assert.equal(draft.status, 'draft');
  await advance(world, clock, at(2026, 2, 28) + 3700);
  const paid = await world.stripe.invoices.retrieve(draft.id, { expand: ['payments.data.payment.payment_intent'] });
  assert.equal(paid.status, 'paid');
  assert.equal(paid.payments.data[0].payment.payment_intent.status, 'succeeded');
  assert.equal(paid.created, at(2026, 2, 28));
});

scenario('a subscription waits for its first payment', async world => {
  const { customer, price } = await subscriber(world, { method: null });
  const subscription = await world.stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }], payment_behavior: 'default_incomplete',
    payment_settings: { save_default_payment_method: 'on_subscription' }, expand: ['latest_invoice.confirmation_secret'],
  });
  assert.equal(subscription.status, 'incomplete');
  const secret = subscription.latest_invoice.confirmation_secret.client_secret;
  await world.client(`pk_test_${world.name}`).paymentIntents.confirm(secret.split('_secret_')[0], {
    client_secret: secret, payment_method_data: { type: 'card', card: { number: '4242424242424242', exp_month: 1, exp_year: 2040, cvc: '123' } },
  });
  const active = await world.stripe.subscriptions.retrieve(subscription.id);
  assert.equal(active.status, 'active');
  assert.match(active.default_payment_method, /^pm_/);
});

scenario('a subscription that is never paid expires', async world => {
  const { clock, customer, price } = await subscriber(world, { method: null });
  const subscription = await world.stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }], payment_behavior: 'default_incomplete',
  });
  await advance(world, clock, start + day);
  assert.equal((await world.stripe.subscriptions.retrieve(subscription.id)).status, 'incomplete_expired');
});

scenario('a first payment that is declined is an error, if wished', async world => {
  const { customer, price } = await subscriber(world, { method: 'pm_card_chargeCustomerFail' });
  await fails(
    world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }], payment_behavior: 'error_if_incomplete' }),
    { statusCode: 402, code: 'card_declined' },
  );
  assert.equal((await world.stripe.subscriptions.list({ status: 'all' })).data.length, 0);
});

scenario('a renewal that fails is tried again, and ends the subscription at last', async world => {
  const { clock, customer, price } = await subscriber(world);
  const subscription = await world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const bad = await world.stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: customer.id });
  await world.stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: bad.id } });
  await advance(world, clock, at(2026, 2, 28) + 2 * 3600);
  assert.equal((await world.stripe.subscriptions.retrieve(subscription.id)).status, 'past_due');
  const { data: [open] } = await world.stripe.invoices.list({ subscription: subscription.id });
  assert.deepEqual([open.status, open.attempt_count], ['open', 1]);
  assert.ok(open.next_payment_attempt > open.created);
  await advance(world, clock, at(2026, 3, 20));
  assert.equal((await world.stripe.subscriptions.retrieve(subscription.id)).status, 'canceled');
  assert.equal((await world.stripe.invoices.retrieve(open.id)).attempt_count, 4);
});

scenario('a renewal that fails is healed by another card', async world => {
  const { clock, customer, price } = await subscriber(world);
  const subscription = await world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const bad = await world.stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: customer.id });
  await world.stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: bad.id } });
  await advance(world, clock, at(2026, 2, 28) + 2 * 3600);
  const { data: [open] } = await world.stripe.invoices.list({ subscription: subscription.id });
  const good = await world.stripe.paymentMethods.attach('pm_card_mastercard', { customer: customer.id });
  assert.equal((await world.stripe.invoices.pay(open.id, { payment_method: good.id })).status, 'paid');
  assert.equal((await world.stripe.subscriptions.retrieve(subscription.id)).status, 'active');
});

scenario('a trial ends with the first invoice', async world => {
  const { clock, customer, price } = await subscriber(world);
  const subscription = await world.stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }], trial_period_days: 14,
  });
  assert.equal(subscription.status, 'trialing');
  await advance(world, clock, start + 14 * day + 2 * 3600);
  assert.equal((await world.stripe.subscriptions.retrieve(subscription.id)).status, 'active');
  assert.equal((await world.stripe.invoices.list({ subscription: subscription.id })).data[0].amount_paid, 2900);
  const types = (await world.stripe.events.list({ limit: 100 })).data.map(event => event.type);
  assert.ok(types.includes('customer.subscription.trial_will_end'));
});

scenario('an upgrade in the middle costs the difference', async world => {
  const { clock, customer, product, price } = await subscriber(world);
  const pro = await world.stripe.prices.create({
    product: product.id, currency: 'usd', unit_amount: 9900, recurring: { interval: 'month' },
  });
  const subscription = await world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  await advance(world, clock, start + 14 * day);
  const item = subscription.items.data[0].id;
  const preview = await world.stripe.invoices.createPreview({
    subscription: subscription.id, subscription_details: { items: [{ id: item, price: pro.id }], proration_behavior: 'always_invoice' },
  });
  assert.equal(preview.total, 3500);
  const changed = await world.stripe.subscriptions.update(subscription.id, {
    items: [{ id: item, price: pro.id }], proration_behavior: 'always_invoice', expand: ['latest_invoice'],
  });
  assert.equal(changed.items.data[0].price.id, pro.id);
  assert.deepEqual([changed.latest_invoice.status, changed.latest_invoice.total], ['paid', 3500]);
  assert.deepEqual(changed.latest_invoice.lines.data.map(line => line.amount), [-1450, 4950]);
});

scenario('a downgrade is credited on the next invoice', async world => {
  const { clock, customer, product, price } = await subscriber(world, { amount: 9900 });
  const starter = await world.stripe.prices.create({
    product: product.id, currency: 'usd', unit_amount: 2900, recurring: { interval: 'month' },
  });
  const subscription = await world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  await advance(world, clock, start + 14 * day);
  await world.stripe.subscriptions.update(subscription.id, { items: [{ id: subscription.items.data[0].id, price: starter.id }] });
  await advance(world, clock, at(2026, 2, 28) + 2 * 3600);
  const { data: [invoice] } = await world.stripe.invoices.list({ subscription: subscription.id });
  // The credit is greater than the month: the rest waits as the customer's balance.
  assert.equal(invoice.total, 2900 - 3500);
  assert.equal(invoice.amount_due, 0);
  assert.equal((await world.stripe.customers.retrieve(customer.id)).balance, -600);
});

scenario('a subscription is canceled at the end of its period, or not after all', async world => {
  const { clock, customer, price } = await subscriber(world);
  const subscription = await world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const ending = await world.stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true });
  assert.equal(ending.cancel_at, at(2026, 2, 28));
  const kept = await world.stripe.subscriptions.update(subscription.id, { cancel_at_period_end: false });
  assert.equal(kept.cancel_at, null);
  await world.stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true });
  await advance(world, clock, at(2026, 3, 2));
  assert.equal((await world.stripe.subscriptions.retrieve(subscription.id)).status, 'canceled');
  assert.equal((await world.stripe.invoices.list({ subscription: subscription.id })).data.length, 1);
});

scenario('a subscription is canceled at once', async world => {
  const { customer, price } = await subscriber(world);
  const subscription = await world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const canceled = await world.stripe.subscriptions.cancel(subscription.id);
  assert.deepEqual([canceled.status, canceled.cancellation_details.reason], ['canceled', 'cancellation_requested']);
  await fails(world.stripe.subscriptions.cancel(subscription.id), { code: 'resource_missing' });
  await fails(world.stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true }), { statusCode: 400 });
});

scenario('usage above what is included is charged in fractions of a cent', async world => {
  const { clock, customer, price } = await subscriber(world);
  const meter = await world.stripe.billing.meters.create({
    display_name: 'Tokens', event_name: 'tokens', default_aggregation: { formula: 'sum' },
  });
  const metered = await world.stripe.prices.create({
    currency: 'usd', product_data: { name: 'Tokens' }, billing_scheme: 'tiered', tiers_mode: 'graduated',
    recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
    tiers: [{ up_to: 100_000, unit_amount: 0 }, { up_to: 'inf', unit_amount_decimal: '0.2' }],
  });
  const subscription = await world.stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }, { price: metered.id }],
  });
  const report = (value, identifier) => world.stripe.billing.meterEvents.create({
    event_name: 'tokens', identifier, payload: { stripe_customer_id: customer.id, value: String(value) },
  });
  await report(90_000, 'one');
  await report(12_345, 'two');
  await fails(report(12_345, 'two'), { param: 'identifier' });
  await advance(world, clock, start + 10 * day);
  const from = start - (start % 60);
  const summaries = await world.stripe.billing.meters.listEventSummaries(meter.id, {
    customer: customer.id, start_time: from, end_time: from + 20 * day,
  });
  assert.equal(summaries.data[0].aggregated_value, 102_345);
  await advance(world, clock, at(2026, 2, 28) + 2 * 3600);
  const { data: [invoice] } = await world.stripe.invoices.list({ subscription: subscription.id });
  // 2 345 tokens above the included ones at 0.2 cents are 469 cents, and the next month costs 2 900.
  assert.equal(invoice.total, 469 + 2900);
  assert.deepEqual(invoice.lines.data.map(line => line.amount).sort((a, b) => a - b), [0, 469, 2900]);
});

scenario('what is reported before the invoice is final still counts', async world => {
  const { clock, customer } = await subscriber(world);
  const meter = await world.stripe.billing.meters.create({ display_name: 'Calls', event_name: 'calls', default_aggregation: { formula: 'sum' } });
  const metered = await world.stripe.prices.create({
    currency: 'usd', product_data: { name: 'Calls' }, unit_amount: 10, recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
  });
  const subscription = await world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: metered.id }] });
  await advance(world, clock, at(2026, 2, 28) + 600);
  await world.stripe.billing.meterEvents.create({
    event_name: 'calls', timestamp: at(2026, 2, 28) - 60, payload: { stripe_customer_id: customer.id, value: '7' },
  });
  await advance(world, clock, at(2026, 2, 28) + 2 * 3600);
  assert.equal((await world.stripe.invoices.list({ subscription: subscription.id })).data[0].total, 70);
});

scenario('meters refuse what they cannot count', async world => {
  const { stripe } = world;
  const customer = await stripe.customers.create();
  const meter = await stripe.billing.meters.create({ display_name: 'M', event_name: 'm', default_aggregation: { formula: 'sum' } });
  const payload = { stripe_customer_id: customer.id, value: '1' };
  const now = Math.floor(Date.now() / 1000);
  await fails(stripe.billing.meterEvents.create({ event_name: 'other', payload }), { code: 'no_meter' });
  await fails(stripe.billing.meterEvents.create({ event_name: 'm', payload: { ...payload, value: '1.5' } }), { code: 'meter_event_invalid_value' });
  await fails(stripe.billing.meterEvents.create({ event_name: 'm', payload: { value: '1' } }), { code: 'meter_event_no_customer_defined' });
  await fails(stripe.billing.meterEvents.create({ event_name: 'm', payload: { ...payload, stripe_customer_id: 'cus_x' } }), {
    code: 'meter_event_customer_not_found',
  });
  await fails(stripe.billing.meterEvents.create({ event_name: 'm', payload, timestamp: now - 36 * day }), { code: 'timestamp_too_far_in_past' });
  await fails(stripe.billing.meterEvents.create({ event_name: 'm', payload, timestamp: now + 600 }), { code: 'timestamp_in_future' });
  assert.equal((await stripe.billing.meters.deactivate(meter.id)).status, 'inactive');
  await fails(stripe.billing.meterEvents.create({ event_name: 'm', payload }), { code: 'archived_meter' });
  assert.equal((await stripe.billing.meters.reactivate(meter.id)).status, 'active');
  assert.equal((await stripe.billing.meters.list()).data.length, 1);
});

scenario('a meter event is taken back', async world => {
  const { stripe } = world;
  const customer = await stripe.customers.create();
  const meter = await stripe.billing.meters.create({ display_name: 'M', event_name: 'm', default_aggregation: { formula: 'sum' } });
  await stripe.billing.meterEvents.create({ event_name: 'm', identifier: 'one', payload: { stripe_customer_id: customer.id, value: '5' } });
  const adjustment = await stripe.billing.meterEventAdjustments.create({ event_name: 'm', type: 'cancel', cancel: { identifier: 'one' } });
  assert.equal(adjustment.status, 'pending');
  await world.advance(10);
  const from = Math.floor(Date.now() / 60_000) * 60 - 600;
  const { data } = await stripe.billing.meters.listEventSummaries(meter.id, { customer: customer.id, start_time: from, end_time: from + 3600 });
  assert.equal(data[0].aggregated_value, 0);
});

scenario('an invoice by hand, from items to payment', async world => {
  const { customer } = await subscriber(world);
  await world.stripe.invoiceItems.create({ customer: customer.id, amount: 1500, currency: 'usd', description: 'Work' });
  const draft = await world.stripe.invoices.create({ customer: customer.id, pending_invoice_items_behavior: 'include', auto_advance: false });
  assert.deepEqual([draft.status, draft.total], ['draft', 1500]);
  await world.stripe.invoiceItems.create({ customer: customer.id, amount: 500, currency: 'usd', invoice: draft.id });
  const open = await world.stripe.invoices.finalizeInvoice(draft.id);
  assert.deepEqual([open.status, open.amount_due], ['open', 2000]);
  assert.match(open.number, /-0001$/);
  assert.match(await (await world.visit(open.hosted_invoice_url)).text(), /20\.00/);
  await fails(world.stripe.invoices.update(open.id, { description: 'x' }), { code: 'invoice_not_editable' });
  const paid = await world.stripe.invoices.pay(open.id);
  assert.deepEqual([paid.status, paid.amount_paid, paid.amount_remaining], ['paid', 2000, 0]);
  await fails(world.stripe.invoices.pay(open.id), { code: 'invoice_already_paid' });
  assert.equal((await world.stripe.invoices.listLineItems(open.id)).data.length, 2);
  assert.equal((await world.stripe.invoicePayments.list({ invoice: open.id })).data[0].status, 'paid');
});

scenario('invoices are voided, given up, paid elsewhere, deleted', async world => {
  const { customer } = await subscriber(world);
  const invoice = async () => {
    const made = await world.stripe.invoices.create({ customer: customer.id, auto_advance: false });
    await world.stripe.invoiceItems.create({ customer: customer.id, amount: 1500, currency: 'usd', invoice: made.id });
    return world.stripe.invoices.finalizeInvoice(made.id);
  };
  assert.equal((await world.stripe.invoices.voidInvoice((await invoice()).id)).status, 'void');
  assert.equal((await world.stripe.invoices.markUncollectible((await invoice()).id)).status, 'uncollectible');
  assert.equal((await world.stripe.invoices.pay((await invoice()).id, { paid_out_of_band: true })).status, 'paid');
  assert.equal((await world.stripe.invoices.sendInvoice((await invoice()).id)).status, 'open');
  const draft = await world.stripe.invoices.create({ customer: customer.id });
  assert.equal((await world.stripe.invoices.del(draft.id)).deleted, true);
});

scenario('tax comes on top, by the customer\'s country', async world => {
  const { customer, price } = await subscriber(world, { more: { address: { country: 'DE', city: 'Berlin' } } });
  const subscription = await world.stripe.subscriptions.create({
    customer: customer.id, items: [{ price: price.id }], automatic_tax: { enabled: true }, expand: ['latest_invoice'],
  });
  const invoice = subscription.latest_invoice;
  assert.deepEqual([invoice.subtotal, invoice.total_taxes[0].amount, invoice.total], [2900, 551, 3451]);
  assert.equal(invoice.lines.data[0].taxes[0].taxable_amount, 2900);
});

scenario('without an address there is no tax and no invoice', async world => {
  const { customer } = await subscriber(world);
  const draft = await world.stripe.invoices.create({ customer: customer.id, automatic_tax: { enabled: true }, auto_advance: false });
  await world.stripe.invoiceItems.create({ customer: customer.id, amount: 1500, currency: 'usd', invoice: draft.id });
  await fails(world.stripe.invoices.finalizeInvoice(draft.id), { code: 'customer_tax_location_invalid' });
});

scenario('tax is calculated, recorded and taken back', async ({ stripe }) => {
  const calculation = await stripe.tax.calculations.create({
    currency: 'usd', customer_details: { address: { country: 'CH' }, address_source: 'billing' },
    line_items: [{ amount: 10_000, reference: 'a' }, { amount: 1081, reference: 'b', tax_behavior: 'inclusive' }],
    expand: ['line_items'],
  });
  assert.deepEqual([calculation.tax_amount_exclusive, calculation.tax_amount_inclusive, calculation.amount_total], [810, 81, 11_891]);
  assert.equal(calculation.line_items.data[0].amount_tax, 810);
  const transaction = await stripe.tax.transactions.createFromCalculation({ calculation: calculation.id, reference: 'invoice-1' });
  await fails(stripe.tax.transactions.createFromCalculation({ calculation: calculation.id, reference: 'invoice-1' }), { param: 'reference' });
  const reversal = await stripe.tax.transactions.createReversal({
    mode: 'full', original_transaction: transaction.id, reference: 'credit-1', expand: ['line_items'],
  });
  assert.equal(reversal.line_items.data[0].amount_tax, -810);
  const reversed = await stripe.tax.calculations.create({
    currency: 'usd', customer_details: { address: { country: 'DE' }, address_source: 'billing', tax_ids: [{ type: 'eu_vat', value: 'DE123456789' }] },
    line_items: [{ amount: 10_000, reference: 'a' }],
  });
  assert.deepEqual([reversed.tax_amount_exclusive, reversed.tax_breakdown[0].taxability_reason], [0, 'reverse_charge']);
  await fails(stripe.tax.calculations.create({ currency: 'usd', line_items: [{ amount: 1, reference: 'a' }] }), { code: 'customer_tax_location_invalid' });
});

const form = { step: 'pay', email: 'ann@example.com', number: '4242424242424242', expiry: '12/40', cvc: '123', name: 'Ann' };

scenario('somebody pays on the checkout page', async world => {
  const session = await world.stripe.checkout.sessions.create({
    mode: 'payment', success_url: 'https://example.com/ok?s={CHECKOUT_SESSION_ID}', cancel_url: 'https://example.com/no',
    line_items: [{ price_data: { currency: 'usd', unit_amount: 2000, product_data: { name: 'Credits' } }, quantity: 2 }],
    payment_intent_data: { metadata: { wallet: 'w' } }, client_reference_id: 'ref',
  });
  assert.deepEqual([session.status, session.amount_total], ['open', 4000]);
  assert.match(await (await world.visit(session.url)).text(), /Credits/);
  const declined = await world.visit(session.url, { ...form, number: '4000000000000002' });
  assert.match(await declined.text(), /declined/);
  const back = await world.visit(session.url, form);
  assert.equal(back.headers.get('location'), `https://example.com/ok?s=${session.id}`);
  const done = await world.stripe.checkout.sessions.retrieve(session.id, { expand: ['payment_intent', 'line_items', 'customer'] });
  assert.deepEqual([done.status, done.payment_status, done.payment_intent.metadata.wallet], ['complete', 'paid', 'w']);
  assert.equal(done.customer.email, 'ann@example.com');
  assert.equal(done.line_items.data[0].quantity, 2);
  assert.equal((await world.stripe.events.list({ type: 'checkout.session.completed' })).data[0].data.object.id, session.id);
});

scenario('somebody subscribes on the checkout page', async world => {
  const { customer, price } = await subscriber(world, { method: null });
  const session = await world.stripe.checkout.sessions.create({
    mode: 'subscription', customer: customer.id, success_url: 'https://example.com/ok', line_items: [{ price: price.id, quantity: 1 }],
    subscription_data: { metadata: { plan: 'starter' } },
  });
  await world.visit(session.url, form);
  const done = await world.stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription', 'invoice'] });
  assert.deepEqual([done.status, done.subscription.status, done.subscription.metadata.plan], ['complete', 'active', 'starter']);
  assert.equal(done.invoice.status, 'paid');
});

scenario('the bank asks in the middle of a checkout', async world => {
  const session = await world.stripe.checkout.sessions.create({
    mode: 'payment', success_url: 'https://example.com/ok',
    line_items: [{ price_data: { currency: 'usd', unit_amount: 2000, product_data: { name: 'Credits' } }, quantity: 1 }],
  });
  const bank = (await world.visit(session.url, { ...form, number: '4000000000003220' })).headers.get('location');
  assert.match(bank, /authenticate/);
  const back = (await world.visit(bank, { outcome: 'complete' })).headers.get('location');
  assert.equal((await world.visit(back)).headers.get('location'), 'https://example.com/ok');
  assert.equal((await world.stripe.checkout.sessions.retrieve(session.id)).payment_status, 'paid');
});

scenario('a card is left on the checkout page', async world => {
  const customer = await world.stripe.customers.create();
  const session = await world.stripe.checkout.sessions.create({
    mode: 'setup', customer: customer.id, currency: 'usd', success_url: 'https://example.com/ok',
  });
  await world.visit(session.url, form);
  const done = await world.stripe.checkout.sessions.retrieve(session.id, { expand: ['setup_intent'] });
  assert.deepEqual([done.status, done.setup_intent.status], ['complete', 'succeeded']);
  assert.equal((await world.stripe.paymentMethods.list({ customer: customer.id })).data.length, 1);
});

scenario('a checkout expires, by time and by order', async world => {
  const make = () => world.stripe.checkout.sessions.create({
    mode: 'payment', success_url: 'https://example.com/ok',
    line_items: [{ price_data: { currency: 'usd', unit_amount: 2000, product_data: { name: 'Credits' } }, quantity: 1 }],
  });
  const [one, other] = [await make(), await make()];
  assert.equal((await world.stripe.checkout.sessions.expire(one.id)).status, 'expired');
  await fails(world.stripe.checkout.sessions.expire(one.id), { statusCode: 400 });
  await world.advance(day + 60);
  assert.equal((await world.stripe.checkout.sessions.retrieve(other.id)).status, 'expired');
  assert.equal((await world.visit(other.url ?? `${one.url}`, form)).status, 400);
});

scenario('checkouts that cannot be', async world => {
  const { price } = await subscriber(world);
  const common = { success_url: 'https://example.com/ok' };
  await fails(world.stripe.checkout.sessions.create({ ...common, mode: 'payment' }), { param: 'line_items' });
  await fails(world.stripe.checkout.sessions.create({ ...common, mode: 'payment', line_items: [{ price: price.id, quantity: 1 }] }), {
    param: 'line_items[0][price]',
  });
  await fails(world.stripe.checkout.sessions.create({ mode: 'subscription', line_items: [{ price: price.id, quantity: 1 }] }), {
    param: 'success_url',
  });
});

scenario('a customer cancels in the portal and thinks again', async world => {
  const { customer, price } = await subscriber(world);
  const subscription = await world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const portal = await world.stripe.billingPortal.sessions.create({ customer: customer.id, return_url: 'https://example.com/' });
  assert.match(await (await world.visit(portal.url)).text(), /Cancel at the end/);
  await world.visit(portal.url, { step: 'cancel', subscription: subscription.id });
  assert.equal((await world.stripe.subscriptions.retrieve(subscription.id)).cancel_at_period_end, true);
  await world.visit(portal.url, { step: 'keep', subscription: subscription.id });
  assert.equal((await world.stripe.subscriptions.retrieve(subscription.id)).cancel_at_period_end, false);
  await world.visit(portal.url, { step: 'card', number: '5555555555554444' });
  const changed = await world.stripe.customers.retrieve(customer.id, { expand: ['invoice_settings.default_payment_method'] });
  assert.equal(changed.invoice_settings.default_payment_method.card.brand, 'mastercard');
  assert.equal((await world.visit(portal.url, { step: 'return' })).headers.get('location'), 'https://example.com/');
});

scenario('portals are configured', async ({ stripe }) => {
  const configuration = await stripe.billingPortal.configurations.create({
    features: { subscription_cancel: { enabled: true, mode: 'immediately' }, invoice_history: { enabled: true } },
    business_profile: { headline: 'x' },
  });
  assert.equal(configuration.features.subscription_cancel.mode, 'immediately');
  assert.equal((await stripe.billingPortal.configurations.update(configuration.id, { active: false })).active, false);
  assert.equal((await stripe.billingPortal.configurations.list()).data.length, 1);
});

scenario('payments of a customer under a clock stand in its time', async world => {
  const { clock, customer } = await subscriber(world);
  const intent = await world.paid(10_000, 'pm_card_createDispute', { customer: customer.id });
  assert.equal(intent.created, start);
  await world.advance(100);
  assert.equal((await world.stripe.disputes.list()).data.length, 0);
  await advance(world, clock, start + 3 * day);
  assert.equal((await world.stripe.disputes.list()).data[0].created, start + 1);
  assert.equal((await world.stripe.balance.retrieve()).pending[0].amount, 0);
});

scenario('a test clock is advanced within its bounds and deleted', async world => {
  const { clock, customer, price } = await subscriber(world);
  await world.stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  await fails(world.stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: start - 1 }), { param: 'frozen_time' });
  await fails(world.stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: start + 90 * day }), { param: 'frozen_time' });
  assert.equal((await world.stripe.testHelpers.testClocks.list()).data.length, 1);
  assert.equal((await world.stripe.testHelpers.testClocks.del(clock.id)).deleted, true);
  assert.equal((await world.stripe.customers.retrieve(customer.id)).deleted, true);
});
