// Customers, payment methods, setup intents, payment intents, charges, balance.
import assert from 'node:assert/strict';
import { fails, scenario } from '../suite.mjs';

const card = (number, more = {}) => ({ type: 'card', card: { number, exp_month: 12, exp_year: 2040, cvc: '123', ...more } });

scenario('a payment succeeds at once', async world => {
  const intent = await world.paid(1000, 'pm_card_visa');
  assert.equal(intent.status, 'succeeded');
  assert.equal(intent.amount_received, 1000);
  assert.match(intent.id, /^pi_[0-9A-Za-z]{24}$/);
  assert.match(intent.client_secret, new RegExp(`^${intent.id}_secret_`));
  const charge = await world.stripe.charges.retrieve(intent.latest_charge);
  assert.equal(charge.paid, true);
  assert.equal(charge.captured, true);
  assert.equal(charge.payment_method_details.card.last4, '4242');
});

scenario('an intent goes from step to step', async ({ stripe }) => {
  const intent = await stripe.paymentIntents.create({ amount: 1000, currency: 'usd', automatic_payment_methods: { enabled: true } });
  assert.equal(intent.status, 'requires_payment_method');
  const method = await stripe.paymentMethods.create(card('4242424242424242'));
  const filled = await stripe.paymentIntents.update(intent.id, { payment_method: method.id });
  assert.equal(filled.status, 'requires_confirmation');
  const done = await stripe.paymentIntents.confirm(intent.id, { return_url: 'https://example.com/back' });
  assert.equal(done.status, 'succeeded');
});

scenario('methods that may redirect need an address to come back to', async ({ stripe }) => {
  const params = { amount: 1000, currency: 'usd', payment_method: 'pm_card_visa', confirm: true };
  const error = await fails(stripe.paymentIntents.create(params), { statusCode: 400 });
  assert.match(error.message, /return_url/);
  assert.equal((await stripe.paymentIntents.list()).data.length, 0);
  const done = await stripe.paymentIntents.create({ ...params, automatic_payment_methods: { enabled: true, allow_redirects: 'never' } });
  assert.equal(done.status, 'succeeded');
});

scenario('a browser confirms with its own key', async world => {
  const intent = await world.stripe.paymentIntents.create({ amount: 1000, currency: 'usd', automatic_payment_methods: { enabled: true } });
  const browser = world.client(`pk_test_${world.name}`);
  const done = await browser.paymentIntents.confirm(intent.id, {
    client_secret: intent.client_secret, payment_method_data: card('4242424242424242'), return_url: 'https://example.com/back',
  });
  assert.equal(done.status, 'succeeded');
});

scenario('amounts have bounds', async ({ stripe }) => {
  await fails(stripe.paymentIntents.create({ amount: 49, currency: 'usd' }), { code: 'amount_too_small', param: 'amount' });
  await fails(stripe.paymentIntents.create({ amount: 0, currency: 'usd' }), { param: 'amount' });
  await fails(stripe.paymentIntents.create({ amount: -500, currency: 'usd' }), { code: 'parameter_invalid_integer', param: 'amount' });
  await fails(stripe.paymentIntents.create({ amount: 100_000_000, currency: 'usd' }), { code: 'amount_too_large', param: 'amount' });
  await fails(stripe.paymentIntents.create({ amount: 1000, currency: 'xxx' }), { param: 'currency' });
});

