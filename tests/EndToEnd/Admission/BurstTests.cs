namespace LlmGateway.EndToEnd;

/// <summary>These tests need the stack to themselves: they keep both cores busy, or rerate calls of other tests.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

[Collection(nameof(Alone))]
public sealed class BurstTests
{
    const int Rounds = 100, Calls = 1000, Covered = 10;

    [Fact]
    public async Task In_a_hundred_rounds_of_1000_parallel_calls_a_wallet_pays_for_exactly_the_ten_that_it_covers()
    {
        var users = new List<User>();
        for (var round = 0; round < Rounds; round++)
        {
            var user = await Backend.App.NewUserAsync(Gateway.Usd(Covered * AdmissionTests.UpperBound));
            users.Add(user);

            var calls = await Barrier.RunIntoAsync(
                Calls,
                Covered,
                (i, prompt) => user.ChatAsync("barrier", prompt, at: i % 2 == 0 ? Stack.Proxy : Stack.Proxy2));

            Assert.Equal(Covered, calls.Count(call => call.Status == 200));
            Assert.All(calls.Where(call => call.Status != 200), call => call.MustBeProblem(429, "balance_held"));
        }

        foreach (var user in users)
        {
            // Four words in, five out.
            Assert.Equal(
                Covered * (AdmissionTests.UpperBound - (4 * Price.Input + 5 * Price.Output)),
                await user.BalanceAfterAsync(Covered));
            Assert.All(await Books.UsageAsync(user), usage => Assert.Equal((usage.Cost, 0), (usage.Charged, usage.Absorbed)));
        }
        // Slices are returned after two idle seconds, long before their leases expire.
        await Eventually.HoldsAsync(async () => await Books.HeldAsync(users) == 0, "the return of every slice");
        await Books.WaitUntilRightAsync();
    }
}
