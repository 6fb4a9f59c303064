// What holds for every call: parameters, errors, lists, expansion, metadata, versions, keys.
import assert from 'node:assert/strict';
import { fails, scenario } from '../suite.mjs';

scenario('an unknown parameter is refused by its name', async ({ stripe }) => {
  await fails(stripe.customers.create({ nome: 'x' }), {
    type: 'StripeInvalidRequestError', statusCode: 400, code: 'parameter_unknown', param: 'nome',
  });
});

scenario('an unknown parameter within another is refused by its full name', async ({ stripe }) => {
  await fails(stripe.customers.create({ address: { town: 'x' } }), { code: 'parameter_unknown', param: 'address[town]' });
});

scenario('a missing parameter is named', async ({ stripe }) => {
  const error = await fails(stripe.paymentIntents.create({ currency: 'usd' }), { code: 'parameter_missing', param: 'amount' });
  assert.match(error.doc_url, /parameter-missing$/);
  assert.match(error.requestId, /^req_/);
  assert.match(error.raw.request_log_url, /logs\/req_/);
});

scenario('an amount that is no integer is refused', async ({ stripe }) => {
  for (const amount of ['abc', 10.5, '1e3']) {
    await fails(stripe.paymentIntents.create({ amount, currency: 'usd' }), { code: 'parameter_invalid_integer', param: 'amount' });
  }
});

scenario('a boolean that is none and a word that does not exist are refused', async ({ stripe }) => {
  await fails(stripe.paymentIntents.create({ amount: 100, currency: 'usd', confirm: 'maybe' }), { statusCode: 400, param: 'confirm' });
  await fails(stripe.paymentIntents.create({ amount: 100, currency: 'usd', capture_method: 'never' }), { param: 'capture_method' });
});

scenario('a required parameter cannot be unset', async ({ stripe }) => {
  await fails(stripe.paymentIntents.create({ amount: '', currency: 'usd' }), { code: 'parameter_invalid_empty', param: 'amount' });
});

scenario('what is not there is not found', async ({ stripe }) => {
  await fails(stripe.customers.retrieve('cus_nobody'), { statusCode: 404, code: 'resource_missing', param: 'id' });
  await fails(stripe.paymentIntents.create({ amount: 100, currency: 'usd', customer: 'cus_nobody' }), {
    statusCode: 400, code: 'resource_missing', param: 'customer',
  });
});

scenario('an address that does not exist is said to be so', async ({ stripe }) => {
  const error = await fails(stripe.rawRequest('GET', '/v1/nothing'), { statusCode: 404 });
  assert.match(error.message, /Unrecognized request URL \(GET: \/v1\/nothing\)/);
});

scenario('an id of another kind is not found', async ({ stripe }) => {
  const customer = await stripe.customers.create();
  await fails(stripe.paymentIntents.retrieve(customer.id), { code: 'resource_missing' });
});

scenario('live keys are refused', async world => {
  const error = await fails(world.client('sk_live_1234567890').balance.retrieve(), {
    type: 'StripeAuthenticationError', statusCode: 401,
  });
  assert.match(error.message, /sandbox/);
});

scenario('keys of another form are refused', async world => {
  await fails(world.client('nonsense').balance.retrieve(), { statusCode: 401 });
});

scenario('a publishable key opens what browsers may', async world => {
  await fails(world.client(`pk_test_${world.name}`).balance.retrieve(), { statusCode: 401, code: 'secret_key_required' });
});

scenario('a publishable key needs the secret of the intent', async world => {
  const intent = await world.stripe.paymentIntents.create({ amount: 500, currency: 'usd' });
  const browser = world.client(`pk_test_${world.name}`);
  await fails(browser.paymentIntents.retrieve(intent.id), { statusCode: 400, param: 'client_secret' });
  const shown = await browser.paymentIntents.retrieve(intent.id, { client_secret: intent.client_secret });
  assert.equal(shown.amount, 500);
});

scenario('one key sees nothing of another', async world => {
  const customer = await world.stripe.customers.create();
  await fails(world.client('sk_test_somebodyelse').customers.retrieve(customer.id), { code: 'resource_missing' });
});

scenario('the version is said in every answer', async world => {
  const { lastResponse } = await world.stripe.customers.create();
  assert.equal(lastResponse.apiVersion, '2026-10-28.endive');
  assert.match(lastResponse.requestId, /^req_/);
});

