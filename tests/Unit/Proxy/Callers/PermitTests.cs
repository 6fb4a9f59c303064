using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class PermitTests
{
    const string Page = "https://app.example.com";

    [Theory]
    [InlineData(null, Page, true)]
    [InlineData(null, "null", true)]
    [InlineData(new string[0], Page, false)]
    [InlineData(new string[0], "", true)] // no browser
    [InlineData(new[] { Page }, Page, true)]
    [InlineData(new[] { Page }, "https://APP.example.com", false)]
    public void A_project_without_a_list_may_be_called_from_every_page_and_one_with_an_empty_list_from_none(
        string[]? list, string origin, bool expected) =>
        Assert.Equal(expected ? null : Problems.ForbiddenOrigin, Check(CredentialKind.CustomerKey, list, origin));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_secret_key_or_a_member_s_token_is_refused_also_from_a_page_that_may_call_with_other_credentials(bool isListed)
    {
        string[]? list = isListed ? [Page] : null;
        Assert.Equal(Problems.SecretKeyInBrowser, Check(CredentialKind.SecretKey, list, Page));
        Assert.Equal(Problems.SecretKeyInBrowser, Check(CredentialKind.SecretKey, list, "null"));
        Assert.Null(Check(CredentialKind.SecretKey, list, ""));
        Assert.Equal(Problems.MemberTokenInBrowser, Check(CredentialKind.Member, list, Page));
        Assert.Null(Check(CredentialKind.Member, list, ""));
    }

    /// <summary>By <c>*</c> alone a key for one provider's raw calls would be one for every provider's, and for no model.</summary>
    [Theory]
    [InlineData("*", false), InlineData("p/*", true), InlineData("q/*", false)]
    public void A_scope_names_raw_calls_by_their_provider(string scope, bool expected)
    {
        var raw = new Route(
            new(ProviderRoutes.AnyCall, "raw", "p", "", 0, 0, null, new Prices { PerRequest = new(0) }), null!) { PaidBy = Payers.Credits };
        var credential = SessionsInMemory.Credential() with { Models = [scope], Test = false };
        Assert.Equal(expected ? null : Problems.ModelOutOfScope("p/*"), Permit.Check(credential, raw, "p/*"));
    }

    static Problem? Check(CredentialKind kind, string[]? list, string origin)
    {
        var credential = SessionsInMemory.Credential(kind: kind);
        return Permit.Check(credential, new Project(SessionsInMemory.Project(credential.Project, list), null!), origin);
    }
}
