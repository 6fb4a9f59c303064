namespace LlmGateway.Sandbox.Stripe;

/// <summary>What an Express account sees of itself: balance and payouts.</summary>
static class ExpressPage
{
    public static IResult Show(StripePages.Visit visit)
    {
        if (visit.Path is not [var id] || visit.World.Account(id) is not { } account)
        {
            throw Refusal.Missing("account", visit.Id, "id");
        }
        var sums = account.Funds.Currencies.Select(currency =>
            $"<tr><th>{Html.Text(currency.ToUpperInvariant())}</th><td>{Amounts.Text(account.Funds.Available(currency), currency)}</td>"
                + $"<td>{Amounts.Text(account.Funds.Pending(currency), currency)}</td></tr>");
        var payouts = account.Newest("payout").Take(20).Select(payout =>
            $"<tr><td>{Html.Text(payout.Id())}</td><td>{Amounts.Text(payout.Long("amount"), payout.Text("currency")!)}</td>"
                + $"<td>{Html.Text(payout.Status())}</td></tr>");
        return Html.Page(
            "Your account",
            $"<table><tr><th>Currency</th><th>Available</th><th>Pending</th></tr>{string.Concat(sums)}</table>"
                + $"<h2>Payouts</h2><table>{string.Concat(payouts)}</table>");
    }
}
