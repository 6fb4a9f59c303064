using LlmGateway.Contracts;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests;

public sealed class CredentialStatusesTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_credential_that_nothing_stands_against_is_active() =>
        Assert.Equal(CredentialStatus.Active, CredentialStatuses.Of(null, Now.AddTicks(1), CustomerStatus.Active, true, Now));

    [Fact]
    public void A_credential_ends_at_its_very_expiry() =>
        Assert.Equal(CredentialStatus.Expired, CredentialStatuses.Of(null, Now, CustomerStatus.Active, true, Now));

    [Fact]
    public void Revocation_is_told_before_everything_else() =>
        Assert.Equal(CredentialStatus.Revoked, CredentialStatuses.Of(Now, Now, CustomerStatus.Deleted, false, Now));

    [Fact]
    public void A_key_without_expiry_lives_until_it_is_revoked() =>
        Assert.Equal(CredentialStatus.Active, CredentialStatuses.Of(null, null, null, true, Now));

    [Fact]
    public void Every_status_but_active_is_refused_and_never_as_an_outage()
    {
        foreach (var status in Enum.GetValues<CredentialStatus>())
            Assert.Equal(status != CredentialStatus.Active, CredentialStatuses.ProblemOf(status) is { Status: 401 or 403 });
    }
}
