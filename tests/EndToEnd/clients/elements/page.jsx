// A shop's page with the published components: the balance, and a dialog that sells credit and can be closed and opened again.
import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import { BuyCredits, CreditBalance, LLMGatewayProvider, useBalance } from '@llmgateway/elements';

const { session, apiBaseUrl } = window.shop;

function Shop() {
  const { balance, refetch, refetchUntilChange } = useBalance();
  const [amount, setAmount] = useState(10);
  const [isOpen, setOpen] = useState(true);
  const [isPaid, setPaid] = useState(false);
  const paid = () => {
    setPaid(true);
    refetchUntilChange();
  };
  return (
    <main>
      <CreditBalance />
      <output data-testid="balance">{balance}</output>
      <output data-testid="paid">{String(isPaid)}</output>
      <button onClick={() => setOpen(!isOpen)}>{isOpen ? 'Close' : 'Open'}</button>
      <button onClick={refetch}>Look</button>
      <button onClick={() => setAmount(25)}>Rather 25</button>
      {isOpen && <BuyCredits amount={amount} onSuccess={paid} />}
    </main>
  );
}

createRoot(document.getElementById('root')).render(
  <LLMGatewayProvider session={session} mode="test" apiBaseUrl={apiBaseUrl} gatewayBaseUrl={apiBaseUrl}>
    <Shop />
  </LLMGatewayProvider>,
);
