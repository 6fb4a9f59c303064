namespace LlmGateway.Proxy;

/// <summary>How much a slice asks for beyond what waits, as a pure function of how long it lasted.</summary>
public static class SliceGrowth
{
    /// <summary>A busy slice grows between these multiples of the usual request, as long as the ledger has plenty.</summary>
    const int LeastBoost = 4, MaxBoost = 16 * 1024;

    /// <summary>
    /// Bounds of the growth factor. The factor follows from how much too short the slice lasted: doubling alone would take a dozen calls on
    /// a busy wallet, each with a wait.
    /// </summary>
    const int MinGrowth = 2, MaxGrowth = 16;

    /// <summary>
    /// A slice that lasts less than <see cref="TooShort"/> grows, so that a pause of the ledger is not noticed. One that lasts longer than
    /// <see cref="Quiet"/> starts small again.
    /// </summary>
    static readonly TimeSpan TooShort = TimeSpan.FromMilliseconds(500), Quiet = TimeSpan.FromSeconds(2);

    /// <summary>How many usual requests the next call asks for beyond the waiting ones.</summary>
    /// <param name="lasted">Time since the last call was answered.</param>
    public static int NextBoost(int boost, TimeSpan lasted, int waiting) =>
        lasted > Quiet ? 0
            : lasted > TooShort ? boost
            : Math.Clamp(boost * (int)Math.Clamp(TooShort / lasted, MinGrowth, MaxGrowth), Math.Max(LeastBoost, waiting), MaxBoost);
}
