// Faults that are ordered: what the package makes of them, and that each effect happens once.
import assert from 'node:assert/strict';
import { fails, scenario } from '../suite.mjs';

const params = { amount: 1000, currency: 'usd' };

scenario('429 is a rate limit', async world => {
  await world.order('faults', { kind: 'rate-limit' });
  await fails(world.stripe.paymentIntents.create(params), { type: 'StripeRateLimitError', statusCode: 429, code: 'rate_limit' });
  assert.ok(await world.stripe.paymentIntents.create(params));
});

scenario('a lock that cannot be had is tried again by the package', async world => {
  await world.order('faults', { kind: 'lock-timeout' });
  assert.ok(await world.client(world.key, { maxNetworkRetries: 1 }).paymentIntents.create(params));
});

scenario('500 before the effect: nothing is there, the key is free', async world => {
  await world.order('faults', { kind: 'error-before', match: 'POST /v1/payment_intents' });
  await fails(world.stripe.paymentIntents.create(params, { idempotencyKey: 'one' }), { type: 'StripeAPIError', statusCode: 500 });
  assert.equal((await world.stripe.paymentIntents.list()).data.length, 0);
  assert.ok(await world.stripe.paymentIntents.create(params, { idempotencyKey: 'one' }));
});

scenario('500 after the effect: it is there, and the key answers 500 for ever', async world => {
  await world.order('faults', { kind: 'error-after', match: 'POST /v1/payment_intents' });
  await fails(world.stripe.paymentIntents.create(params, { idempotencyKey: 'one' }), { statusCode: 500 });
  await fails(world.stripe.paymentIntents.create(params, { idempotencyKey: 'one' }), { statusCode: 500 });
  assert.equal((await world.stripe.paymentIntents.list()).data.length, 1);
});

scenario('a connection cut before the effect', async world => {
  await world.order('faults', { kind: 'cut-before', match: 'POST /v1/payment_intents' });
  await fails(world.stripe.paymentIntents.create(params, { idempotencyKey: 'one' }), { type: 'StripeConnectionError' });
  assert.equal((await world.stripe.paymentIntents.list()).data.length, 0);
});

scenario('a connection cut after the effect: the key gets the answer', async world => {
  await world.order('faults', { kind: 'cut-after', match: 'POST /v1/payment_intents' });
  await fails(world.stripe.paymentIntents.create(params, { idempotencyKey: 'one' }), { type: 'StripeConnectionError' });
  const again = await world.stripe.paymentIntents.create(params, { idempotencyKey: 'one' });
  const { data } = await world.stripe.paymentIntents.list();
  assert.deepEqual(data.map(each => each.id), [again.id]);
});

scenario('the package\'s own retry pays once', async world => {
  const account = await world.readyAccount();
  await world.paid(10_000);
  await world.order('faults', { kind: 'cut-after', match: 'POST /v1/transfers' });
  const transfer = await world.client(world.key, { maxNetworkRetries: 2 }).transfers.create({
    amount: 5000, currency: 'usd', destination: account.id,
  });
  assert.deepEqual((await world.stripe.transfers.list()).data.map(each => each.id), [transfer.id]);
});

scenario('fifty parallel transfers with cut connections pay once', async world => {
  const account = await world.readyAccount();
  await world.paid(10_000);
  await world.order('faults', { kind: 'cut-after', match: 'POST /v1/transfers', count: 3 });
  const call = () => world.stripe.transfers.create(
    { amount: 5000, currency: 'usd', destination: account.id }, { idempotencyKey: 'payout-1' });
  const ends = await Promise.allSettled(Array.from({ length: 50 }, call));
  assert.ok(ends.some(end => end.status === 'rejected'));
  const transfer = await call();
  assert.deepEqual((await world.stripe.transfers.list()).data.map(each => each.id), [transfer.id]);
});

scenario('two calls with one key at the same time: 409', async world => {
  await world.order('faults', { kind: 'latency', milliseconds: 400, match: 'POST /v1/payment_intents' });
  const slow = world.stripe.paymentIntents.create(params, { idempotencyKey: 'one' });
  // The first call has taken the fault, and with it the key, when the fault is no more.
  while ((await world.order('', undefined, 'GET')).faults.length > 0) {
    await new Promise(done => setTimeout(done, 5));
  }
  await fails(world.stripe.paymentIntents.create(params, { idempotencyKey: 'one' }), { statusCode: 409, code: 'idempotency_key_in_use' });
  assert.ok((await slow).id);
});

scenario('a list that lags behind', async world => {
  const intent = await world.stripe.paymentIntents.create(params);
  await world.order('faults', { kind: 'stale-lists', milliseconds: 60_000, match: 'GET /v1/payment_intents' });
  assert.equal((await world.stripe.paymentIntents.list()).data.length, 0);
  assert.equal((await world.stripe.paymentIntents.list()).data[0].id, intent.id);
});

scenario('ordered faults are taken back', async world => {
  await world.order('faults', { kind: 'rate-limit', count: 100 });
  await world.order('faults', undefined, 'DELETE');
  assert.ok(await world.stripe.balance.retrieve());
});
