using LlmGateway.ServiceDefaults;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/seal?full=B</c>: proves as <see cref="Verify"/> does, and seals what is right (<see cref="Seals"/>).
/// </summary>
public static class SealBooks
{
    public static void MapSealBooks(this WebApplication app) => app.MapPost("/internal/seal", async (
        HttpContext http, Seals seals, CancellationToken token, bool full = false) =>
        await seals.SealAsync(full, token) is { } proof
            ? proof.Answer(http, "The books balance and are sealed.", "THE BOOKS ARE WRONG. NOTHING IS SEALED.")
            : Problems.Conflict("seal_running", "The books are being sealed already."));
}