const declines = {
  '4000000000000002': ['card_declined', 'generic_decline'],
  '4000000000009995': ['card_declined', 'insufficient_funds'],
  '4000000000009987': ['card_declined', 'lost_card'],
  '4000000000009979': ['card_declined', 'stolen_card'],
  '4000000000000069': ['expired_card', 'expired_card'],
  '4000000000000127': ['incorrect_cvc', 'incorrect_cvc'],
  '4000000000000119': ['processing_error', 'processing_error'],
  '4000000000006975': ['card_declined', 'card_velocity_exceeded'],
  '4100000000000019': ['card_declined', 'fraudulent'],
};
for (const [number, [code, decline]] of Object.entries(declines)) {
  scenario(`the card ${number} is declined: ${decline}`, async ({ stripe }) => {
    const method = await stripe.paymentMethods.create(card(number));
    const error = await fails(
      stripe.paymentIntents.create({
        amount: 1000, currency: 'usd', payment_method: method.id, confirm: true, allowed_payment_method_types: ['card'],
      }),
      { type: 'StripeCardError', statusCode: 402, code, decline_code: decline },
    );
    const intent = await stripe.paymentIntents.retrieve(error.payment_intent.id);
    assert.equal(intent.status, 'requires_payment_method');
    assert.equal(intent.payment_method, null);
    assert.equal(intent.last_payment_error.code, code);
    assert.equal((await stripe.charges.retrieve(error.charge)).status, 'failed');
    assert.equal((await stripe.balance.retrieve()).pending[0].amount, 0);
  });
}

scenario('after a decline another card pays', async ({ stripe }) => {
  const intent = await stripe.paymentIntents.create({ amount: 1000, currency: 'usd', allowed_payment_method_types: ['card'] });
  await fails(stripe.paymentIntents.confirm(intent.id, { payment_method: 'pm_card_chargeDeclined' }), { statusCode: 402 });
  const done = await stripe.paymentIntents.confirm(intent.id, { payment_method: 'pm_card_mastercard' });
  assert.equal(done.status, 'succeeded');
  assert.equal(done.last_payment_error, null);
  assert.equal((await stripe.charges.list({ payment_intent: intent.id })).data.length, 2);
});

scenario('card numbers, dates and codes that cannot be', async ({ stripe }) => {
  await fails(stripe.paymentMethods.create(card('4242424242424241')), { statusCode: 402, code: 'incorrect_number', param: 'number' });
  await fails(stripe.paymentMethods.create(card('4242424242424242', { exp_month: 13 })), { code: 'invalid_expiry_month' });
  await fails(stripe.paymentMethods.create(card('4242424242424242', { exp_year: 2020 })), { code: 'invalid_expiry_year' });
  await fails(stripe.paymentMethods.create(card('4242424242424242', { cvc: '1' })), { code: 'invalid_cvc' });
});

scenario('an intent without a method cannot be confirmed', async ({ stripe }) => {
  const intent = await stripe.paymentIntents.create({ amount: 1000, currency: 'usd' });
  const error = await fails(stripe.paymentIntents.confirm(intent.id), { statusCode: 400, code: 'payment_intent_unexpected_state' });
  assert.equal(error.payment_intent.id, intent.id);
});

scenario('what has succeeded cannot be confirmed, canceled or changed', async world => {
  const intent = await world.paid();
  const code = 'payment_intent_unexpected_state';
  await fails(world.stripe.paymentIntents.confirm(intent.id), { statusCode: 400, code });
  await fails(world.stripe.paymentIntents.cancel(intent.id), { statusCode: 400, code });
  await fails(world.stripe.paymentIntents.update(intent.id, { amount: 5000 }), { statusCode: 400, code });
  assert.equal((await world.stripe.paymentIntents.update(intent.id, { metadata: { a: '1' } })).metadata.a, '1');
});

scenario('a canceled intent stays canceled', async ({ stripe }) => {
  const intent = await stripe.paymentIntents.create({ amount: 1000, currency: 'usd' });
  const canceled = await stripe.paymentIntents.cancel(intent.id, { cancellation_reason: 'abandoned' });
  assert.equal(canceled.status, 'canceled');
  assert.equal(canceled.cancellation_reason, 'abandoned');
  assert.ok(canceled.canceled_at);
  await fails(stripe.paymentIntents.confirm(intent.id, { payment_method: 'pm_card_visa' }), { code: 'payment_intent_unexpected_state' });
});

scenario('the amount of an open intent can be changed', async ({ stripe }) => {
  const intent = await stripe.paymentIntents.create({ amount: 1000, currency: 'usd' });
  assert.equal((await stripe.paymentIntents.update(intent.id, { amount: 2500 })).amount, 2500);
});

