// Scenarios: each has a key, and with it a Stripe, of its own, so that all run side by side.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import Stripe from 'stripe';
import { check, observed } from './observe.mjs';

const all = [];

/** @param {(world: World) => Promise<void>} run */
export function scenario(name, run) {
  all.push({ name, run });
}

/** A scenario's own Stripe, and the orders that only the sandbox takes. */
class World {
  constructor(url) {
    this.url = new URL(url);
    this.name = randomBytes(12).toString('hex');
    this.key = `sk_test_${this.name}`;
    this.stripe = this.client(this.key);
    this.closing = [];
  }

  /** The package with the address of the sandbox; nothing else about it is changed. */
  client(key, options = {}) {
    return new Stripe(key, {
      host: this.url.hostname,
      port: this.url.port,
      protocol: 'http',
      maxNetworkRetries: 0,
      telemetry: false,
      httpClient: Stripe.createFetchHttpClient(observed),
      ...options,
    });
  }

  async order(path, body, method = 'POST') {
    const separator = path.includes('?') ? '&' : '?';
    const answer = await fetch(new URL(`/sandbox/stripe/${path}${separator}key=${this.key}`, this.url), {
      method,
      headers: { 'content-type': 'application/json' },
      body: method === 'POST' ? JSON.stringify(body ?? {}) : undefined,
    });
    const json = await answer.json();
    assert.ok(answer.ok, `${path}: ${JSON.stringify(json)}`);
    return json;
  }

  advance(seconds) {
    return this.order('clock', { seconds });
  }

  /** Sends a form of a hosted page. */
  visit(url, form) {
    return fetch(url, {
      method: form ? 'POST' : 'GET',
      redirect: 'manual',
      headers: form ? { 'content-type': 'application/x-www-form-urlencoded' } : {},
      body: form && new URLSearchParams(form).toString(),
    });
  }

  /** A receiver of webhooks, which the package's constructEvent has to accept. */
  async listen(params = {}) {
    const got = { events: [], bodies: [], status: 200 };
    const server = createServer((request, response) => {
      const pieces = [];
      request.on('data', piece => pieces.push(piece));
      request.on('end', () => {
        const body = Buffer.concat(pieces).toString('utf8');
        got.bodies.push({ body, signature: request.headers['stripe-signature'] });
        if (got.status === 200) {
          const event = this.stripe.webhooks.constructEvent(body, request.headers['stripe-signature'], got.secret);
          check(JSON.parse(body), 'webhook');
          got.events.push(event);
        }
        response.writeHead(got.status).end();
      });
    });
    await new Promise(done => server.listen(0, '127.0.0.1', done));
    this.closing.push(() => server.close());
    const endpoint = await this.stripe.webhookEndpoints.create({
      url: `http://127.0.0.1:${server.address().port}/`, enabled_events: ['*'], ...params,
    });
    got.endpoint = endpoint;
    got.secret = endpoint.secret;
    got.types = () => got.events.map(event => event.type);
    return got;
  }

  settle() {
    return this.order('webhooks/settle');
  }

  async paid(amount = 1000, method = 'pm_card_bypassPending', more = {}) {
    return this.stripe.paymentIntents.create({
      amount, currency: 'usd', payment_method: method, confirm: true, allowed_payment_method_types: ['card'], ...more,
    });
  }

  async readyAccount(more = {}) {
    const account = await this.stripe.accounts.create({
      controller: { fees: { payer: 'application' }, losses: { payments: 'application' }, stripe_dashboard: { type: 'express' } },
      capabilities: { transfers: { requested: true } },
      settings: { payouts: { schedule: { interval: 'manual' } } },
      ...more,
    });
    await this.order(`accounts/${account.id}`, { name: 'ready' });
    return account;
  }
}

/** The error that a promise ends with, which has to have these members. */
export async function fails(promise, expected) {
  try {
    await promise;
  } catch (error) {
    for (const [name, value] of Object.entries(expected)) {
      assert.equal(error[name], value, `${name} of ${error.message}`);
    }
    return error;
  }
  assert.fail(`nothing was refused, expected ${JSON.stringify(expected)}`);
}

/** Runs the scenarios, a few at a time. */
export async function runAll(url, only) {
  const failed = [];
  const waiting = all.filter(each => !only || each.name.includes(only));
  const count = waiting.length;
  await Promise.all(Array.from({ length: 6 }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const world = new World(url);
      try {
        await next.run(world);
      } catch (error) {
        failed.push({ name: next.name, error: String(error.stack ?? error) });
      } finally {
        world.closing.forEach(close => close());
      }
    }
  }));
  return { count, failed };
}
