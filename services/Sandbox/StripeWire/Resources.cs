namespace LlmGateway.Sandbox.Stripe;

/// <summary>What of Stripe there is.</summary>
static class Resources
{
    public static Routes All()
    {
        var routes = new Routes();

        Customers.Map(routes);
        PaymentMethods.Map(routes);
        SetupIntents.Map(routes);
        SetupAttempts.Map(routes);
        PaymentIntents.Map(routes);
        Charges.Map(routes);
        Refunds.Map(routes);
        Disputes.Map(routes);
        Balances.Map(routes);

        Accounts.Map(routes);
        AccountLinks.Map(routes);
        Capabilities.Map(routes);
        ExternalAccounts.Map(routes);
        Transfers.Map(routes);
        Payouts.Map(routes);

        TestClocks.Map(routes);
        Products.Map(routes);
        Prices.Map(routes);
        Meters.Map(routes);
        Subscriptions.Map(routes);
        InvoiceItems.Map(routes);
        Invoices.Map(routes);
        Taxes.Map(routes);

        CheckoutSessions.Map(routes);
        PortalConfigurations.Map(routes);
        PortalSessions.Map(routes);

        Events.Map(routes);
        WebhookEndpoints.Map(routes);

        return routes;
    }
}
