using System.Security.Cryptography;
using System.Text;

namespace LlmGateway.Sandbox;

/// <summary>Reproducible pseudo-random values.</summary>
public static class Noise
{
    /// <summary>SplitMix64: the value at a place of a seed's sequence.</summary>
    public static ulong At(ulong seed, ulong place)
    {
        unchecked
        {
            var z = seed + ((place + 1) * 0x9E3779B97F4A7C15);
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }

    /// <summary>
    /// A vector of length 1 for a text, different for each model. A shorter one has the direction of the longer one's beginning.
    /// </summary>
    public static float[] Vector(string model, string text, int dimensions)
    {
        var seed = BitConverter.ToUInt64(SHA256.HashData(Encoding.UTF8.GetBytes($"{model}\n{text}")));
        var raw = new double[dimensions];
        for (var i = 0; i < dimensions; i++)
        {
            raw[i] = (At(seed, (ulong)i) / (double)ulong.MaxValue) - 0.5;
        }
        var length = Math.Sqrt(raw.Sum(value => value * value));
        return [.. raw.Select(value => (float)(value / length))];
    }
}
