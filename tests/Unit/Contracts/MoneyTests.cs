using System.Globalization;
using System.Numerics;
using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.Contracts;

public sealed class MoneyTests
{
    [Theory]
    [InlineData("8.333333333", 8_333_333_333)]
    [InlineData("10", 10_000_000_000)]
    [InlineData("-0.5", -500_000_000)]
    [InlineData("0.000000001", 1)]
    [InlineData("1.500000000000", 1_500_000_000)]
    [InlineData("5e-7", 500)]
    [InlineData("1E+3", 1_000_000_000_000)]
    [InlineData("0e400", 0)]
    [InlineData("9223372036.854775807", long.MaxValue)]
    [InlineData("-9223372036.854775807", -long.MaxValue)]
    [InlineData("00012.5", 12_500_000_000)]
    public void An_amount_is_read_to_the_last_digit(string text, long nanos) => Assert.Equal(nanos, Money.Parse(text).Nanos);

    [Theory]
    [InlineData("")]
    [InlineData("abc")]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("1,5")]
    [InlineData(".5")]
    [InlineData("5.")]
    [InlineData("+5")]
    [InlineData("--5")]
    [InlineData(" 5")]
    [InlineData("0x10")]
    [InlineData("1e")]
    [InlineData("1e1.5")]
    [InlineData("1e9999")]
    [InlineData("1e400")]
    [InlineData("1e-30")]
    [InlineData("0.0000000001")]
    [InlineData("1.000000000001")]
    [InlineData("9223372036.854775808")]
    [InlineData("99999999999999999999999999999999999999999999999999999999999")]
    [InlineData("٣")]
    public void What_is_no_amount_is_refused(string text) => Assert.Throws<FormatException>(() => Money.Parse(text));

    [Fact]
    public void Reading_agrees_with_exact_arithmetic() => Seeds.ForEach(20_000, random =>
    {
        var scale = random.Next(2) == 0 ? Money.Decimals : Rate.Decimals;
        var fraction = Digits(random, random.Next(16));
        var exponent = random.Next(-6, 7);
        var text =
            $"{(random.Next(2) == 0 ? "-" : "")}{random.NextInt64(1L << random.Next(62))}{(fraction.Length > 0 ? "." + fraction : "")}"
                + (exponent == 0 && random.Next(2) == 0
                    ? ""
                    : $"{(random.Next(2) == 0 ? 'e' : 'E')}{exponent.ToString(CultureInfo.InvariantCulture)}");

        var (numerator, denominator) = Exact(text, scale);
        var fits = numerator % denominator == 0 && BigInteger.Abs(numerator / denominator) <= long.MaxValue;

        Assert.True(fits == DecimalText.TryParse(text, scale, out var value, out _), text);
        Assert.Equal(fits ? numerator / denominator : 0, value);
    });

    [Fact]
    public void Writing_and_reading_give_the_same_amount() => Seeds.ForEach(20_000, random =>
    {
        var money = new Money(random.NextInt64(-long.MaxValue, long.MaxValue) >> random.Next(63));
        Assert.Equal(money, Money.Parse(money.ToString()));
        Assert.Equal(money, JsonSerializer.Deserialize<Money>(JsonSerializer.Serialize(money, Defaults.Json), Defaults.Json));
        Assert.False(money.ToString().Contains('.', StringComparison.Ordinal) && money.ToString().EndsWith('0'));
    });

    [Fact]
    public void A_json_number_keeps_every_digit()
    {
        Assert.Equal(9_007_199_254_740_993, JsonSerializer.Deserialize<Money>("9007199.254740993", Defaults.Json).Nanos);
        Assert.Throws<JsonValueException>(() => JsonSerializer.Deserialize<Money>("1e400", Defaults.Json));
        Assert.Throws<JsonValueException>(() => JsonSerializer.Deserialize<Money>("true", Defaults.Json));
        Assert.Throws<JsonValueException>(() => JsonSerializer.Deserialize<Money>("\"\"", Defaults.Json));
    }

    static string Digits(Random random, int count) => string.Concat(Enumerable.Range(0, count).Select(_ => (char)('0' + random.Next(10))));

    /// <summary>The text's value in units of 10^-scale as a fraction, by another way than the parser's.</summary>
    static (BigInteger Numerator, BigInteger Denominator) Exact(string text, int scale)
    {
        var parts = text.Split('e', 'E');
        var point = parts[0].IndexOf('.', StringComparison.Ordinal);
        var decimals = point < 0 ? 0 : parts[0].Length - point - 1;
        var digits = BigInteger.Parse(parts[0].Replace(".", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
        var power = scale - decimals + (parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0);
        return power >= 0 ? (digits * BigInteger.Pow(10, power), 1) : (digits, BigInteger.Pow(10, -power));
    }
}
