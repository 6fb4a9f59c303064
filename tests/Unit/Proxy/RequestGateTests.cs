using LlmGateway.Proxy;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Xunit;

namespace LlmGateway.UnitTests.Proxy;

public sealed class RequestGateTests
{
    readonly RequestGate _gate = new();

    [Fact]
    public async Task A_request_is_inside_until_its_answer_is_complete_whether_the_gate_is_closed_meanwhile_or_not()
    {
        var (first, second) = (new Answer(), new Answer());
        Assert.True(_gate.TryEnter(first.Http) && _gate.TryEnter(second.Http));
        Assert.Equal(2, _gate.Inside);

        await first.CompleteAsync();
        _gate.Close();
        Assert.Equal(1, _gate.Inside);

        await second.CompleteAsync();
        Assert.Equal(0, _gate.Inside);
    }

    [Fact]
    public void A_closed_gate_lets_nobody_in_and_counts_nobody_until_it_is_opened()
    {
        _gate.Close();
        Assert.False(_gate.TryEnter(new Answer().Http));
        Assert.Equal(0, _gate.Inside);

        _gate.Open();
        Assert.True(_gate.TryEnter(new Answer().Http));
    }

    sealed class Answer : HttpResponseFeature
    {
        Func<Task> _completed = () => Task.CompletedTask;

        public Answer()
        {
            Http = new DefaultHttpContext();
            Http.Features.Set<IHttpResponseFeature>(this);
        }

        public HttpContext Http { get; }

        public Task CompleteAsync() => _completed();

        public override void OnCompleted(Func<object, Task> callback, object state) => _completed = () => callback(state);
    }
}
