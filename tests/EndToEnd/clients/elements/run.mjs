// Purchases in a browser with the published React components.
import { run } from '../scenario.mjs';
import { visit } from './browser.mjs';

const VISA = '4242424242424242', DECLINED = '4000000000000002', AUTHENTICATED = '4000000000003220';

await run({
  pays: input => visit(input, async shop => {
    const before = await shop.balance();
    await shop.pay(VISA);
    await shop.isPaid();
    return { before, after: await shop.balance(before), label: await shop.label() };
  }),

  // The form stays, and takes another card.
  isDeclined: input => visit(input, async shop => {
    const before = await shop.balance();
    await shop.pay(DECLINED);
    const error = await shop.error();
    const between = await shop.look();
    await shop.pay(VISA);
    await shop.isPaid();
    return { before, error, between, after: await shop.balance(before) };
  }),

  // The bank's page takes the place of the shop's, which is as new when the cardholder comes back.
  async authenticates(input) {
    return visit(input, async shop => {
      const before = await shop.balance();
      await shop.pay(AUTHENTICATED);
      await shop.click(input.isRefused ? 'Fail' : 'Complete');
      await shop.tab.waitForURL(url => url.searchParams.has('redirect_status'));
      const status = new URL(shop.tab.url()).searchParams.get('redirect_status');
      return { before, status, now: await shop.balance() };
    });
  },

  async opensTwice(input) {
    return visit(input, async shop => {
      const form = () => shop.tab.getByLabel('Card number').waitFor();
      const before = await shop.balance();
      await form();
      await shop.click('Close');
      await shop.click('Open');
      await form();
      await shop.click('Rather 25');
      await shop.tab.getByRole('button', { name: 'Add $25 credits' }).waitFor();
      await shop.pay(VISA, 25);
      await shop.isPaid();
      return { before, after: await shop.balance(before) };
    });
  },
});
