using LlmGateway.Contracts;
using LlmGateway.Wallet;

namespace LlmGateway.UnitTests.Wallet;

static class Posts
{
    /// <summary>A live balance of a customer whom its organization stands for.</summary>
    public static PostScope Of(Guid? balance, Guid organization, Guid project) =>
        new(balance, Unit.Usd, organization, project, organization, Test: false);

    /// <inheritdoc cref="Of"/>
    /// <param name="type">Of call credits.</param>
    public static PostScope OfCredits(Guid balance, Guid type, Guid organization, Guid project) =>
        new(balance, Unit.Credits, organization, project, organization, Test: false) { Denomination = type };
}
