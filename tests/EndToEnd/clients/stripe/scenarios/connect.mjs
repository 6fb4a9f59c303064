// Connected accounts: onboarding, capabilities, transfers, reversals, payouts.
import assert from 'node:assert/strict';
import { fails, scenario } from '../suite.mjs';

const express = {
  controller: { fees: { payer: 'application' }, losses: { payments: 'application' }, stripe_dashboard: { type: 'express' } },
  capabilities: { transfers: { requested: true } },
};

scenario('a new account has everything to tell', async ({ stripe }) => {
  const account = await stripe.accounts.create({ ...express, email: 'a@example.com', country: 'DE', metadata: { customer: '1' } });
  assert.match(account.id, /^acct_/);
  assert.equal(account.details_submitted, false);
  assert.equal(account.payouts_enabled, false);
  assert.equal(account.capabilities.transfers, 'inactive');
  assert.equal(account.default_currency, 'eur');
  assert.ok(account.requirements.currently_due.includes('external_account'));
  assert.equal(account.controller.stripe_dashboard.type, 'express');
  assert.equal((await stripe.accounts.retrieve(account.id)).email, 'a@example.com');
  assert.equal((await stripe.accounts.list()).data.length, 1);
});

scenario('the older types of accounts', async ({ stripe }) => {
  const account = await stripe.accounts.create({ type: 'express', capabilities: { transfers: { requested: true } } });
  assert.equal(account.type, 'express');
  assert.equal(account.controller.stripe_dashboard.type, 'express');
  await fails(stripe.accounts.create({ ...express, type: 'express' }), { param: 'type' });
});

scenario('the platform\'s own account', async ({ stripe }) => {
  const own = await stripe.accounts.retrieveCurrent();
  assert.equal(own.charges_enabled, true);
});

scenario('an unknown capability is refused', async ({ stripe }) => {
  await fails(stripe.accounts.create({ capabilities: { flying: { requested: true } } }), { param: 'capabilities[flying]' });
});

scenario('the onboarding page makes an account ready', async world => {
  const account = await world.stripe.accounts.create(express);
  const link = await world.stripe.accountLinks.create({
    account: account.id, type: 'account_onboarding', refresh_url: 'https://example.com/again', return_url: 'https://example.com/done',
    collection_options: { fields: 'eventually_due' },
  });
  assert.equal(link.expires_at - link.created, 300);
  const form = await (await world.visit(link.url)).text();
  assert.match(form, /Account number of your bank/);
  const half = await world.visit(link.url, {
    step: 'save', business_type: 'individual', 'individual.first_name': 'Jenny', 'individual.last_name': 'Rosen',
  });
  assert.equal(half.status, 200);
  const between = await world.stripe.accounts.retrieve(account.id);
  assert.deepEqual(between.requirements.currently_due, [
    'individual.dob.year', 'individual.address.line1', 'external_account', 'tos_acceptance.date',
  ]);
  const done = await world.visit(link.url, {
    step: 'save', 'individual.dob.year': '1990', 'individual.address.line1': 'address_full_match', external_account: '000123456789',
    'tos_acceptance.date': 'yes',
  });
  assert.equal(done.headers.get('location'), 'https://example.com/done');
  const ready = await world.stripe.accounts.retrieve(account.id);
  assert.deepEqual([ready.details_submitted, ready.payouts_enabled, ready.capabilities.transfers], [true, true, 'active']);
  assert.equal(ready.external_accounts.data[0].last4, '6789');
  assert.equal(ready.requirements.disabled_reason, null);
});

scenario('an onboarding link is for one visit and five minutes', async world => {
  const account = await world.stripe.accounts.create(express);
  const link = () => world.stripe.accountLinks.create({
    account: account.id, type: 'account_onboarding', refresh_url: 'https://example.com/again', return_url: 'https://example.com/done',
  });
  const once = await link();
  assert.equal((await world.visit(once.url)).status, 200);
  assert.equal((await world.visit(once.url)).headers.get('location'), 'https://example.com/again');
  const late = await link();
  await world.advance(301);
  assert.equal((await world.visit(late.url)).headers.get('location'), 'https://example.com/again');
});

