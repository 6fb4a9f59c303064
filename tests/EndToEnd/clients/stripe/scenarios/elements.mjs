// The stand-in for Stripe.js, with the little of a browser that it needs.
import assert from 'node:assert/strict';
import { createContext, runInContext } from 'node:vm';
import { scenario } from '../suite.mjs';

/** A page with one place to mount a form into. */
async function page(world) {
  class Node {
    children = [];
    listeners = {};
    value = '';
    append(...all) { this.children.push(...all); }
    replaceChildren(...all) { this.children = all; }
    setAttribute(name, value) { this[name] = value; }
    addEventListener(name, listener) { this.listeners[name] = listener; }
    find(name) { return this.name === name ? this : this.children.map(each => each.find?.(name)).find(Boolean); }
    type(name, value) {
      const input = this.find(name);
      input.value = value;
      input.listeners.input?.();
    }
  }
  const body = new Node();
  const went = [];
  const window = {};
  const context = createContext({
    window, fetch, setTimeout, URL, encodeURIComponent, Promise,
    document: { createElement: () => new Node(), querySelector: () => body, activeElement: null },
    location: { href: 'http://shop.example/', assign: url => went.push(url) },
  });
  runInContext(await (await fetch(new URL('/v3/', world.url))).text(), context);
  return { stripe: window.Stripe(`pk_test_${world.name}`), Stripe: window.Stripe, body, went };
}

function fill(body, number) {
  body.type('number', number);
  body.type('expiry', '12 / 40');
  body.type('cvc', '123');
}

scenario('Stripe.js takes no secret and no live key', async world => {
  const { Stripe } = await page(world);
  assert.throws(() => Stripe('pk_live_1'), /publishable test keys/);
  assert.throws(() => Stripe(world.key), /publishable test keys/);
});

scenario('a form of Stripe.js pays', async world => {
  const { stripe, body } = await page(world);
  const intent = await world.stripe.paymentIntents.create({ amount: 1500, currency: 'usd', automatic_payment_methods: { enabled: true } });
  const elements = stripe.elements({ clientSecret: intent.client_secret });
  const changes = [];
  elements.create('payment').on('change', change => changes.push(change.complete)).mount('#pay');
  assert.match((await stripe.confirmPayment({ elements, redirect: 'if_required' })).error.message, /incomplete/);
  fill(body, '4000 0000 0000 0002');
  assert.equal(changes.at(-1), true);
  const declined = await stripe.confirmPayment({ elements, redirect: 'if_required', confirmParams: { return_url: 'http://shop.example/ok' } });
  assert.deepEqual([declined.error.type, declined.error.code], ['card_error', 'card_declined']);
  fill(body, '4242 4242 4242 4242');
  const done = await stripe.confirmPayment({ elements, redirect: 'if_required', confirmParams: { return_url: 'http://shop.example/ok' } });
  assert.equal(done.paymentIntent.status, 'succeeded');
  assert.equal((await stripe.retrievePaymentIntent(intent.client_secret)).paymentIntent.status, 'succeeded');
});

scenario('a form of Stripe.js goes to the bank and back', async world => {
  const { stripe, body, went } = await page(world);
  const intent = await world.stripe.paymentIntents.create({ amount: 1500, currency: 'usd', automatic_payment_methods: { enabled: true } });
  const elements = stripe.elements({ clientSecret: intent.client_secret });
  elements.create('payment').mount('#pay');
  fill(body, '4000000000003220');
  // A browser leaves the page here, so the promise never ends.
  stripe.confirmPayment({ elements, confirmParams: { return_url: 'http://shop.example/ok' } });
  while (went.length === 0) {
    await new Promise(done => setTimeout(done, 5));
  }
  const back = await world.visit(went[0], { outcome: 'complete' });
  assert.match(back.headers.get('location'), /^http:\/\/shop\.example\/ok\?payment_intent=pi_/);
  assert.equal((await world.stripe.paymentIntents.retrieve(intent.id)).status, 'succeeded');
});

scenario('a form of Stripe.js saves a card', async world => {
  const { stripe, body } = await page(world);
  const customer = await world.stripe.customers.create();
  const intent = await world.stripe.setupIntents.create({ customer: customer.id, automatic_payment_methods: { enabled: true } });
  const elements = stripe.elements({ clientSecret: intent.client_secret });
  elements.create('payment').mount('#pay');
  fill(body, '5555555555554444');
  const done = await stripe.confirmSetup({ elements, redirect: 'if_required', confirmParams: { return_url: 'http://shop.example/ok' } });
  assert.equal(done.setupIntent.status, 'succeeded');
  assert.equal((await world.stripe.paymentMethods.list({ customer: customer.id })).data[0].card.last4, '4444');
});
