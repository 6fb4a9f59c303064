// node run.mjs URL [ONLY]: runs all scenarios against the sandbox whose Stripe is at the URL, and prints what came of them as JSON.
import { seen } from './observe.mjs';
import { runAll } from './suite.mjs';
import './scenarios/wire.mjs';
import './scenarios/payments.mjs';
import './scenarios/refunds.mjs';
import './scenarios/connect.mjs';
import './scenarios/webhooks.mjs';
import './scenarios/faults.mjs';
import './scenarios/billing.mjs';
import './scenarios/elements.mjs';

const [url, only] = process.argv.slice(2);
const { count, failed } = await runAll(url, only);
console.log(JSON.stringify({
  count, failed, answers: seen.answers, objects: seen.objects, kinds: [...seen.kinds].sort(), wrong: [...new Set(seen.wrong)],
}, null, 2));