scenario('onboarding can be left and finished later', async world => {
  const account = await world.stripe.accounts.create(express);
  const link = await world.stripe.accountLinks.create({
    account: account.id, type: 'account_onboarding', refresh_url: 'https://example.com/again', return_url: 'https://example.com/done',
  });
  await world.visit(link.url);
  const left = await world.visit(link.url, { step: 'later' });
  assert.equal(left.headers.get('location'), 'https://example.com/done');
  assert.equal((await world.stripe.accounts.retrieve(account.id)).details_submitted, false);
});

scenario('links need an account and addresses', async ({ stripe }) => {
  const account = await stripe.accounts.create(express);
  const params = { type: 'account_onboarding', refresh_url: 'https://example.com/', return_url: 'https://example.com/' };
  await fails(stripe.accountLinks.create({ ...params, account: 'acct_nobody' }), { param: 'account' });
  await fails(stripe.accountLinks.create({ ...params, account: account.id, return_url: 'nowhere' }), { param: 'return_url' });
});

for (const [state, details, payouts, transfers, reason] of [
  ['not_begun', false, false, 'inactive', 'requirements.past_due'],
  ['incomplete', false, false, 'inactive', 'requirements.past_due'],
  ['under_review', true, false, 'pending', 'requirements.pending_verification'],
  ['restricted', true, false, 'inactive', 'requirements.past_due'],
  ['ready', true, true, 'active', null],
]) {
  scenario(`an account that is ${state}`, async world => {
    const account = await world.stripe.accounts.create(express);
    await world.order(`accounts/${account.id}`, { name: state });
    const seen = await world.stripe.accounts.retrieve(account.id);
    assert.deepEqual(
      [seen.details_submitted, seen.payouts_enabled, seen.capabilities.transfers, seen.requirements.disabled_reason],
      [details, payouts, transfers, reason],
    );
  });
}

scenario('the platform hears of an account that changes', async world => {
  const got = await world.listen({ connect: true });
  const account = await world.readyAccount();
  await world.settle();
  const updated = got.events.filter(event => event.type === 'account.updated').at(-1);
  assert.equal(updated.account, account.id);
  assert.equal(updated.data.object.payouts_enabled, true);
  assert.ok(got.types().includes('capability.updated'));
});

scenario('an account that cuts the platform off', async world => {
  const got = await world.listen({ connect: true });
  const account = await world.readyAccount();
  await world.order(`accounts/${account.id}`, { name: 'deauthorized' });
  await world.settle();
  assert.ok(got.types().includes('account.application.deauthorized'));
  await fails(world.stripe.accounts.retrieve(account.id), { type: 'StripePermissionError', statusCode: 403, code: 'account_invalid' });
  await fails(world.stripe.balance.retrieve({}, { stripeAccount: account.id }), { statusCode: 403 });
});

scenario('an account that does not exist cannot be acted for', async ({ stripe }) => {
  await fails(stripe.balance.retrieve({}, { stripeAccount: 'acct_nobody' }), { statusCode: 403, code: 'account_invalid' });
});

scenario('capabilities are shown and asked for', async world => {
  const account = await world.readyAccount();
  const { data } = await world.stripe.accounts.listCapabilities(account.id);
  assert.deepEqual(data.map(each => [each.id, each.status]), [['transfers', 'active']]);
  const asked = await world.stripe.accounts.updateCapability(account.id, 'card_payments', { requested: true });
  assert.equal(asked.status, 'active');
  assert.equal((await world.stripe.accounts.retrieveCapability(account.id, 'transfers')).requested, true);
  assert.equal((await world.stripe.accounts.retrieve(account.id)).charges_enabled, true);
});

scenario('external accounts are added, listed and deleted', async world => {
  const account = await world.readyAccount();
  const bank = await world.stripe.accounts.createExternalAccount(account.id, {
    external_account: { object: 'bank_account', country: 'US', currency: 'usd', routing_number: '110000000', account_number: '000111111116' },
  });
  assert.equal(bank.last4, '1116');
  assert.equal(bank.default_for_currency, true);
  const { data } = await world.stripe.accounts.listExternalAccounts(account.id);
  assert.equal(data.length, 2);
  await fails(world.stripe.accounts.deleteExternalAccount(account.id, bank.id), { statusCode: 400 });
  assert.equal((await world.stripe.accounts.deleteExternalAccount(account.id, data[1].id)).deleted, true);
});

