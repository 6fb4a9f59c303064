using System.Globalization;

namespace LlmGateway.Faults;

/// <summary>What <c>./dev chaos</c> asks for, in the environment.</summary>
static class Order
{
    public static int Number(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
