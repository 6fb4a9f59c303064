using LlmGateway.Contracts;
using LlmGateway.Proxy;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class SlicesOfRegistersTests
{
    static readonly Guid Wallet = Ids.New(), Limit = Ids.New(), Other = Ids.New();

    readonly SlicesOfRegisters _slices = new();
    readonly Slice _alone = New(Wallet), _limited = New(Limit, Wallet), _foreign = New(Other);

    [Fact]
    public void A_slice_is_found_by_each_of_its_registers_once_until_it_is_removed()
    {
        foreach (var slice in (Slice[])[_alone, _limited, _foreign])
            _slices.Add(slice);
        Assert.Equivalent((Slice[])[_alone, _limited], _slices.Of([Wallet, Limit]), strict: true);
        Assert.Equal([_limited], _slices.Of([Limit]));

        _slices.Remove(_limited);
        _slices.Remove(_limited);
        Assert.Equal([_alone], _slices.Of([Wallet, Limit]));
        _slices.Remove(_alone);
        _slices.Remove(_foreign);
        Assert.Empty(_slices.Of([Wallet, Limit, Other]));
    }

    static Slice New(params Guid[] registers) => new(
        new([.. registers.Select(register => new ClaimLine(register, AccountKind.Wallet, Unit.Usd))], 0, null), "proxy", null!, null!,
        TimeProvider.System);
}