scenario('an account is told things by the platform', async world => {
  const account = await world.stripe.accounts.create({ type: 'custom', capabilities: { transfers: { requested: true } } });
  const updated = await world.stripe.accounts.update(account.id, {
    business_type: 'individual',
    individual: { first_name: 'Jenny', last_name: 'Rosen', dob: { day: 1, month: 1, year: 1990 }, address: { line1: 'address_full_match' } },
    external_account: { object: 'bank_account', country: 'US', currency: 'usd', account_number: '000123456789', routing_number: '110000000' },
    tos_acceptance: { date: 1_700_000_000, ip: '127.0.0.1' },
  });
  assert.deepEqual(updated.requirements.currently_due, []);
  assert.equal(updated.payouts_enabled, true);
});

scenario('login links are for Express accounts that are on board', async world => {
  const account = await world.stripe.accounts.create(express);
  await fails(world.stripe.accounts.createLoginLink(account.id), { statusCode: 400 });
  await world.order(`accounts/${account.id}`, { name: 'ready' });
  const link = await world.stripe.accounts.createLoginLink(account.id);
  assert.match(await (await world.visit(link.url)).text(), /Your account/);
});

scenario('accounts are rejected and deleted', async world => {
  const account = await world.readyAccount();
  assert.equal((await world.stripe.accounts.reject(account.id, { reason: 'fraud' })).requirements.disabled_reason, 'rejected.fraud');
  assert.equal((await world.stripe.accounts.del(account.id)).deleted, true);
  await fails(world.stripe.accounts.retrieve(account.id), { statusCode: 403 });
});

scenario('a transfer moves what is available', async world => {
  const account = await world.readyAccount();
  await world.paid(10_000);
  const transfer = await world.stripe.transfers.create({
    amount: 5000, currency: 'usd', destination: account.id, transfer_group: 'g', metadata: { payout: '1' },
  });
  assert.match(transfer.id, /^tr_/);
  assert.match(transfer.destination_payment, /^py_/);
  assert.equal((await world.stripe.balance.retrieve()).available[0].amount, 4680);
  assert.equal((await world.stripe.balance.retrieve({}, { stripeAccount: account.id })).available[0].amount, 5000);
  assert.equal((await world.stripe.transfers.list({ destination: account.id })).data[0].id, transfer.id);
  assert.equal((await world.stripe.transfers.list({ transfer_group: 'other' })).data.length, 0);
  const payment = await world.stripe.charges.retrieve(transfer.destination_payment, {}, { stripeAccount: account.id });
  assert.equal(payment.source_transfer, transfer.id);
});

scenario('a transfer of what is not available is refused', async world => {
  const account = await world.readyAccount();
  await world.paid(10_000, 'pm_card_visa');
  await fails(world.stripe.transfers.create({ amount: 100, currency: 'usd', destination: account.id }), {
    statusCode: 400, code: 'balance_insufficient',
  });
});

scenario('a transfer from a charge waits with its money', async world => {
  const account = await world.readyAccount();
  const intent = await world.paid(10_000, 'pm_card_visa');
  await fails(world.stripe.transfers.create({
    amount: 10_001, currency: 'usd', destination: account.id, source_transaction: intent.latest_charge,
  }), { param: 'amount' });
  await world.stripe.transfers.create({ amount: 5000, currency: 'usd', destination: account.id, source_transaction: intent.latest_charge });
  assert.equal((await world.stripe.balance.retrieve({}, { stripeAccount: account.id })).pending[0].amount, 5000);
  await world.advance(2 * 86400 + 1);
  assert.equal((await world.stripe.balance.retrieve({}, { stripeAccount: account.id })).available[0].amount, 5000);
});

scenario('a transfer to an account that is not ready is refused', async world => {
  const account = await world.stripe.accounts.create(express);
  await world.paid(10_000);
  await fails(world.stripe.transfers.create({ amount: 100, currency: 'usd', destination: account.id }), {
    statusCode: 400, code: 'insufficient_capabilities_for_transfer',
  });
  await fails(world.stripe.transfers.create({ amount: 100, currency: 'usd', destination: 'acct_nobody' }), {
    code: 'resource_missing', param: 'destination',
  });
  await fails(world.stripe.transfers.create({ amount: 0, currency: 'usd', destination: account.id }), { param: 'amount' });
});

