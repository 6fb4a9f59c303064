// A stand-in for Stripe.js, served by the sandbox. No money moves. It has what a payment form needs and nothing else.
(() => {
  const base = '__SANDBOX__';

  const encode = (value, name) => {
    if (value === undefined || value === null) {
      return [];
    }
    if (typeof value !== 'object') {
      return [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`];
    }
    return Object.entries(value).flatMap(([key, inner]) => encode(inner, name ? `${name}[${key}]` : key));
  };

  window.Stripe = function (key, options = {}) {
    if (typeof key !== 'string' || !key.startsWith('pk_test_')) {
      throw new Error('The sandbox takes publishable test keys only (pk_test_…).');
    }

    const call = async (method, path, params) => {
      const body = encode(params, '').join('&');
      const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/x-www-form-urlencoded' };
      if (options.stripeAccount) {
        headers['Stripe-Account'] = options.stripeAccount;
      }
      const url = method === 'GET' ? `${base}${path}?${body}` : `${base}${path}`;
      const answer = await fetch(url, { method, headers, body: method === 'GET' ? undefined : body });
      const json = await answer.json();
      return json.error ? { error: json.error } : { value: json };
    };

    const idOf = secret => String(secret).split('_secret_')[0];

    const elements = (given = {}) => {
      const all = {};
      const group = {
        clientSecret: given.clientSecret,
        options: given,
        create: (kind, settings = {}) => (all[kind] = element(kind, settings)),
        getElement: kind => all[kind] ?? null,
        update: changes => Object.assign(group.options, changes),
        fetchUpdates: async () => ({}),
        submit: async () => {
          const problem = all.payment?.problem() ?? all.card?.problem();
          return problem ? { error: { type: 'validation_error', message: problem } } : { selectedPaymentMethod: 'card' };
        },
        data: () => (all.payment ?? all.card)?.data(),
      };
      return group;
    };

    const element = (kind, settings) => {
      const root = document.createElement('div');
      const listeners = {};
      const fields = {};
      const tell = (event, detail) => (listeners[event] ?? []).forEach(listener => listener({ elementType: kind, ...detail }));
      const field = (name, label, hint, autocomplete) => {
        const input = document.createElement('input');
        input.name = name;
        input.placeholder = hint;
        input.autocomplete = autocomplete;
        input.inputMode = 'numeric';
        input.setAttribute('aria-label', label);
        input.addEventListener('input', () =>
          tell('change', { complete: !problem(), empty: !fields.number.value, value: { type: 'card' } }));
        fields[name] = input;
        const wrap = document.createElement('label');
        wrap.append(label, input);
        return wrap;
      };
      const problem = () => {
        if (fields.number.value.replace(/\s/g, '').length < 12) {
          return 'Your card number is incomplete.';
        }
        if (!/^\s*\d{1,2}\s*\/\s*\d{2,4}\s*$/.test(fields.expiry.value)) {
          return 'Your card\'s expiration date is incomplete.';
        }
        return /^\d{3,4}$/.test(fields.cvc.value) ? null : 'Your card\'s security code is incomplete.';
      };
      const self = {
        mount: target => {
          const parent = typeof target === 'string' ? document.querySelector(target) : target;
          if (!parent) {
            throw new Error(`There is no element ${target} to mount into.`);
          }
          root.className = 'StripeElement';
          root.replaceChildren(
            field('number', 'Card number', '1234 1234 1234 1234', 'cc-number'),
            field('expiry', 'Expiration date', 'MM / YY', 'cc-exp'),
            field('cvc', 'Security code', 'CVC', 'cc-csc'));
          parent.replaceChildren(root);
          setTimeout(() => tell('ready', {}), 0);
          return self;
        },
        unmount: () => root.remove(),
        destroy: () => root.remove(),
        update: changes => Object.assign(settings, changes),
        focus: () => fields.number?.focus(),
        blur: () => document.activeElement?.blur(),
        clear: () => Object.values(fields).forEach(input => (input.value = '')),
        collapse: () => self,
        on: (event, listener) => ((listeners[event] ??= []).push(listener), self),
        once: (event, listener) => self.on(event, listener),
        off: (event, listener) => ((listeners[event] = (listeners[event] ?? []).filter(each => each !== listener)), self),
        problem: () => (fields.number ? problem() : 'The form is not mounted.'),
        data: () => {
          const [month, year] = fields.expiry.value.split('/').map(part => part.trim());
          return {
            type: 'card',
            card: { number: fields.number.value.replace(/\s/g, ''), exp_month: month, exp_year: year, cvc: fields.cvc.value },
            billing_details: settings.defaultValues?.billingDetails,
          };
        },
      };
      return self;
    };

    // The page of the bank is a page of its own, as with redirects of Stripe's.
    const after = async (kind, intent, params, redirect) => {
      const returned = params?.return_url;
      if (intent.status === 'requires_action') {
        location.assign(intent.next_action.redirect_to_url?.url ?? intent.next_action.use_stripe_sdk.stripe_js);
        return new Promise(() => {});
      }
      if (redirect !== 'if_required' && returned) {
        const url = new URL(returned, location.href);
        url.searchParams.set(kind, intent.id);
        url.searchParams.set(`${kind}_client_secret`, intent.client_secret);
        url.searchParams.set('redirect_status', intent.status === 'requires_payment_method' ? 'failed' : 'succeeded');
        location.assign(url.href);
        return new Promise(() => {});
      }
      return kind === 'payment_intent' ? { paymentIntent: intent } : { setupIntent: intent };
    };

    const confirm = async (kind, { elements: group, clientSecret, confirmParams = {}, redirect }) => {
      const problem = group && (await group.submit()).error;
      if (problem) {
        return { error: problem };
      }
      const secret = clientSecret ?? group.clientSecret;
      const { payment_method_data: extra, ...rest } = confirmParams;
      const params = { ...rest, client_secret: secret, use_stripe_sdk: true };
      if (!params.payment_method && group) {
        params.payment_method_data = { ...group.data(), ...extra };
      }
      const { error, value } = await call('POST', `/v1/${kind}s/${idOf(secret)}/confirm`, params);
      return error ? { error } : after(kind, value, confirmParams, redirect);
    };

    const direct = (kind, name) => async (secret, data = {}) => {
      const params = { client_secret: secret, return_url: data.return_url, use_stripe_sdk: true };
      if (typeof data.payment_method === 'string') {
        params.payment_method = data.payment_method;
      } else if (data.payment_method) {
        const { card, ...rest } = data.payment_method;
        params.payment_method_data = { type: 'card', ...rest, ...(card?.data ? card.data() : { card }) };
      }
      const { error, value } = await call('POST', `/v1/${kind}s/${idOf(secret)}/confirm`, params);
      return error ? { error } : after(kind, value, {}, 'if_required');
    };

    const retrieve = (kind, name) => async secret => {
      const { error, value } = await call('GET', `/v1/${kind}s/${idOf(secret)}`, { client_secret: secret });
      return error ? { error } : { [name]: value };
    };

    return {
      elements,
      confirmPayment: options => confirm('payment_intent', options),
      confirmSetup: options => confirm('setup_intent', options),
      confirmCardPayment: direct('payment_intent'),
      confirmCardSetup: direct('setup_intent'),
      handleNextAction: async ({ clientSecret }) => {
        const { paymentIntent } = await retrieve('payment_intent', 'paymentIntent')(clientSecret);
        return after('payment_intent', paymentIntent, {}, 'if_required');
      },
      retrievePaymentIntent: retrieve('payment_intent', 'paymentIntent'),
      retrieveSetupIntent: retrieve('setup_intent', 'setupIntent'),
      createPaymentMethod: async ({ elements: group, type, card, billing_details }) => {
        const data = group?.data() ?? card?.data?.() ?? { type, card };
        const { error, value } = await call('POST', '/v1/payment_methods', { ...data, billing_details });
        return error ? { error } : { paymentMethod: value };
      },
      createToken: async () => ({ error: { type: 'invalid_request_error', message: 'The sandbox makes payment methods, no tokens.' } }),
      registerAppInfo: () => {},
      _registerWrapper: () => {},
      _registerAppInfo: () => {},
    };
  };
  window.Stripe.version = 3;
})();
