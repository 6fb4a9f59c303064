using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>A role is a list of the table's permissions. Who may do what is in <c>docs/management.md</c>, which a test compares.</summary>
public sealed class RoleTests
{
    [Fact]
    public void A_role_has_permissions_of_the_table_alone_and_none_twice()
    {
        foreach (var role in Roles.All.Values.OfType<IReadOnlyList<string>>())
        {
            Assert.Empty(role.Except(Permissions.All));
            Assert.Equal(role.Distinct(), role);
        }
    }

    /// <summary>Whoever signs in must be able to see what it may do, and to sign out.</summary>
    [Fact]
    public void Every_role_may_see_and_change_itself() => Assert.All(
        Roles.All.Keys, role => Assert.Null(Permissions.Missing(Roles.PermissionsOf(role), ["me:read", "me:write"])));

    [Fact]
    public void Nobody_makes_whom_he_could_not_be()
    {
        var givers = Roles.All.Where(one => Permissions.Missing(one.Value, ["members:write"]) is null);

        Assert.Equal(
            [
                "owner: owner, admin, member, billing, read-only, client",
                "admin: admin, member, read-only, client",
            ],
            givers.Select(giver =>
            {
                var given = Roles.All.Where(one => Permissions.Missing(giver.Value, one.Value) is null).Select(one => one.Key);
                return $"{giver.Key}: {string.Join(", ", given)}";
            }));
    }

    [Theory]
    [InlineData(null, null, null)]
    [InlineData(null, "wallets:read", null)]
    [InlineData("wallets:read", null, "*")]
    [InlineData("wallets:read", "wallets:read", null)]
    [InlineData("wallets:read", "wallets:write", "wallets:write")]
    public void What_somebody_lacks_is_the_first_permission_that_he_does_not_have(string? own, string? wanted, string? lacking) =>
        Assert.Equal(lacking, Permissions.Missing(own is null ? null : [own], wanted is null ? null : [wanted]));

    [Fact]
    public void A_role_that_nobody_knows_may_do_nothing() => Assert.Empty(Roles.PermissionsOf("of a newer version")!);
}
