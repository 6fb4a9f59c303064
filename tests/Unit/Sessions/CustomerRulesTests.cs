using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests;

public sealed class CustomerRulesTests
{
    [Fact]
    public void Whoever_creates_the_same_customer_means_the_same_ids()
    {
        var project = Ids.New();
        var id = CustomerCreation.CustomerId(project, test: false, "user-1");

        Assert.Equal(id, CustomerCreation.CustomerId(project, test: false, "user-1"));
        Assert.NotEqual(id, CustomerCreation.CustomerId(project, test: true, "user-1"));
        Assert.NotEqual(id, CustomerCreation.CustomerId(Ids.New(), test: false, "user-1"));
        Assert.NotEqual(id, Ids.WalletOf(id));
    }

    [Fact]
    public void Absent_fields_stay_and_null_clears()
    {
        var customer = Customer();
        customer.Name = "Ann";
        customer.Email = "ann@example.com";

        CustomerFields.Apply(JsonDocument.Parse("""{"email": null, "phone": "+49 30 1"}""").RootElement, customer);

        Assert.Equal(("Ann", null, "+49 30 1"), (customer.Name, customer.Email, customer.Phone));
    }

    [Theory]
    [InlineData("""{"externalId": "other"}""", "externalId")]
    [InlineData("""{"email": "nobody@"}""", "email")]
    [InlineData("""{"company": ""}""", "company")]
    [InlineData("""{"phone": {}}""", "phone")]
    public void A_field_that_cannot_be_set_is_named(string json, string param) => Assert.Equal(param, Assert.Throws<ProblemException>(() =>
    {
        var body = JsonDocument.Parse(json).RootElement;
        CustomerFields.MustBeKnown(body, "status");
        CustomerFields.Apply(body, Customer());
    }).Problem.Param);

    [Theory]
    [InlineData("100%", @"%100\%%")]
    [InlineData("a_b", @"%a\_b%")]
    [InlineData(@"a\b", @"%a\\b%")]
    public void A_search_finds_wildcards_as_themselves(string search, string pattern) =>
        Assert.Equal(pattern, ListCustomers.LikePattern(search));

    [Fact]
    public void A_cursor_names_the_place_that_it_was_made_for()
    {
        var last = Customer();

        Assert.True(ListCustomers.TryReadCursor(ListCustomers.Cursor(last), out var createdAt, out var id));
        Assert.Equal((last.CreatedAt, last.Id), (createdAt, id));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("MTo")]
    [InlineData("%00")]
    [InlineData("OTk5OTk5OTk5OTk5OTk5OTk5OTk5OmE")]
    public void A_cursor_of_someone_else_is_refused(string cursor) => Assert.False(ListCustomers.TryReadCursor(cursor, out _, out _));

    [Theory]
    [InlineData("ann@example.com", true)]
    [InlineData("ann+tag@mail.example.co.uk", true)]
    [InlineData("ann@localhost", false)]
    [InlineData("ann@.com", false)]
    [InlineData("ann@example..com", false)]
    [InlineData("ann@a@example.com", false)]
    [InlineData("@example.com", false)]
    [InlineData("ann example@example.com", false)]
    public void Email_addresses_are_told_from_other_texts(string text, bool valid) => Assert.Equal(valid, Fields.IsEmail(text));

    static Customer Customer() => new()
    {
        Id = Ids.New(), ProjectId = Ids.New(), Test = false, ExternalId = "user-1", Status = CustomerStatus.Active, CreatedAt = new(
            2026, 11, 21, 12, 0, 0, TimeSpan.Zero),
    };
}
