// Events and webhooks: what arrives, how often, in which order, and whether it can be believed.
import assert from 'node:assert/strict';
import Stripe from 'stripe';
import { fails, scenario } from '../suite.mjs';

scenario('webhooks arrive signed', async world => {
  const got = await world.listen();
  const intent = await world.paid();
  await world.settle();
  assert.deepEqual(got.types().sort(), ['charge.succeeded', 'payment_intent.created', 'payment_intent.succeeded']);
  const event = got.events.find(each => each.type === 'payment_intent.succeeded');
  assert.equal(event.data.object.id, intent.id);
  assert.equal(event.livemode, false);
  assert.equal(event.api_version, '2026-10-28.endive');
  assert.match(event.request.id, /^req_/);
});

scenario('a webhook with another secret, body or time is not believed', async world => {
  const got = await world.listen();
  await world.paid();
  await world.settle();
  const { body, signature } = got.bodies[0];
  const construct = (...args) => world.stripe.webhooks.constructEvent(...args);
  assert.ok(construct(body, signature, got.secret));
  assert.throws(() => construct(body, signature, 'whsec_other'), Stripe.errors.StripeSignatureVerificationError);
  assert.throws(() => construct(body.replace('usd', 'eur'), signature, got.secret), Stripe.errors.StripeSignatureVerificationError);
  assert.throws(() => construct(body, signature, got.secret, 300, undefined, Date.now() + 400_000));
});

scenario('the key of the call is in its event', async world => {
  const got = await world.listen();
  await world.stripe.customers.create({}, { idempotencyKey: 'mine' });
  await world.settle();
  assert.equal(got.events[0].request.idempotency_key, 'mine');
});

scenario('an endpoint gets what it asked for', async world => {
  const got = await world.listen({ enabled_events: ['payment_intent.succeeded'] });
  await world.paid();
  await world.settle();
  assert.deepEqual(got.types(), ['payment_intent.succeeded']);
});

scenario('an endpoint for connected accounts hears nothing of the platform', async world => {
  const [own, connected] = [await world.listen(), await world.listen({ connect: true })];
  const account = await world.readyAccount();
  await world.stripe.customers.create({}, { stripeAccount: account.id });
  await world.stripe.customers.create();
  await world.settle();
  const accounts = got => new Set(got.events.map(event => event.account));
  assert.deepEqual([...accounts(own)], [undefined]);
  assert.deepEqual([...accounts(connected)], [account.id]);
});

scenario('the secret is shown once', async world => {
  const got = await world.listen();
  assert.match(got.endpoint.secret, /^whsec_/);
  assert.equal((await world.stripe.webhookEndpoints.retrieve(got.endpoint.id)).secret, undefined);
  assert.equal((await world.stripe.webhookEndpoints.list()).data[0].secret, undefined);
});

scenario('endpoints are changed, disabled and deleted', async world => {
  const got = await world.listen();
  const changed = await world.stripe.webhookEndpoints.update(got.endpoint.id, { enabled_events: ['customer.created'], metadata: { a: '1' } });
  assert.deepEqual(changed.enabled_events, ['customer.created']);
  assert.equal((await world.stripe.webhookEndpoints.update(got.endpoint.id, { disabled: true })).status, 'disabled');
  await world.stripe.customers.create();
  await world.settle();
  assert.equal(got.events.length, 0);
  assert.equal((await world.stripe.webhookEndpoints.del(got.endpoint.id)).deleted, true);
  await fails(world.stripe.webhookEndpoints.retrieve(got.endpoint.id), { statusCode: 404 });
});

scenario('endpoints need addresses and events', async ({ stripe }) => {
  await fails(stripe.webhookEndpoints.create({ url: 'nowhere', enabled_events: ['*'] }), { param: 'url' });
  await fails(stripe.webhookEndpoints.create({ url: 'https://example.com/' }), { param: 'enabled_events' });
});

scenario('an endpoint has the version it was made with', async world => {
  const got = await world.listen({ api_version: '2026-09-30.endive' });
  await world.stripe.customers.create();
  await world.settle();
  assert.equal(got.events[0].api_version, '2026-09-30.endive');
});

scenario('events are kept and listed', async world => {
  const customer = await world.stripe.customers.create({ name: 'Ann' });
  await world.stripe.customers.update(customer.id, { name: 'Bea' });
  const { data } = await world.stripe.events.list({ types: ['customer.created', 'customer.updated'] });
  assert.deepEqual(data.map(event => event.type), ['customer.updated', 'customer.created']);
  assert.deepEqual(data[0].data.previous_attributes, { name: 'Ann' });
  assert.equal((await world.stripe.events.retrieve(data[1].id)).data.object.name, 'Ann');
  assert.equal((await world.stripe.events.list({ type: 'customer.updated' })).data.length, 1);
});

scenario('events are kept for 30 days', async world => {
  await world.stripe.customers.create();
  await world.advance(31 * 86400);
  assert.equal((await world.stripe.events.list()).data.length, 0);
});

scenario('an update that changes nothing tells nothing', async world => {
  const customer = await world.stripe.customers.create({ name: 'Ann' });
  await world.stripe.customers.update(customer.id, { name: 'Ann' });
  assert.equal((await world.stripe.events.list({ type: 'customer.updated' })).data.length, 0);
});

