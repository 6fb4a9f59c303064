using System.Collections.Concurrent;
using System.Diagnostics;
using LlmGateway.Contracts;
using LlmGateway.Proxy;
using LlmGateway.ServiceDefaults;
using LlmGateway.Wallet;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Trace;
using Xunit;

namespace LlmGateway.UnitTests;

/// <summary>Steps that many requests share, and what a caller's own trace may do.</summary>
[Collection(nameof(Recorded))]
public sealed class SharedSpansTests
{
    [Fact]
    public void A_published_batch_is_one_span_with_links_to_its_traced_requests_at_most_128()
    {
        using var recorded = new Recorded();
        var requests = Enumerable.Range(0, 130).Select(_ => Recorded.Remote()).ToArray();
        var traced = requests.SelectMany(request => SettlementRecord.Encode(Settlement(), request).ToArray());
        byte[] records = [.. SettlementRecord.Encode(Settlement()), .. traced];

        using (var span = PublishSpan.Start(records))
            Assert.Equal(span, Activity.Current);

        var published = Assert.Single(recorded.Spans);
        Assert.Equal((ActivityKind.Producer, "wallet-settlements publish"), (published.Kind, published.DisplayName));
        Assert.Null(published.ParentId);
        Assert.Equal(requests[..128], published.Links.Select(link => link.Context));
        Assert.Equal(131, published.GetTagItem("messaging.batch.message_count"));
    }

    [Fact]
    public void A_batch_without_a_traced_request_makes_no_span()
    {
        using var recorded = new Recorded();

        Assert.Null(PublishSpan.Start(SettlementRecord.Encode(Settlement())));
        Assert.Null(CommitSpan.Start(Batch(new Settle(Settlement()))));
        Assert.Empty(recorded.Spans);
    }

    [Fact]
    public void A_commit_has_links_to_its_traced_requests_and_each_of_them_a_span_that_says_when_it_was_booked()
    {
        using var recorded = new Recorded();
        var requests = Enumerable.Range(0, 130).Select(_ => Recorded.Remote()).ToArray();
        Command[] commands = [new Settle(Settlement()), .. requests.Select(request => new Settle(Settlement()) { Span = request })];
        List<Intake.Waiting> batch;
        ActivityContext message;
        using (var consumed = recorded.StartServer())
            (batch, message) = (Batch(commands), consumed.Context);

        var commit = CommitSpan.Start(batch);
        CommitSpan.Tell(commit, batch);

        Assert.Equal(((string?)null, "ledger commit"), (commit!.ParentId, commit.DisplayName));
        Assert.Equal(131, commit.GetTagItem("llmgateway.commands"));
        Assert.Equal(128, commit.Links.Count());
        Assert.Equal([message, .. requests[..127]], commit.Links.Select(link => link.Context));
        var booked = recorded.Spans.Where(span => span.DisplayName == "settle").ToArray();
        Assert.Equal(
            requests.Select(request => (request.TraceId, request.SpanId)), booked.Select(span => (span.TraceId, span.ParentSpanId)));
        Assert.All(booked, span =>
        {
            Assert.Equal([commit.Context, message], span.Links.Select(link => link.Context));
            Assert.Equal((commit.StartTimeUtc, commit.Duration), (span.StartTimeUtc, span.Duration));
        });
        Assert.Null(Activity.Current);
    }

