using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Polly.CircuitBreaker;
using Polly.Timeout;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

public sealed class ServiceClientsTests
{
    static readonly TimeSpan Short = TimeSpan.FromMilliseconds(10), Long = TimeSpan.FromSeconds(30);

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Several_instances_behind_one_name_are_asked_in_turn()
    {
        var wallet = new Instances(_ => Answer(HttpStatusCode.OK));
        using var services = Start(wallet, Long);

        for (var i = 0; i < 4; i++)
            await CallAsync(services);

        Assert.Equal(2, wallet.Asked.Count(port => port == 1));
        Assert.Equal(2, wallet.Asked.Count(port => port == 2));
    }

    [Fact]
    public async Task A_call_that_reaches_nobody_goes_to_the_next_instance()
    {
        var wallet = new Instances(port => port == 1 ? throw new HttpRequestException("refused") : Answer(HttpStatusCode.OK));
        using var services = Start(wallet, Long);

        for (var i = 0; i < 4; i++)
            Assert.Equal(HttpStatusCode.OK, (await CallAsync(services)).StatusCode);
    }

    [Fact]
    public async Task A_service_that_says_it_is_full_is_not_asked_again()
    {
        var wallet = new Instances(_ => Answer(HttpStatusCode.ServiceUnavailable));
        using var services = Start(wallet, Long);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await CallAsync(services)).StatusCode);

        Assert.Single(wallet.Asked);
    }

    [Fact]
    public async Task A_call_without_an_answer_is_an_outage()
    {
        using var services = Start(new Instances(_ => new TaskCompletionSource<HttpResponseMessage>().Task), Short);

        Assert.True(Problems.IsOutage(await Assert.ThrowsAnyAsync<Exception>(() => CallAsync(services))));
    }

    [Fact]
    public async Task A_service_that_answers_no_call_is_left_alone_for_a_moment()
    {
        var wallet = new Instances(_ => new TaskCompletionSource<HttpResponseMessage>().Task);
        using var services = Start(wallet, Short);

        Exception? last = null;
        for (var i = 0; i < 200 && last is not BrokenCircuitException; i++)
            last = await Assert.ThrowsAnyAsync<Exception>(() => CallAsync(services));

        Assert.IsType<BrokenCircuitException>(last);
        Assert.True(Problems.IsOutage(last));
    }

    [Fact]
    public async Task A_service_that_freezes_in_the_middle_of_its_answer_is_an_outage()
    {
        using var wallet = new FreezingService(freezes: int.MaxValue);
        using var services = Start(wallet.Address, TimeSpan.FromMilliseconds(100));

        var call = CallAsync(services).WaitAsync(TimeSpan.FromMinutes(1), Token);

        Assert.IsType<TimeoutRejectedException>(await Assert.ThrowsAnyAsync<Exception>(() => call));
    }

    [Fact]
    public async Task An_answer_that_stops_in_the_middle_is_asked_for_again()
    {
        using var wallet = new FreezingService(freezes: 1);
        using var services = Start(wallet.Address, TimeSpan.FromSeconds(2));

        using var answer = await CallAsync(services).WaitAsync(TimeSpan.FromMinutes(1), Token);

        Assert.Equal("whole", await answer.Content.ReadAsStringAsync(Token));
    }

    static ServiceProvider Start(Instances wallet, TimeSpan attemptTimeout) =>
        Start(["http://127.0.0.1:1", "http://127.0.0.1:2"], attemptTimeout, wallet);

    static ServiceProvider Start(string address, TimeSpan attemptTimeout) => Start([address], attemptTimeout, null);

    static ServiceProvider Start(string[] addresses, TimeSpan attemptTimeout, Instances? wallet)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration[KeySetting.InternalKey] = new('k', 32);
        builder.Services.AddSingleton(TimeProvider.System);
        for (var i = 0; i < addresses.Length; i++)
            builder.Configuration[$"services:wallet:http:{i}"] = addresses[i];
        builder.Logging.ClearProviders();
        builder.AddInternalCalls(ServiceCall.Proxy);
        builder.AddServiceClient<Client>("wallet", attemptTimeout);
        if (wallet is not null)
            builder.Services.AddHttpClient<Client>().ConfigurePrimaryHttpMessageHandler(() => wallet);
        return builder.Services.BuildServiceProvider();
    }

    static Task<HttpResponseMessage> CallAsync(ServiceProvider services) =>
        services.GetRequiredService<Client>().Http.PostAsync("/internal/leases", new StringContent("{}"), Token);

    static Task<HttpResponseMessage> Answer(HttpStatusCode status) => Task.FromResult(new HttpResponseMessage(status));

    sealed record Client(HttpClient Http);

    /// <summary>Stands for the processes of a service; <paramref name="answer"/> is that of the process at a port.</summary>
    sealed class Instances(Func<int, Task<HttpResponseMessage>> answer) : HttpMessageHandler
    {
        public ConcurrentQueue<int> Asked { get; } = new();

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Asked.Enqueue(request.RequestUri!.Port);
            return answer(request.RequestUri.Port).WaitAsync(cancellationToken);
        }
    }

    /// <summary>On loopback. Its first connections get a head and half of a body, and then nothing; the others get all of it.</summary>
    sealed class FreezingService : IDisposable
    {
        readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        readonly ConcurrentBag<TcpClient> _frozen = [];

        public FreezingService(int freezes)
        {
            _listener.Start();
            _ = AcceptAsync(freezes);
        }

        public string Address => $"http://{_listener.LocalEndpoint}";

        public void Dispose()
        {
            _listener.Dispose();
            foreach (var connection in _frozen)
                connection.Dispose();
        }

        async Task AcceptAsync(int freezes)
        {
            for (; ; freezes--)
            {
                var connection = await _listener.AcceptTcpClientAsync(Token);
                _frozen.Add(connection);
                await connection.GetStream().WriteAsync(
                    Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{(freezes > 0 ? "wh" : "whole")}"), Token);
            }
        }
    }
}