scenario('what is not taken is sent again after an hour, three times in all', async world => {
  const got = await world.listen();
  got.status = 500;
  await world.stripe.customers.create();
  await world.settle();
  assert.equal(got.bodies.length, 1);
  const { data: [event] } = await world.stripe.events.list();
  assert.equal(event.pending_webhooks, 1);
  await world.advance(3601);
  await world.settle();
  assert.equal(got.bodies.length, 2);
  got.status = 200;
  await world.advance(7201);
  await world.settle();
  assert.equal(got.events[0].id, event.id);
  assert.equal((await world.stripe.events.retrieve(event.id)).pending_webhooks, 0);
  assert.equal((await world.stripe.events.list({ delivery_success: true })).data.length, 1);
});

scenario('after three attempts nothing more is sent', async world => {
  const got = await world.listen();
  got.status = 500;
  await world.stripe.customers.create();
  for (let i = 0; i < 5; i++) {
    await world.settle();
    await world.advance(86400);
  }
  assert.equal(got.bodies.length, 3);
  assert.equal((await world.stripe.events.list({ delivery_success: false })).data.length, 1);
});

scenario('webhooks are repeated on order', async world => {
  const got = await world.listen();
  await world.order('webhooks', { repeat: 20 });
  await world.stripe.customers.create();
  await world.settle();
  assert.equal(got.events.length, 20);
  assert.equal(new Set(got.events.map(event => event.id)).size, 1);
});

scenario('webhooks are held and shuffled on order', async world => {
  const got = await world.listen();
  await world.order('webhooks', { hold: true });
  for (let i = 0; i < 30; i++) {
    await world.stripe.customers.create({ name: `${i}` });
  }
  await world.settle();
  assert.equal(got.events.length, 0);
  assert.equal((await world.order('webhooks/release?shuffled=true')).released, 30);
  await world.settle();
  const names = got.events.map(event => Number(event.data.object.name));
  assert.equal(new Set(names).size, 30);
  assert.notDeepEqual(names, [...names].sort((a, b) => a - b));
});

scenario('what is ordered about one id changes nothing else', async world => {
  const got = await world.listen();
  const one = await world.stripe.customers.create();
  const other = await world.stripe.customers.create({ metadata: { ours: 'ours_1' } });
  await world.settle();
  got.events.length = 0;
  await world.order('webhooks', { hold: true, about: one.id });
  await world.order('webhooks', { repeat: 3, about: 'ours_1' });
  await world.order('faults', { kind: 'error-before', about: one.id, count: 2 });
  await world.stripe.customers.update(other.id, { name: 'other' });
  await assert.rejects(world.stripe.customers.update(one.id, { name: 'one' }));
  await world.order(`faults?about=${other.id}`, undefined, 'DELETE');
  await assert.rejects(world.stripe.customers.update(one.id, { name: 'one' }));
  await world.stripe.customers.update(one.id, { name: 'one' });
  await world.order('webhooks/settle?about=ours_1');
  assert.deepEqual(got.events.map(event => event.data.object.id), [other.id, other.id, other.id]);

  assert.equal((await world.order('webhooks/lose?about=ours_1')).lost, 0);
  await world.order('webhooks', { about: one.id });
  await world.stripe.customers.update(one.id, { name: 'one again' });
  await world.settle();
  assert.equal(got.events.at(-1).data.object.name, 'one again');
  assert.equal((await world.order(`webhooks/release?about=${one.id}`)).released, 1);
  await world.settle();
  assert.equal(got.events.at(-1).data.object.name, 'one');
});

scenario('webhooks are delayed on order', async world => {
  const got = await world.listen();
  await world.order('webhooks', { delay: 600 });
  await world.stripe.customers.create();
  await world.settle();
  assert.equal(got.events.length, 0);
  await world.advance(601);
  await world.settle();
  assert.equal(got.events.length, 1);
});

scenario('webhooks are lost on order, and found in the events', async world => {
  const got = await world.listen();
  await world.order('webhooks', { hold: true, types: ['customer.created'] });
  const customer = await world.stripe.customers.create();
  await world.order('webhooks/lose');
  await world.settle();
  assert.equal(got.events.length, 0);
  const { data: [event] } = await world.stripe.events.list({ type: 'customer.created' });
  assert.equal(event.data.object.id, customer.id);
});

scenario('a first attempt is dropped on order, and the schedule makes up for it', async world => {
  const got = await world.listen();
  await world.order('webhooks', { drop: 1 });
  await world.stripe.customers.create();
  await world.settle();
  assert.equal(got.events.length, 0);
  await world.advance(3601);
  await world.settle();
  assert.equal(got.events.length, 1);
});

scenario('an event is sent again on order', async world => {
  const got = await world.listen();
  await world.stripe.customers.create();
  await world.settle();
  await world.order(`events/${got.events[0].id}/resend`);
  await world.settle();
  assert.deepEqual(got.events.map(event => event.id), [got.events[0].id, got.events[0].id]);
});

scenario('a rolled secret and the one before it both sign', async world => {
  const got = await world.listen();
  const older = got.secret;
  const { secret } = await world.order(`webhooks/${got.endpoint.id}/roll`);
  await world.stripe.customers.create();
  await world.settle();
  const { body, signature } = got.bodies[0];
  assert.equal(signature.match(/v1=/g).length, 2);
  for (const each of [older, secret]) {
    assert.ok(world.stripe.webhooks.constructEvent(body, signature, each));
  }
});