scenario('money is captured later, and less of it', async world => {
  const held = await world.paid(1000, 'pm_card_visa', { capture_method: 'manual' });
  assert.equal(held.status, 'requires_capture');
  assert.equal(held.amount_capturable, 1000);
  await fails(world.stripe.paymentIntents.capture(held.id, { amount_to_capture: 1001 }), { param: 'amount_to_capture' });
  const captured = await world.stripe.paymentIntents.capture(held.id, { amount_to_capture: 600 });
  assert.equal(captured.status, 'succeeded');
  assert.equal(captured.amount_received, 600);
  await fails(world.stripe.paymentIntents.capture(held.id), { code: 'payment_intent_unexpected_state' });
});

scenario('held money is let go', async world => {
  const held = await world.paid(1000, 'pm_card_visa', { capture_method: 'manual' });
  assert.equal((await world.stripe.paymentIntents.cancel(held.id)).status, 'canceled');
  assert.equal((await world.stripe.charges.retrieve(held.latest_charge)).refunded, true);
  assert.equal((await world.stripe.balance.retrieve()).pending[0].amount, 0);
});

scenario('a cardholder authenticates on the page of the bank', async world => {
  const intent = await world.paid(1000, 'pm_card_threeDSecure2Required', { return_url: 'https://example.com/back?a=1' });
  assert.equal(intent.status, 'requires_action');
  assert.equal(intent.next_action.type, 'redirect_to_url');
  const page = await world.visit(intent.next_action.redirect_to_url.url);
  assert.match(await page.text(), /SANDBOX/);
  const back = await world.visit(intent.next_action.redirect_to_url.url, { outcome: 'complete' });
  assert.equal(back.status, 303);
  const url = new URL(back.headers.get('location'));
  assert.equal(url.searchParams.get('payment_intent'), intent.id);
  assert.equal(url.searchParams.get('redirect_status'), 'succeeded');
  assert.equal(url.searchParams.get('a'), '1');
  const done = await world.stripe.paymentIntents.retrieve(intent.id, { expand: ['latest_charge'] });
  assert.equal(done.status, 'succeeded');
  assert.equal(done.latest_charge.payment_method_details.card.three_d_secure.result, 'authenticated');
});

scenario('a cardholder who fails to authenticate may try another card', async world => {
  const intent = await world.paid(1000, 'pm_card_authenticationRequired', { return_url: 'https://example.com/back' });
  const back = await world.visit(intent.next_action.redirect_to_url.url, { outcome: 'fail' });
  assert.match(back.headers.get('location'), /redirect_status=failed/);
  const failed = await world.stripe.paymentIntents.retrieve(intent.id);
  assert.equal(failed.status, 'requires_payment_method');
  assert.equal(failed.last_payment_error.code, 'payment_intent_authentication_failure');
  assert.equal(failed.latest_charge, null);
});

scenario('without a return address the next action is the SDK\'s', async world => {
  const intent = await world.paid(1000, 'pm_card_authenticationRequired');
  assert.equal(intent.next_action.type, 'use_stripe_sdk');
});

scenario('nobody is there to authenticate an off-session payment', async world => {
  const customer = await world.stripe.customers.create({ payment_method: 'pm_card_authenticationRequired' });
  const [method] = (await world.stripe.paymentMethods.list({ customer: customer.id })).data;
  const error = await fails(world.paid(1000, method.id, { customer: customer.id, off_session: true }), {
    statusCode: 402, code: 'authentication_required', decline_code: 'authentication_required',
  });
  assert.equal(error.payment_intent.status, 'requires_payment_method');
  assert.equal(error.payment_method.id, method.id);
});

scenario('a payment may be told to fail rather than to wait for an action', async world => {
  await fails(world.paid(1000, 'pm_card_authenticationRequired', { error_on_requires_action: true }), { code: 'authentication_required' });
});

scenario('a card that was set up pays without its holder', async world => {
  const customer = await world.stripe.customers.create();
  const setup = await world.stripe.setupIntents.create({
    customer: customer.id, payment_method: 'pm_card_authenticationRequiredOnSetup', confirm: true, return_url: 'https://example.com/',
    allowed_payment_method_types: ['card'], usage: 'off_session',
  });
  assert.equal(setup.status, 'requires_action');
  await world.visit(setup.next_action.redirect_to_url.url, { outcome: 'complete' });
  const done = await world.stripe.setupIntents.retrieve(setup.id);
  assert.equal(done.status, 'succeeded');
  const intent = await world.paid(1000, done.payment_method, { customer: customer.id, off_session: true });
  assert.equal(intent.status, 'succeeded');
});