scenario('a version that cannot be is refused', async world => {
  await fails(world.client(world.key, { apiVersion: 'soon' }).customers.create(), { statusCode: 400 });
});

scenario('lists come in pages, newest first', async ({ stripe }) => {
  const ids = [];
  for (let i = 0; i < 5; i++) {
    ids.unshift((await stripe.customers.create({ name: `n${i}` })).id);
  }
  const first = await stripe.customers.list({ limit: 2 });
  assert.deepEqual(first.data.map(each => each.id), ids.slice(0, 2));
  assert.equal(first.has_more, true);
  assert.equal(first.url, '/v1/customers');
  const second = await stripe.customers.list({ limit: 3, starting_after: ids[1] });
  assert.deepEqual(second.data.map(each => each.id), ids.slice(2));
  assert.equal(second.has_more, false);
  const back = await stripe.customers.list({ limit: 2, ending_before: ids[3] });
  assert.deepEqual(back.data.map(each => each.id), ids.slice(1, 3));
  assert.equal(back.has_more, true);
});

scenario('the package walks through all pages', async ({ stripe }) => {
  for (let i = 0; i < 7; i++) {
    await stripe.customers.create({ name: `n${i}` });
  }
  const names = [];
  for await (const customer of stripe.customers.list({ limit: 3 })) {
    names.push(customer.name);
  }
  assert.deepEqual(names, ['n6', 'n5', 'n4', 'n3', 'n2', 'n1', 'n0']);
});

scenario('limits of a page', async ({ stripe }) => {
  await fails(stripe.customers.list({ limit: 0 }), { param: 'limit' });
  await fails(stripe.customers.list({ limit: 101 }), { param: 'limit' });
  await fails(stripe.customers.list({ starting_after: 'cus_nobody' }), { param: 'starting_after' });
});

scenario('lists are filtered by time and members', async world => {
  const { stripe } = world;
  const old = await stripe.customers.create({ email: 'a@example.com' });
  await world.advance(3600);
  const young = await stripe.customers.create({ email: 'b@example.com' });
  const after = await stripe.customers.list({ created: { gt: old.created + 10 } });
  assert.deepEqual(after.data.map(each => each.id), [young.id]);
  const before = await stripe.customers.list({ created: { lte: old.created + 10 } });
  assert.deepEqual(before.data.map(each => each.id), [old.id]);
  assert.deepEqual((await stripe.customers.list({ email: 'b@example.com' })).data.map(each => each.id), [young.id]);
});

scenario('relations are expanded', async world => {
  const customer = await world.stripe.customers.create({ name: 'Ann' });
  const intent = await world.paid(1000, 'pm_card_visa', { customer: customer.id, expand: ['customer', 'latest_charge.balance_transaction'] });
  assert.equal(intent.customer.name, 'Ann');
  assert.equal(intent.latest_charge.balance_transaction.fee, 59);
});

scenario('relations of a list are expanded four levels deep', async world => {
  const customer = await world.stripe.customers.create({ name: 'Ann' });
  await world.paid(1000, 'pm_card_visa', { customer: customer.id });
  const { data } = await world.stripe.paymentIntents.list({ expand: ['data.latest_charge.payment_intent.customer'] });
  assert.equal(data[0].latest_charge.payment_intent.customer.name, 'Ann');
  await fails(world.stripe.paymentIntents.list({ expand: ['data.latest_charge.payment_intent.latest_charge.payment_intent.customer'] }), {
    param: 'expand',
  });
});

scenario('what is no relation cannot be expanded', async ({ stripe }) => {
  const customer = await stripe.customers.create();
  await fails(stripe.customers.retrieve(customer.id, { expand: ['nothing'] }), { statusCode: 400, param: 'expand' });
  await fails(stripe.customers.retrieve(customer.id, { expand: ['object'] }), { statusCode: 400 });
});

scenario('metadata is added to, changed and unset', async ({ stripe }) => {
  const customer = await stripe.customers.create({ metadata: { a: '1', b: '2' } });
  const changed = await stripe.customers.update(customer.id, { metadata: { b: '', c: '3' } });
  assert.deepEqual(changed.metadata, { a: '1', c: '3' });
  assert.deepEqual((await stripe.customers.update(customer.id, { metadata: '' })).metadata, {});
});

