using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

/// <summary>Bodies in memory have a bound. It is asked before a body is read.</summary>
public sealed class BodyBudgetTests
{
    const int Part = 2 * BodyBudget.Small;

    readonly BodyBudget _budget = new(most: 4 * Part, mostOfOne: 2 * Part);
    readonly Guid _mine = Ids.New(), _other = Ids.New();

    [Fact]
    public async Task A_body_that_would_exceed_its_credential_s_share_is_refused_before_a_byte_of_it_is_read()
    {
        using var first = await ReadAsync(_mine, new(Part));
        var refused = new Sent(2 * Part);

        Assert.Equal((429, "too_many_bytes"), await RefusalAsync(_mine, refused));

        Assert.Equal(0, refused.Position);
        Assert.Equal(Part, _budget.Held);
        (await ReadAsync(_other, new(2 * Part))).Dispose();
    }

    [Fact]
    public async Task When_all_together_have_too_much_everybody_waits()
    {
        using var first = await ReadAsync(_mine, new(2 * Part));
        using var second = await ReadAsync(_other, new(2 * Part));
        var refused = new Sent(100);

        Assert.Equal((503, "overloaded"), await RefusalAsync(Ids.New(), refused));
        Assert.Equal(0, refused.Position);

        second.Dispose();
        (await ReadAsync(Ids.New(), new(100))).Dispose();
    }

    [Fact]
    public async Task Who_announces_much_and_sends_little_takes_no_room_from_others()
    {
        var never = new Sent(2 * Part) { WaitsAt = 100 };
        var slow = ReadAsync(_mine, never).AsTask();
        Assert.InRange(_budget.Held, 0, 100);

        (await ReadAsync(_other, new(2 * Part))).Dispose();

        never.Gate.SetException(new IOException("cut"));
        await Assert.ThrowsAsync<IOException>(() => slow);
        Assert.Equal(0, _budget.Held);
    }

    [Fact]
    public async Task A_body_of_unknown_length_counts_as_it_comes()
    {
        var sent = new Sent(3 * Part);

        Assert.Equal((429, "too_many_bytes"), await RefusalAsync(_mine, sent, isChunked: true));

        Assert.InRange(sent.Position, Part, 2 * Part + 64 * 1024);
        Assert.Equal(0, _budget.Held);
    }

    [Fact]
    public async Task Whatever_becomes_of_a_body_its_room_comes_back()
    {
        (await ReadAsync(_mine, new(Part))).Dispose();
        (await ReadAsync(_mine, new(100))).Dispose();
        (await ReadAsync(_mine, new(Part), isChunked: true)).Dispose();
        await Assert.ThrowsAsync<IOException>(async () => await ReadAsync(_mine, new(Part) { BreaksAt = 1000 }));
        await RefusalAsync(_mine, new(3 * Part));
        var twice = await ReadAsync(_mine, new(Part));
        twice.Dispose();
        twice.Dispose();

        Assert.Equal((0, 0), (_budget.Held, _budget.Owners));
    }

    [Fact]
    public async Task What_a_small_body_refers_to_counts_for_its_owner()
    {
        using (var first = await ReadAsync(_mine, new(100)))
        {
            first.Replace(new byte[2 * Part]);
            Assert.Equal(2 * Part, first.Memory.Length);
            using var second = await ReadAsync(_mine, new(100));
            Assert.Equal("too_many_bytes", Assert.Throws<ProblemException>(() => second.Replace(new byte[Part])).Problem.Code);
            using var others = await ReadAsync(_other, new(100));
            others.Replace(new byte[Part]);
        }
        Assert.Equal((0, 0), (_budget.Held, _budget.Owners));
    }

    /// <summary>Most requests are small, and each passes here.</summary>
    [Fact]
    public void To_count_a_small_body_takes_no_memory()
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            var share = _budget.Open(_mine, BodyBudget.Small);
            Assert.Null(share.Take(BodyBudget.Small));
            share.Close(BodyBudget.Small);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public async Task A_body_is_what_was_sent()
    {
        foreach (var length in (int[])[0, 1, BodyBudget.Small, BodyBudget.Small + 1, Part])
            foreach (var isChunked in (bool[])[false, true])
            {
                using var body = await ReadAsync(_mine, new(length), isChunked);
                Assert.Equal(length, body.Memory.Length);
                Assert.True(body.Memory.Span.IndexOfAnyExcept((byte)' ') < 0);
            }
    }

    async Task<(int Status, string Code)> RefusalAsync(Guid credential, Sent sent, bool isChunked = false)
    {
        var refusal = await Assert.ThrowsAsync<ProblemException>(async () => await ReadAsync(credential, sent, isChunked));
        return (refusal.Problem.Status, refusal.Problem.Code);
    }

    ValueTask<RequestBody> ReadAsync(Guid credential, Sent sent, bool isChunked = false) => RequestBody.ReadAsync(
        new DefaultHttpContext
        {
            Request = { ContentType = "application/json", ContentLength = isChunked ? null : sent.Length, Body = sent },
        },
        _budget,
        credential);

    /// <summary>So many spaces.</summary>
    sealed class Sent(int length) : MemoryStream([.. Enumerable.Repeat((byte)' ', length)])
    {
        public int? BreaksAt { get; init; }

        /// <summary>Nothing more comes from here on until <see cref="Gate"/> says so.</summary>
        public int? WaitsAt { get; init; }

        public TaskCompletionSource Gate { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Position >= BreaksAt)
                throw new IOException("cut");
            if (Position >= WaitsAt)
                await Gate.Task;
            return await base.ReadAsync(WaitsAt is { } most ? buffer[..Math.Min(buffer.Length, most)] : buffer, cancellationToken);
        }
    }
}
