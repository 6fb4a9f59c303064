// Refunds and disputes.
import assert from 'node:assert/strict';
import { fails, scenario } from '../suite.mjs';

scenario('a payment is refunded in parts and no more', async world => {
  const intent = await world.paid(1000);
  const refund = await world.stripe.refunds.create({ payment_intent: intent.id, amount: 400, reason: 'requested_by_customer' });
  assert.equal(refund.status, 'succeeded');
  await fails(world.stripe.refunds.create({ payment_intent: intent.id, amount: 601 }), { statusCode: 400, param: 'amount' });
  await world.stripe.refunds.create({ charge: intent.latest_charge });
  const charge = await world.stripe.charges.retrieve(intent.latest_charge);
  assert.equal(charge.amount_refunded, 1000);
  assert.equal(charge.refunded, true);
  await fails(world.stripe.refunds.create({ charge: intent.latest_charge }), { code: 'charge_already_refunded' });
  assert.equal((await world.stripe.refunds.list({ payment_intent: intent.id })).data.length, 2);
});

scenario('a refund takes money and gives no fee back', async world => {
  const intent = await world.paid(10_000);
  const refund = await world.stripe.refunds.create({ payment_intent: intent.id, expand: ['balance_transaction', 'charge'] });
  assert.equal(refund.balance_transaction.amount, -10_000);
  assert.equal(refund.charge.refunded, true);
  assert.equal((await world.stripe.balance.retrieve()).available[0].amount, -320);
});

scenario('what was not paid is not refunded', async world => {
  const intent = await world.stripe.paymentIntents.create({ amount: 1000, currency: 'usd' });
  await fails(world.stripe.refunds.create({ payment_intent: intent.id }), { statusCode: 400, param: 'payment_intent' });
  await fails(world.stripe.refunds.create({}), { code: 'parameter_missing' });
  await fails(world.stripe.refunds.create({ charge: 'ch_nothing' }), { code: 'resource_missing' });
  const held = await world.paid(1000, 'pm_card_visa', { capture_method: 'manual' });
  await fails(world.stripe.refunds.create({ payment_intent: held.id }), { statusCode: 400 });
});

scenario('amounts of refunds are positive', async world => {
  const intent = await world.paid(1000);
  await fails(world.stripe.refunds.create({ payment_intent: intent.id, amount: 0 }), { param: 'amount' });
  await fails(world.stripe.refunds.create({ payment_intent: intent.id, amount: -1 }), { param: 'amount' });
});

scenario('a refund is pending and succeeds later', async world => {
  const intent = await world.paid(1000, 'pm_card_pendingRefund');
  const refund = await world.stripe.refunds.create({ payment_intent: intent.id });
  assert.equal(refund.status, 'pending');
  await world.advance(10);
  assert.equal((await world.stripe.refunds.retrieve(refund.id)).status, 'succeeded');
});

scenario('a refund fails after it had succeeded, and the money is back', async world => {
  const intent = await world.paid(10_000, 'pm_card_refundFail');
  const refund = await world.stripe.refunds.create({ payment_intent: intent.id });
  assert.equal(refund.status, 'succeeded');
  await world.advance(10);
  const failed = await world.stripe.refunds.retrieve(refund.id, { expand: ['failure_balance_transaction'] });
  assert.equal(failed.status, 'failed');
  assert.equal(failed.failure_reason, 'expired_or_canceled_card');
  assert.equal(failed.failure_balance_transaction.amount, 10_000);
  assert.equal((await world.stripe.charges.retrieve(intent.latest_charge)).amount_refunded, 0);
  const events = (await world.stripe.events.list({ types: ['refund.failed', 'refund.updated', 'charge.refund.updated'] })).data;
  assert.deepEqual(events.map(event => event.type).sort(), ['charge.refund.updated', 'refund.failed', 'refund.updated']);
});

scenario('a refund can be annotated and cannot be canceled', async world => {
  const intent = await world.paid(1000);
  const refund = await world.stripe.refunds.create({ payment_intent: intent.id });
  assert.equal((await world.stripe.refunds.update(refund.id, { metadata: { a: '1' } })).metadata.a, '1');
  await fails(world.stripe.refunds.cancel(refund.id), { statusCode: 400 });
});

async function disputed(world, method = 'pm_card_createDispute') {
  const intent = await world.paid(10_000, method);
  await world.advance(2);
  const { data: [dispute] } = await world.stripe.disputes.list({ payment_intent: intent.id });
  return { intent, dispute };
}

scenario('a dispute takes the money and a fee', async world => {
  const { intent, dispute } = await disputed(world);
  assert.equal(dispute.status, 'needs_response');
  assert.equal(dispute.reason, 'fraudulent');
  assert.match(dispute.id, /^du_/);
  assert.equal(dispute.balance_transactions[0].net, -11_500);
  assert.equal((await world.stripe.charges.retrieve(intent.latest_charge)).disputed, true);
  await fails(world.stripe.refunds.create({ payment_intent: intent.id }), { code: 'charge_disputed' });
  const types = (await world.stripe.events.list({ type: 'charge.dispute.*' })).data.map(event => event.type);
  assert.deepEqual(types, ['charge.dispute.funds_withdrawn', 'charge.dispute.created']);
});

scenario('a dispute is won by winning_evidence', async world => {
  const { dispute } = await disputed(world);
  const answered = await world.stripe.disputes.update(dispute.id, { evidence: { uncategorized_text: 'winning_evidence' } });
  assert.equal(answered.status, 'under_review');
  assert.equal(answered.evidence_details.submission_count, 1);
  await world.advance(2);
  const won = await world.stripe.disputes.retrieve(dispute.id);
  assert.equal(won.status, 'won');
  assert.equal(won.balance_transactions.reduce((sum, each) => sum + each.net, 0), 0);
  const types = (await world.stripe.events.list({ type: 'charge.dispute.*' })).data.map(event => event.type);
  assert.deepEqual(types.slice(0, 2), ['charge.dispute.closed', 'charge.dispute.funds_reinstated']);
});

scenario('a dispute is lost by losing_evidence', async world => {
  const { dispute } = await disputed(world, 'pm_card_createDisputeProductNotReceived');
  assert.equal(dispute.reason, 'product_not_received');
  await world.stripe.disputes.update(dispute.id, { evidence: { uncategorized_text: 'losing_evidence' } });
  await world.advance(2);
  assert.equal((await world.stripe.disputes.retrieve(dispute.id)).status, 'lost');
  await fails(world.stripe.disputes.update(dispute.id, { metadata: { a: '1' } }), { code: 'dispute_already_closed' });
});

scenario('evidence is staged before it is handed in', async world => {
  const { dispute } = await disputed(world);
  const staged = await world.stripe.disputes.update(dispute.id, { evidence: { customer_name: 'Ann' }, submit: false });
  assert.equal(staged.status, 'needs_response');
  assert.equal(staged.evidence.customer_name, 'Ann');
  assert.equal(staged.evidence_details.has_evidence, true);
});

scenario('a dispute is given up', async world => {
  const { dispute } = await disputed(world);
  assert.equal((await world.stripe.disputes.close(dispute.id)).status, 'lost');
});

scenario('an inquiry takes no money', async world => {
  const { intent, dispute } = await disputed(world, 'pm_card_createDisputeInquiry');
  assert.equal(dispute.status, 'warning_needs_response');
  assert.deepEqual(dispute.balance_transactions, []);
  assert.equal((await world.stripe.refunds.create({ payment_intent: intent.id })).status, 'succeeded');
});
