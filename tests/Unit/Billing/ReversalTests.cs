using LlmGateway.Billing;
using LlmGateway.Contracts;
using LlmGateway.UnitTests.Wallet;
using LlmGateway.Wallet;
using Xunit;
using Dispute = LlmGateway.Billing.Dispute;

namespace LlmGateway.UnitTests.Billing;

/// <summary>
/// Refunds and disputes in every order, on the ledger's own rules: whatever came first and whoever looked in between, the end follows from
/// what they are in the end.
/// </summary>
public sealed class ReversalTests
{
    static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    static readonly Guid Organization = Ids.New(), Project = Ids.New();

    /// <summary>10 dollars at a markup of 20 %: the card has paid 10.50.</summary>
    static readonly Parts Paid = Quote.Of(Money.Usd(10), 200_000, 50_000).Parts;

    const long Cents = 1050, Thirty = 315, Rest = 735;

    enum Happens { RefundThirty, RefundRest, RefundFails, Disputed, Won, Lost }

    /// <summary>What is at Stripe.</summary>
    sealed class Stripe
    {
        readonly Guid _first = Ids.New(), _second = Ids.New();
        readonly Dictionary<Guid, (long Cents, string Status)> _refunds = [];
        string? _dispute;

        public IEnumerable<Refund> Refunds =>
            _refunds.Select(refund => new Refund(refund.Key, default, refund.Value.Cents, refund.Value.Status, "re"));

        public IEnumerable<Dispute> Disputes => _dispute is null ? [] : [new("dp", Cents, _dispute)];

        public void Do(Happens what)
        {
            switch (what)
            {
                case Happens.RefundThirty:
                    _refunds[_first] = (Thirty, "succeeded");
                    break;
                case Happens.RefundRest:
                    _refunds[_second] = (Rest, "pending");
                    break;
                case Happens.RefundFails:
                    _refunds[_first] = (Thirty, "failed");
                    break;
                case Happens.Disputed:
                    _dispute = "needs_response";
                    break;
                case Happens.Won:
                    _dispute = "won";
                    break;
                default:
                    _dispute = "lost";
                    break;
            }
        }
    }

    /// <summary>A wallet with a top-up, and what Billing has had booked of it.</summary>
    sealed class Books
    {
        readonly MemoryStore _store = new();
        readonly Guid _wallet = Ids.New(), _payment = Ids.New();
        Parts _taken;

        public Books(long spent)
        {
            Run(new Open(new(_wallet, AccountKind.Wallet, Unit.Usd, Organization, Project, Organization, false, 0)));
            Post(PaymentPost.TopUp, Paid, _payment);
            if (spent > 0)
                Run(new Settle(new(Ids.New(), null, [new(_wallet, spent)], UsageRecords.Of(spent, Organization, Project, Noon))));
        }

        public long Balance => _store.Accounts[_wallet].Posted;

        public long Of(Party party) =>
            _store.Accounts.GetValueOrDefault(PostingRules.House(party, Posts.Of(_wallet, Organization, Project)).Id)?.Posted ?? 0;

        public void Look(Stripe stripe, bool ofDispute)
        {
            var target = Reversal.Target(Paid, stripe.Refunds, stripe.Disputes);
            if (Reversal.Step(target, _taken, ofDispute) is not var (type, amount))
                return;
            Post(type, amount, Ids.New(), _payment);
            _taken = target;
        }

        void Post(PaymentPost type, Parts amount, Guid id, Guid? lot = null) =>
            Assert.IsType<Answer.Done>(Run(new Post(
                id, Enum.Parse<PostType>(type.ToString()), Posts.Of(_wallet, Organization, Project),
                [amount.Net, amount.Margin, amount.Fee]) { Lot = lot }));

        Answer Run(Command command) => _store.Apply(command, Noon);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(50)]
    [InlineData(100)]
    public void Whatever_comes_first_and_whoever_looks_in_between_the_end_is_that_of_the_formula(int percentSpent)
    {
        var (spent, histories) = (Paid.Net * percentSpent / 100, 0);
        foreach (var decided in (Happens[])[Happens.Won, Happens.Lost])
            foreach (var history in Orders([Happens.RefundThirty, Happens.RefundRest, Happens.RefundFails, Happens.Disputed, decided]))
                for (var looks = 0; looks < 1 << history.Length; looks++)
                {
                    var (stripe, books) = (new Stripe(), new Books(spent));
                    for (var i = 0; i < history.Length; i++)
                    {
                        stripe.Do(history[i]);
                        for (var again = 0; again < 2 && (looks >> i & 1) == 1; again++)
                            books.Look(stripe, ofDispute: history[i] >= Happens.Disputed);
                    }
                    books.Look(stripe, ofDispute: history[^1] >= Happens.Disputed);
                    // 30 % failed and the rest was refunded; a dispute that was lost takes the whole.
                    MustBe(books, Paid.Of((decided == Happens.Lost ? Cents : Rest) * Quote.NanosPerCent), spent);
                    histories++;
                }
        Assert.Equal(2 * 30 * 32, histories);
    }

    static void MustBe(Books books, Parts reversed, long spent)
    {
        Assert.True(books.Balance >= 0 && books.Of(Party.Receivable) <= 0);
        Assert.Equal(Paid.Net - spent - reversed.Net, books.Balance + books.Of(Party.Receivable));
        Assert.Equal((Paid - reversed).Margin, books.Of(Party.Margin));
        Assert.Equal((Paid - reversed).Fee, books.Of(Party.Fees));
        Assert.Equal(-(Paid - reversed).Sum, books.Of(Party.Clearing));
        // What is owed could not be taken: there is nothing in the wallet that it could be paid from, or it is there for another reason.
        Assert.True(books.Balance == 0 || books.Of(Party.Receivable) == 0);
    }

