// node rate.mjs URL: payments a second that the sandbox takes, with 32 callers, for five seconds.
const [url] = process.argv.slice(2);
const key = `sk_test_rate${Date.now()}`;
const body = 'amount=1000&currency=usd&confirm=true&payment_method=pm_card_bypassPending&allowed_payment_method_types[]=card';
const end = performance.now() + 5000;
let count = 0;
const times = [];
await Promise.all(Array.from({ length: 32 }, async () => {
  while (performance.now() < end) {
    const start = performance.now();
    const answer = await fetch(new URL('/v1/payment_intents', url), {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded', 'idempotency-key': `${count++}` },
      body,
    });
    if ((await answer.json()).status !== 'succeeded') {
      throw new Error('a payment did not succeed');
    }
    times.push(performance.now() - start);
  }
}));
times.sort((a, b) => a - b);
console.log(`${Math.round(times.length / 5)} payments/s, p99 ${times[Math.floor(times.length * 0.99)].toFixed(1)} ms`);
