using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net.Sockets;
using System.Text;

/// <summary>
/// Tells what a service's own metrics say, and what its heap holds. The runtime itself loads it into the service
/// (<c>DOTNET_STARTUP_HOOKS</c>), so the product has no code for it. The runtime wants this name, and no namespace.
/// </summary>
static class StartupHook
{
    /// <summary>What a service has answered so far, by route: <c>POST /internal/credentials</c>.</summary>
    const string Answers = "http.server.request.duration";

    static readonly ConcurrentDictionary<string, long> Values = new();

    public static void Initialize()
    {
        var meters = new MeterListener { InstrumentPublished = Choose };
        meters.SetMeasurementEventCallback<double>((_, _, tags, _) => Values.AddOrUpdate(Route(tags), 1, (_, count) => count + 1));
        meters.SetMeasurementEventCallback<long>((instrument, value, _, _) => Values[instrument.Name] = value);
        meters.Start();
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(Address(Environment.ProcessId));
        listener.Listen();
        new Thread(() => Answer(listener, meters)) { IsBackground = true, Name = "gauges" }.Start();
    }

    /// <summary>Asks the process: names and values, and under <c>heap</c> the bytes that a full collection leaves.</summary>
    public static Dictionary<string, long> Ask(int process)
    {
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(Address(process));
        using var reader = new StreamReader(new NetworkStream(client));
        var lines = reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return lines.Select(line => line.Split('\t')).ToDictionary(fields => fields[0], fields => long.Parse(fields[1]));
    }

    static void Choose(Instrument instrument, MeterListener meters)
    {
        if (instrument.Name == Answers || (instrument.IsObservable && instrument.Name.StartsWith("gateway.", StringComparison.Ordinal)))
            meters.EnableMeasurementEvents(instrument);
    }

    static string Route(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var (method, route) = ("", "");
        foreach (var (key, value) in tags)
            (method, route) = key switch
            {
                "http.request.method" => ((string)value!, route),
                "http.route" => (method, (string)value!),
                _ => (method, route),
            };
        return $"{method} {route}";
    }

    static void Answer(Socket listener, MeterListener meters)
    {
        while (true)
        {
            using var client = listener.Accept();
            // Twice: what finalizers let go is collected, too.
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            meters.RecordObservableInstruments();
            var lines = Values.Select(value => $"{value.Key}\t{value.Value}\n");
            client.Send(Encoding.UTF8.GetBytes($"heap\t{GC.GetTotalMemory(forceFullCollection: false)}\n{string.Concat(lines)}"));
        }
    }

    /// <summary>A name that needs no file (the leading zero) and ends with its process.</summary>
    static UnixDomainSocketEndPoint Address(int process) => new($"\0llm-gateway-scale-{process}");
}