    /// <summary>Every order in which a refund fails after it was made and a dispute is decided after it was opened.</summary>
    static IEnumerable<Happens[]> Orders(Happens[] all) => Permutations(all).Where(order =>
        Array.IndexOf(order, Happens.RefundThirty) < Array.IndexOf(order, Happens.RefundFails)
        && Array.IndexOf(order, Happens.Disputed) < Array.FindIndex(order, what => what > Happens.Disputed));

    static IEnumerable<Happens[]> Permutations(Happens[] some) => some.Length == 0 ? [[]]
        : some.SelectMany((first, i) => Permutations([.. some[..i], .. some[(i + 1)..]]), (first, rest) => (Happens[])[first, .. rest]);

    [Fact]
    public void A_refund_and_a_dispute_of_the_same_money_take_it_once()
    {
        var stripe = new Stripe();
        stripe.Do(Happens.RefundThirty);
        stripe.Do(Happens.RefundRest);
        stripe.Do(Happens.Disputed);

        Assert.Equal(Paid, Reversal.Target(Paid, stripe.Refunds, stripe.Disputes));
    }

    [Theory]
    [InlineData("needs_response", true)]
    [InlineData("under_review", true)]
    [InlineData("lost", true)]
    [InlineData("appeal_under_review", true)]
    [InlineData("won", false)]
    [InlineData("appeal_won", false)]
    [InlineData("prevented", false)]
    [InlineData("warning_needs_response", false)]
    [InlineData("warning_closed", false)]
    public void A_dispute_counts_while_Stripe_has_the_money(string status, bool counts) =>
        Assert.Equal(counts, new Dispute("dp", Cents, status).Counts);

    /// <summary>What was read of Stripe one after the other, perhaps late, what it is in the end, and what is told.</summary>
    [Theory]
    [InlineData("needs_response under_review won", "won", "won")]
    [InlineData("needs_response lost lost", "lost", "lost")]
    [InlineData("won under_review", "won", "won")]
    [InlineData("warning_needs_response warning_closed", "warning_closed", "warning_closed")]
    [InlineData("warning_needs_response needs_response lost", "lost", "lost")]
    [InlineData("lost appeal_needs_response appeal_under_review won", "won", "lost won")]
    [InlineData("lost appeal_under_review lost", "lost", "lost lost")]
    [InlineData("lost won appeal_under_review", "won", "lost won")]
    [InlineData("appeal_under_review won", "won", "won")]
    public void A_dispute_that_was_lost_may_be_won_on_appeal_and_each_decision_is_told(string read, string end, string told)
    {
        Dispute? now = null;
        var news = new List<string>();
        foreach (var status in read.Split(' '))
        {
            var before = now;
            now = Dispute.After(before, new("dp", Cents, status));
            if (now.IsNews(before))
                news.Add(now.Status);
        }

        Assert.Equal((end, told), (now!.Status, string.Join(' ', news)));
    }

    [Theory]
    [InlineData(null, "needs_response", "needs_response")]
    [InlineData("needs_response", "under_review", "under_review")]
    [InlineData("under_review", "lost", "lost")]
    [InlineData("lost", "needs_response", "lost")]
    [InlineData("won", "under_review", "won")]
    [InlineData("warning_closed", "warning_under_review", "warning_closed")]
    [InlineData("lost", "appeal_won", "appeal_won")]
    public void What_was_decided_of_a_dispute_is_not_open_again(string? from, string to, string becomes) => Assert.Equal(
        becomes, Dispute.After(from is null ? null : new Dispute("dp", Cents, from), new("dp", Cents, to)).Status);

    [Theory]
    [InlineData("pending", true)]
    [InlineData("requires_action", true)]
    [InlineData("succeeded", true)]
    [InlineData("failed", false)]
    [InlineData("canceled", false)]
    [InlineData("refused", false)]
    public void A_refund_counts_until_it_has_failed(string status, bool counts) =>
        Assert.Equal(counts, new Refund(default, default, 1, status, null).Counts);

    [Fact]
    public void What_can_be_refunded_is_the_most_that_the_wallet_can_give_its_part_of()
    {
        for (var taken = 0; taken < Cents; taken += 7)
            for (var left = 0L; left <= Paid.Net; left += Paid.Net / 97)
            {
                var cents = Reversal.Refundable(Paid, taken, left);
                Assert.InRange(cents, 0, Cents - taken);
                Assert.True(NetOf(cents) <= left);
                Assert.True(cents == Cents - taken || NetOf(cents + 1) > left);

                long NetOf(long more) =>
                    Paid.Of((taken + more) * Quote.NanosPerCent).Net - Paid.Of(taken * Quote.NanosPerCent).Net;
            }
    }

    [Theory]
    [InlineData("pending", "succeeded", "succeeded")]
    [InlineData("booked", "pending", "pending")]
    [InlineData("succeeded", "pending", "succeeded")]
    [InlineData("succeeded", "failed", "failed")]
    [InlineData("failed", "succeeded", "failed")]
    [InlineData("canceled", "pending", "canceled")]
    public void A_refund_only_goes_forward(string from, string to, string becomes) => Assert.Equal(becomes, Refunds.Forward(from, to));
}