scenario('metadata has bounds', async ({ stripe }) => {
  await fails(stripe.customers.create({ metadata: { ['k'.repeat(41)]: 'x' } }), { param: 'metadata' });
  await fails(stripe.customers.create({ metadata: { k: 'x'.repeat(501) } }), { param: 'metadata[k]' });
  const many = Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, 'x']));
  await fails(stripe.customers.create({ metadata: many }), { param: 'metadata' });
  delete many.k50;
  const customer = await stripe.customers.create({ metadata: many });
  await fails(stripe.customers.update(customer.id, { metadata: { one: 'more' } }), { param: 'metadata' });
});

scenario('an update leaves alone what it does not name', async ({ stripe }) => {
  const customer = await stripe.customers.create({ name: 'Ann', email: 'ann@example.com', address: { city: 'Bern', country: 'CH' } });
  const changed = await stripe.customers.update(customer.id, { email: '', description: 'x' });
  assert.equal(changed.name, 'Ann');
  assert.equal(changed.email, null);
  assert.equal(changed.address.city, 'Bern');
});

scenario('a deleted customer leaves its id behind', async ({ stripe }) => {
  const customer = await stripe.customers.create();
  assert.deepEqual(await stripe.customers.del(customer.id).then(({ id, object, deleted }) => ({ id, object, deleted })), {
    id: customer.id, object: 'customer', deleted: true,
  });
  assert.equal((await stripe.customers.retrieve(customer.id)).deleted, true);
  assert.equal((await stripe.customers.list()).data.length, 0);
  await fails(stripe.customers.update(customer.id, { name: 'x' }), { code: 'resource_missing' });
  await fails(stripe.paymentIntents.create({ amount: 100, currency: 'usd', customer: customer.id }), { code: 'resource_missing' });
});

scenario('a repeated call gets the same answer', async ({ stripe }) => {
  const params = { amount: 700, currency: 'usd' };
  const first = await stripe.paymentIntents.create(params, { idempotencyKey: 'one' });
  const again = await stripe.paymentIntents.create(params, { idempotencyKey: 'one' });
  assert.equal(again.id, first.id);
  assert.equal(again.lastResponse.headers.get('idempotent-replayed'), 'true');
  assert.equal(again.lastResponse.headers.get('original-request'), first.lastResponse.requestId);
  assert.equal(again.lastResponse.headers.get('idempotency-key'), 'one');
  assert.equal((await stripe.paymentIntents.list()).data.length, 1);
});

scenario('a key of another call is refused', async ({ stripe }) => {
  await stripe.paymentIntents.create({ amount: 700, currency: 'usd' }, { idempotencyKey: 'one' });
  await fails(stripe.paymentIntents.create({ amount: 701, currency: 'usd' }, { idempotencyKey: 'one' }), {
    type: 'StripeIdempotencyError', statusCode: 400,
  });
  await fails(stripe.customers.create({}, { idempotencyKey: 'one' }), { type: 'StripeIdempotencyError' });
});

scenario('a declined payment is declined again by its key, without a second attempt', async ({ stripe }) => {
  const params = { amount: 700, currency: 'usd', confirm: true, payment_method: 'pm_card_chargeDeclined', allowed_payment_method_types: ['card'] };
  const first = await fails(stripe.paymentIntents.create(params, { idempotencyKey: 'one' }), { statusCode: 402 });
  const again = await fails(stripe.paymentIntents.create(params, { idempotencyKey: 'one' }), { statusCode: 402 });
  assert.equal(again.payment_intent.id, first.payment_intent.id);
  assert.equal((await stripe.charges.list()).data.length, 1);
});

scenario('parameters that were refused leave their key free', async ({ stripe }) => {
  await fails(stripe.paymentIntents.create({ amount: 'x', currency: 'usd' }, { idempotencyKey: 'one' }), { param: 'amount' });
  assert.ok(await stripe.paymentIntents.create({ amount: 700, currency: 'usd' }, { idempotencyKey: 'one' }));
});

scenario('a key is forgotten after a day', async world => {
  const first = await world.stripe.paymentIntents.create({ amount: 700, currency: 'usd' }, { idempotencyKey: 'one' });
  await world.advance(24 * 3600 + 1);
  const other = await world.stripe.paymentIntents.create({ amount: 800, currency: 'usd' }, { idempotencyKey: 'one' });
  assert.notEqual(other.id, first.id);
});

scenario('the same key belongs to each account anew', async world => {
  const account = await world.readyAccount();
  const mine = await world.stripe.customers.create({}, { idempotencyKey: 'one' });
  const theirs = await world.stripe.customers.create({}, { idempotencyKey: 'one', stripeAccount: account.id });
  assert.notEqual(mine.id, theirs.id);
});