    /// <summary>It could have everything recorded, or nothing, or a million requests in one trace.</summary>
    [Fact]
    public async Task A_caller_s_traceparent_is_a_link_and_not_a_parent()
    {
        using var recorded = new Recorded();
        using var framework = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Microsoft.AspNetCore",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(framework);
        var builder = WebApplication.CreateSlimBuilder(["--urls=http://127.0.0.1:0"]);
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<DistributedContextPropagator, CallerTraces>();
        await using var app = builder.Build();
        Activity? span = null;
        app.Run(http =>
        {
            Spans.Begin(http, "/v1/chat/completions");
            span = Activity.Current;
            return Task.CompletedTask;
        });
        await app.StartAsync(TestContext.Current.CancellationToken);
        var caller = Recorded.Remote();
        using var client = new HttpClient(new SocketsHttpHandler { ActivityHeadersPropagator = null });
        using var request = new HttpRequestMessage(HttpMethod.Post, app.Urls.Single());
        request.Headers.Add("traceparent", $"00-{caller.TraceId}-{caller.SpanId}-01");
        request.Headers.Add("baggage", "a=b");
        using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.NotNull(span);
        Assert.Null(span.ParentId);
        Assert.NotEqual(caller.TraceId, span.TraceId);
        Assert.Empty(span.Baggage);
        Assert.Equal(caller, Assert.Single(span.Links).Context);
        Assert.Equal(("POST /v1/chat/completions", "/v1/chat/completions"), (span.DisplayName, span.GetTagItem("http.route")));
        Assert.DoesNotContain(answer.Headers, header => header.Key.Contains("trace", StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("parentbased_always_on", Parent.None, ActivityKind.Server, "/v1/models", true)]
    [InlineData("parentbased_always_on", Parent.None, ActivityKind.Server, "/health", false)]
    [InlineData("parentbased_always_on", Parent.None, ActivityKind.Server, "/alive", false)]
    [InlineData("parentbased_always_on", Parent.None, ActivityKind.Client, "/poll", false)]
    [InlineData("parentbased_always_on", Parent.RemoteRecorded, ActivityKind.Server, "/internal/leases", true)]
    [InlineData("parentbased_always_on", Parent.RemoteDropped, ActivityKind.Server, "/internal/leases", false)]
    [InlineData("always_on", Parent.None, ActivityKind.Server, "/health", false)]
    [InlineData("always_on", Parent.RemoteDropped, ActivityKind.Server, "/internal/polled", false)]
    [InlineData("always_on", Parent.LocalDropped, ActivityKind.Client, "/below-health", false)]
    [InlineData("always_off", Parent.None, ActivityKind.Server, "/v1/models", false)]
    [InlineData("always_off", Parent.LocalRecorded, ActivityKind.Client, "/below-what-is-recorded", true)]
    public void What_is_recorded_is_what_the_variable_says_without_probes_and_polls(
        string sampler, Parent parent, ActivityKind kind, string path, bool isRecorded)
    {
        var context = parent == Parent.None ? default : new ActivityContext(
            ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(),
            parent is Parent.LocalRecorded or Parent.RemoteRecorded ? ActivityTraceFlags.Recorded : ActivityTraceFlags.None,
            null, isRemote: parent is Parent.RemoteRecorded or Parent.RemoteDropped);

        var tags = new TagList { { "url.path", path } }; // as ASP.NET gives them
        var sampled = Of(sampler).ShouldSample(new(context, ActivityTraceId.CreateRandom(), "span", kind, tags, null));

        Assert.Equal(isRecorded ? SamplingDecision.RecordAndSample : SamplingDecision.Drop, sampled.Decision);
    }

    /// <summary>How the framework hands a request's path to a sampler is its own affair, so it is asked itself.</summary>
    [Fact]
    public async Task A_probe_is_known_by_what_the_framework_says_of_its_request()
    {
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);
        var (sampler, decisions) = (Of("always_on"), new ConcurrentDictionary<string, SamplingDecision>());
        using var framework = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Microsoft.AspNetCore",
            Sample = (ref ActivityCreationOptions<ActivityContext> options) =>
            {
                var asked = new SamplingParameters(default, options.TraceId, options.Name, options.Kind, options.Tags, options.Links);
                var path = (string)options.Tags!.Single(tag => tag.Key == "url.path").Value!;
                decisions[path] = sampler.ShouldSample(asked).Decision;
                return ActivitySamplingResult.AllData;
            },
        };
        ActivitySource.AddActivityListener(framework);
        var builder = WebApplication.CreateSlimBuilder(["--urls=http://127.0.0.1:0"]);
        builder.Logging.ClearProviders();
        await using var app = builder.Build();
        app.Run(_ => Task.CompletedTask);
        await app.StartAsync(TestContext.Current.CancellationToken);
        using var client = new HttpClient { BaseAddress = new(app.Urls.Single()) };
        foreach (var path in (string[])["/health", "/v1/models", "/alive"])
            using (await client.GetAsync(path, TestContext.Current.CancellationToken))
            {
            }

        Assert.Equal(
            (SamplingDecision.Drop, SamplingDecision.RecordAndSample, SamplingDecision.Drop),
            (decisions["/health"], decisions["/v1/models"], decisions["/alive"]));
    }

    [Theory]
    [InlineData("/c/+49 170 1/v1/chat/completions", "/c/{session}/v1/chat/completions")]
    [InlineData("/C/ann", "/c/{session}")]
    [InlineData("/k/llm_gw_secret/v1/messages", "/k/{key}/v1/messages")]
    [InlineData("/k/", "/k/{key}")]
    [InlineData("/v1/chat/completions", null)]
    [InlineData("/", null)]
    public void A_path_that_names_somebody_is_told_without_the_name(string path, string? told) =>
        Assert.Equal(told, Telemetry.TemplateOf(path));

    public enum Parent
    {
        None, LocalRecorded, LocalDropped, RemoteRecorded, RemoteDropped,
    }

    [Fact]
    public void A_shared_step_is_recorded_when_one_of_its_requests_is()
    {
        var shared = new SamplingParameters(
            default, ActivityTraceId.CreateRandom(), "commit", ActivityKind.Internal, null, [new(Recorded.Remote())]);

        Assert.Equal(SamplingDecision.RecordAndSample, Of("always_off").ShouldSample(shared).Decision);
    }

    [Theory]
    [InlineData("sometimes", null)]
    [InlineData("traceidratio", "1,5")]
    [InlineData("traceidratio", "2")]
    public void A_sampler_that_does_not_exist_stops_the_start(string sampler, string? argument) =>
        Assert.Throws<InvalidOperationException>(() => Of(sampler, argument));

    static WithoutChatter Of(string sampler, string? argument = null) => new(Sampling.Of(
        new ConfigurationManager { ["OTEL_TRACES_SAMPLER"] = sampler, ["OTEL_TRACES_SAMPLER_ARG"] = argument }));

    static List<Intake.Waiting> Batch(params Command[] commands)
    {
        var (intake, batch) = (new Intake(), new List<Intake.Waiting>());
        _ = intake.Add(commands);
        Assert.True(intake.Take(batch));
        return batch;
    }

    static Settlement Settlement() => new(
        Ids.New(), null, [], new(
            Ids.New(), Ids.New(), null, Ids.New(), null, false, "", "", "", "", null, false, DateTimeOffset.UnixEpoch, 0, null, 0,
            RequestOutcome.Completed, new long[Usage.Meters], Money.Zero, false, null, null));
}
