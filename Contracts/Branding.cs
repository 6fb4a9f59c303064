namespace LlmGateway.Contracts;

/// <summary>How a project looks to its customers, on pages that offer credit. What is null is not said.</summary>
/// <param name="Name">Instead of the project's.</param>
/// <param name="LogoUrl">An address that browsers load, with <c>https</c>. As for the other two, nothing of the gateway calls it.</param>
/// <param name="Color">Six hexadecimal digits after <c>#</c>.</param>
public sealed record Branding(
    string? Name = null, string? LogoUrl = null, string? Color = null, string? SupportUrl = null, string? TermsUrl = null);