scenario('a setup that is not authenticated fails', async world => {
  const setup = await world.stripe.setupIntents.create({
    payment_method: 'pm_card_authenticationRequired', confirm: true, return_url: 'https://example.com/', allowed_payment_method_types: ['card'],
  });
  await world.visit(setup.next_action.redirect_to_url.url, { outcome: 'fail' });
  const failed = await world.stripe.setupIntents.retrieve(setup.id);
  assert.equal(failed.status, 'requires_payment_method');
  assert.equal(failed.last_setup_error.code, 'setup_intent_authentication_failure');
});

scenario('a setup is declined, canceled, updated, listed', async ({ stripe }) => {
  const customer = await stripe.customers.create();
  const setup = await stripe.setupIntents.create({ customer: customer.id, allowed_payment_method_types: ['card'] });
  await fails(stripe.setupIntents.confirm(setup.id, { payment_method: 'pm_card_chargeDeclined' }), { statusCode: 402, code: 'card_declined' });
  assert.equal((await stripe.setupIntents.update(setup.id, { metadata: { a: '1' } })).metadata.a, '1');
  assert.equal((await stripe.setupIntents.list({ customer: customer.id })).data.length, 1);
  assert.equal((await stripe.setupIntents.cancel(setup.id)).status, 'canceled');
  await fails(stripe.setupIntents.confirm(setup.id, { payment_method: 'pm_card_visa' }), { code: 'setup_intent_unexpected_state' });
});

scenario('the card 0341 can be attached and fails when it is charged', async world => {
  const customer = await world.stripe.customers.create();
  const method = await world.stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: customer.id });
  await fails(world.paid(1000, method.id, { customer: customer.id, off_session: true }), { code: 'card_declined' });
});

scenario('a declined card cannot be attached', async ({ stripe }) => {
  const customer = await stripe.customers.create();
  await fails(stripe.paymentMethods.attach('pm_card_chargeDeclined', { customer: customer.id }), { statusCode: 402, code: 'card_declined' });
});

scenario('methods are attached, made the default, detached', async ({ stripe }) => {
  const customer = await stripe.customers.create();
  const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  assert.equal(method.customer, customer.id);
  const changed = await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
  assert.equal(changed.invoice_settings.default_payment_method, method.id);
  assert.equal((await stripe.customers.listPaymentMethods(customer.id)).data[0].id, method.id);
  assert.equal((await stripe.customers.retrievePaymentMethod(customer.id, method.id)).id, method.id);
  assert.equal((await stripe.paymentMethods.detach(method.id)).customer, null);
  assert.equal((await stripe.customers.retrieve(customer.id)).invoice_settings.default_payment_method, null);
  await fails(stripe.paymentMethods.detach(method.id), { statusCode: 400 });
});

scenario('a method pays for its customer alone', async world => {
  const [one, other] = [await world.stripe.customers.create(), await world.stripe.customers.create()];
  const method = await world.stripe.paymentMethods.attach('pm_card_visa', { customer: one.id });
  await fails(world.paid(1000, method.id, { customer: other.id }), { statusCode: 400, param: 'payment_method' });
  await fails(world.paid(1000, method.id), { statusCode: 400, param: 'payment_method' });
  await fails(world.stripe.paymentMethods.attach(method.id, { customer: other.id }), { statusCode: 400 });
});

scenario('a payment saves the card for later', async world => {
  const customer = await world.stripe.customers.create();
  const intent = await world.paid(1000, 'pm_card_visa', { customer: customer.id, setup_future_usage: 'off_session' });
  const { data } = await world.stripe.paymentMethods.list({ customer: customer.id, type: 'card' });
  assert.deepEqual(data.map(each => each.id), [intent.payment_method]);
  assert.equal((await world.paid(2000, data[0].id, { customer: customer.id, off_session: true })).status, 'succeeded');
});

