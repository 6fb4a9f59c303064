// A browser that reaches the gateway, the sandbox's Stripe and the shop's page, and nothing else of the world.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];
const LIMIT = 15_000;

/** The page is one of an origin that the project allows; no server listens there. */
const SHOP = 'https://app.example.com';

/** Publishable keys of the vendor are built into the components; the page puts the gateway's in their place, as docs/billing.md says. */
const html = key => `<!doctype html>
<meta charset="utf-8">
<title>Shop</title>
<div id="root"></div>
<script src="https://js.stripe.com/v3/"></script>
<script>
  const theirs = window.Stripe;
  window.Stripe = Object.assign((key, options) => theirs("${key}", options), theirs);
</script>
<script src="/page.js"></script>`;

function program() {
  const found = PROGRAMS.flatMap(name => process.env.PATH.split(delimiter).map(folder => join(folder, name))).find(existsSync);
  if (!found) {
    throw new Error(`None of ${PROGRAMS.join(', ')} is installed: use './dev test', or install Chromium.`);
  }
  return found;
}

async function bundle() {
  const { outputFiles } = await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: ['page.jsx'],
    bundle: true,
    write: false,
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  return outputFiles[0].text;
}

async function textOf(path, at) {
  const answer = await fetch(new URL(path, at));
  if (!answer.ok) {
    throw new Error(`${answer.url} answered ${answer.status}`);
  }
  return answer.text();
}

/** Lets a scenario use the shop's page; returns what it returns, and what the page asked for and must not. */
export async function visit(input, scenario) {
  const [script, stripe, config] = await Promise.all([bundle(), textOf('/v3/', input.stripe), textOf('/v1/config', input.url)]);
  const strangers = [];
  const problems = [];
  const said = [];
  const topUps = [];
  const known = [input.url, input.stripe].map(url => new URL(url).origin);
  const answers = {
    [`${SHOP}/`]: ['text/html', html(JSON.parse(config).publishableKey)],
    [`${SHOP}/page.js`]: ['text/javascript', script],
    'https://js.stripe.com/v3/': ['text/javascript', stripe],
  };
  const browser = await chromium.launch({
    executablePath: program(),
    // What a route does not see, such as the browser's own questions, finds no host but this one.
    args: ['--no-proxy-server', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  });
  try {
    // The browser asks a person before a page of the world may call this machine.
    const context = await browser.newContext({ permissions: ['local-network-access'] });
    context.setDefaultTimeout(LIMIT);
    await context.route('**/*', route => {
      const url = new URL(route.request().url());
      const answer = answers[url.origin + url.pathname];
      if (answer) {
        return route.fulfill({ contentType: answer[0], body: answer[1] });
      }
      if (known.includes(url.origin)) {
        return route.continue();
      }
      if (url.pathname !== '/favicon.ico') {
        strangers.push(url.href);
      }
      return route.abort();
    });
    await context.addInitScript(shop => (window.shop = shop), {
      session: { token: input.token, expiresAt: new Date(Date.now() + 890_000).toISOString() }, apiBaseUrl: input.url,
    });
    const tab = await context.newPage();
    tab.on('pageerror', error => problems.push(String(error)));
    tab.on('console', message => said.push(message.text()));
    tab.on('response', response => {
      if (response.request().method() === 'POST' && new URL(response.url()).pathname === '/v1/wallet/top-up') {
        // One that comes while its page is left has no body any more.
        topUps.push(response.json().then(answer => ({ status: response.status(), ...answer }), () => null));
      }
    });
    await tab.goto(`${SHOP}/`);
    const seen = await scenario(new Shop(tab));
    return { ...seen, topUps: (await Promise.all(topUps)).filter(Boolean), strangers, problems };
  } catch (error) {
    throw new Error([...problems, ...strangers, ...said].join('\n'), { cause: error });
  } finally {
    await browser.close();
  }
}

/** What a person sees of the page, and does there. */
class Shop {
  constructor(tab) {
    this.tab = tab;
  }

  /** Waits until the page shows another balance than that. */
  async balance(before) {
    const shown = this.tab.getByTestId('balance');
    await this.tab.waitForFunction(
      old => !['', old].includes(document.querySelector('[data-testid=balance]')?.textContent ?? ''), before ?? '', { timeout: LIMIT });
    return shown.textContent();
  }

  /** Asks the gateway for the balance, as it is now. */
  async look() {
    const [answer] = await Promise.all([
      this.tab.waitForResponse(response => new URL(response.url()).pathname === '/v1/wallet/balance' && response.ok()),
      this.click('Look'),
    ]);
    return (await answer.json()).balance;
  }

  click(name) {
    return this.tab.getByRole('button', { name, exact: true }).click();
  }

  async pay(number, amount = 10) {
    await this.tab.getByLabel('Card number').fill(number);
    await this.tab.getByLabel('Expiration date').fill('12 / 40');
    await this.tab.getByLabel('Security code').fill('123');
    await this.click(`Add $${amount} credits`);
  }

  error() {
    return this.tab.locator('.lg-buy-credits__error').textContent();
  }

  isPaid() {
    return this.tab.getByTestId('paid').filter({ hasText: 'true' }).waitFor();
  }

  label() {
    return this.tab.locator('.lg-credit-balance').textContent();
  }
}
