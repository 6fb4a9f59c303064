using System.Collections.Concurrent;
using LlmGateway.Billing;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>The numbers of one seller's series, taken by many at once of whom some give up.</summary>
public sealed class InvoiceNumberTests
{
    [Fact]
    public async Task Five_hundred_at_once_of_whom_each_fifth_rolls_back_leave_no_gap_and_no_double_and_ascend_with_the_time()
    {
        await using var database = NpgsqlDataSource.Create($"{Stack.Connection("billing")};Maximum Pool Size=20");
        var seller = new Sale(Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid(), false, Guid.NewGuid(), null);
        var taken = new ConcurrentBag<(long Number, DateTimeOffset At)>();

        await Task.WhenAll(Enumerable.Range(0, 500).Select(async i =>
        {
            await using var connection = await database.OpenConnectionAsync(TestContext.Current.CancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
            var (number, at, _) = await connection.NextNumberAsync(
                seller, DocumentKind.CreditNote, TestContext.Current.CancellationToken);
            if (i % 5 == 0)
            {
                await transaction.RollbackAsync(TestContext.Current.CancellationToken);
                return;
            }
            await transaction.CommitAsync(TestContext.Current.CancellationToken);
            taken.Add((number, at));
        }));

        var inOrder = taken.OrderBy(one => one.Number).ToList();
        Assert.Equal(Enumerable.Range(1, 400).Select(number => (long)number), inOrder.Select(one => one.Number));
        Assert.Equal(inOrder.Select(one => one.At).Order(), inOrder.Select(one => one.At));
    }
}