scenario('a bank takes its time and pays', async world => {
  const intent = await world.stripe.paymentIntents.create({
    amount: 1000, currency: 'usd', payment_method: 'pm_usBankAccount_success', confirm: true, allowed_payment_method_types: ['us_bank_account'],
    mandate_data: { customer_acceptance: { type: 'offline' } },
  });
  assert.equal(intent.status, 'processing');
  await fails(world.stripe.paymentIntents.cancel(intent.id), { code: 'payment_intent_unexpected_state' });
  await world.advance(10);
  assert.equal((await world.stripe.paymentIntents.retrieve(intent.id)).status, 'succeeded');
});

scenario('a bank takes its time and does not pay', async world => {
  const intent = await world.stripe.paymentIntents.create({
    amount: 1000, currency: 'usd', payment_method: 'pm_usBankAccount_insufficientFunds', confirm: true,
    allowed_payment_method_types: ['us_bank_account'],
  });
  assert.equal(intent.status, 'processing');
  await world.advance(10);
  const failed = await world.stripe.paymentIntents.retrieve(intent.id, { expand: ['latest_charge'] });
  assert.equal(failed.status, 'requires_payment_method');
  assert.equal(failed.latest_charge.status, 'failed');
  assert.equal((await world.stripe.balance.retrieve()).pending[0].amount, 0);
});

scenario('fees are 2.9 % and 30 cents, more for cards of other countries', async world => {
  for (const [method, country, fee] of [['pm_card_visa', 'US', 320], ['pm_card_de', 'DE', 470], ['pm_card_jcb', 'JP', 470]]) {
    const intent = await world.paid(10_000, method, { expand: ['latest_charge.balance_transaction'] });
    assert.equal(intent.latest_charge.payment_method_details.card.country, country);
    const booked = intent.latest_charge.balance_transaction;
    assert.equal(booked.fee, fee);
    assert.equal(booked.net, 10_000 - fee);
    assert.equal(booked.fee_details[0].type, 'stripe_fee');
  }
});

scenario('money is pending for two days', async world => {
  const intent = await world.paid(10_000, 'pm_card_visa', { expand: ['latest_charge.balance_transaction'] });
  assert.equal(intent.latest_charge.balance_transaction.status, 'pending');
  const before = await world.stripe.balance.retrieve();
  assert.deepEqual([before.available[0].amount, before.pending[0].amount], [0, 9680]);
  await world.advance(2 * 86400 + 1);
  const after = await world.stripe.balance.retrieve();
  assert.deepEqual([after.available[0].amount, after.pending[0].amount], [9680, 0]);
  assert.equal((await world.stripe.balanceTransactions.retrieve(intent.latest_charge.balance_transaction.id)).status, 'available');
});

scenario('the card 0077 bypasses pending', async world => {
  await world.paid(10_000, 'pm_card_bypassPending');
  assert.equal((await world.stripe.balance.retrieve()).available[0].amount, 9680);
});

scenario('balance transactions are listed by type and source', async world => {
  const intent = await world.paid();
  await world.stripe.refunds.create({ payment_intent: intent.id });
  assert.deepEqual((await world.stripe.balanceTransactions.list()).data.map(each => each.type), ['refund', 'charge']);
  assert.equal((await world.stripe.balanceTransactions.list({ type: 'charge' })).data[0].source, intent.latest_charge);
  assert.equal((await world.stripe.balanceTransactions.list({ source: intent.latest_charge })).data.length, 1);
});

scenario('a charge can be annotated', async world => {
  const intent = await world.paid();
  assert.equal((await world.stripe.charges.update(intent.latest_charge, { metadata: { a: '1' } })).metadata.a, '1');
});

scenario('a method can be changed', async ({ stripe }) => {
  const method = await stripe.paymentMethods.create(card('5555555555554444'));
  const changed = await stripe.paymentMethods.update(method.id, { billing_details: { name: 'Ann' }, card: { exp_year: 2041 } });
  assert.equal(changed.billing_details.name, 'Ann');
  assert.equal(changed.card.exp_year, 2041);
});