scenario('a transfer is reversed in parts and no more', async world => {
  const account = await world.readyAccount();
  await world.paid(10_000);
  const transfer = await world.stripe.transfers.create({ amount: 5000, currency: 'usd', destination: account.id });
  const reversal = await world.stripe.transfers.createReversal(transfer.id, { amount: 2000, metadata: { a: '1' } });
  assert.match(reversal.id, /^trr_/);
  const partly = await world.stripe.transfers.retrieve(transfer.id);
  assert.deepEqual([partly.amount_reversed, partly.reversed, partly.reversals.data.length], [2000, false, 1]);
  await fails(world.stripe.transfers.createReversal(transfer.id, { amount: 3001 }), { param: 'amount' });
  await world.stripe.transfers.createReversal(transfer.id);
  assert.equal((await world.stripe.transfers.retrieve(transfer.id)).reversed, true);
  assert.equal((await world.stripe.transfers.listReversals(transfer.id)).data.length, 2);
  assert.equal((await world.stripe.balance.retrieve()).available[0].amount, 9680);
});

scenario('what the account has paid out cannot be reversed', async world => {
  const account = await world.readyAccount();
  await world.paid(10_000);
  const transfer = await world.stripe.transfers.create({ amount: 5000, currency: 'usd', destination: account.id });
  await world.stripe.payouts.create({ amount: 5000, currency: 'usd' }, { stripeAccount: account.id });
  await fails(world.stripe.transfers.createReversal(transfer.id), { code: 'balance_insufficient' });
});

scenario('an account pays out', async world => {
  const account = await world.readyAccount();
  const on = { stripeAccount: account.id };
  await world.paid(10_000);
  await world.stripe.transfers.create({ amount: 5000, currency: 'usd', destination: account.id });
  await fails(world.stripe.payouts.create({ amount: 5001, currency: 'usd' }, on), { code: 'balance_insufficient' });
  const payout = await world.stripe.payouts.create({ amount: 3000, currency: 'usd' }, on);
  assert.equal(payout.status, 'pending');
  await world.advance(10);
  assert.equal((await world.stripe.payouts.retrieve(payout.id, {}, on)).status, 'paid');
  const canceled = await world.stripe.payouts.create({ amount: 2000, currency: 'usd' }, on);
  assert.equal((await world.stripe.payouts.cancel(canceled.id, {}, on)).status, 'canceled');
  assert.equal((await world.stripe.balance.retrieve({}, on)).available[0].amount, 2000);
});

scenario('a payout fails at the bank and the money is back', async world => {
  const account = await world.readyAccount();
  const on = { stripeAccount: account.id };
  await world.stripe.accounts.createExternalAccount(account.id, {
    external_account: { object: 'bank_account', country: 'US', currency: 'usd', routing_number: '110000000', account_number: '000111111116' },
  });
  await world.paid(10_000);
  await world.stripe.transfers.create({ amount: 5000, currency: 'usd', destination: account.id });
  const payout = await world.stripe.payouts.create({ amount: 5000, currency: 'usd' }, on);
  await world.advance(10);
  const failed = await world.stripe.payouts.retrieve(payout.id, {}, on);
  assert.deepEqual([failed.status, failed.failure_code], ['failed', 'no_account']);
  assert.equal((await world.stripe.balance.retrieve({}, on)).available[0].amount, 5000);
});

scenario('an account with the usual schedule is paid out every day', async world => {
  const account = await world.readyAccount({ settings: { payouts: { schedule: { interval: 'daily' } } } });
  const on = { stripeAccount: account.id };
  await world.paid(10_000);
  await world.stripe.transfers.create({ amount: 5000, currency: 'usd', destination: account.id });
  await world.advance(86400 + 10);
  const { data } = await world.stripe.payouts.list({}, on);
  assert.deepEqual(data.map(each => [each.amount, each.automatic, each.status]), [[5000, true, 'paid']]);
});

scenario('a payment that names a destination sends it its share', async world => {
  const account = await world.readyAccount();
  const intent = await world.paid(10_000, 'pm_card_bypassPending', { transfer_data: { destination: account.id, amount: 8000 } });
  const [transfer] = (await world.stripe.transfers.list({ destination: account.id })).data;
  assert.deepEqual([transfer.amount, transfer.source_transaction], [8000, intent.latest_charge]);
  const refund = await world.stripe.refunds.create({ payment_intent: intent.id, amount: 3000, reverse_transfer: true });
  assert.equal((await world.stripe.transfers.retrieve(transfer.id)).amount_reversed, 3000);
  assert.match(refund.transfer_reversal, /^trr_/);
});
