namespace LlmGateway.AppHost.Native;

/// <summary>What a stack is started with.</summary>
sealed record StackOptions(Folders Folders, PortBlock Ports, string[] Seeds, bool Dashboard);

/// <summary>
/// Everything of the topology as processes of this machine: started, supervised, stopped. All of it or nothing: when one process does not
/// come up, the others are stopped before the failure is reported.
/// </summary>
sealed class Stack : IAsyncDisposable
{
    /// <summary>Servers stop after every service.</summary>
    public const int ServerWave = 100;

    readonly StackOptions options;
    readonly Secrets secrets;
    readonly FileStream ownership;
    readonly Launcher launcher = new();
    readonly List<Child> children = [];
    readonly Lock stateGate = new();
    bool ready;

    Stack(StackOptions options)
    {
        this.options = options;
        Directory.CreateDirectory(options.Folders.Data);
        ownership = Own(options.Folders);
        secrets = Secrets.LoadOrCreate(options.Folders.Secrets);
    }

    public static async Task<Stack> StartAsync(StackOptions options, CancellationToken token)
    {
        var stack = new Stack(options);
        try
        {
            await stack.StartAsync(token);
            return stack;
        }
        catch
        {
            await stack.DisposeAsync();
            throw;
        }
    }

    /// <summary>The last thing that was written to the state file.</summary>
    public StackState State => new(
        options.Ports.Base, options.Folders.Data, ready, ProcessIdentity.Of(Environment.ProcessId), options.Seeds,
        [.. children.Select(child => child.State)], ServiceProcess.Connections(options.Ports, secrets), secrets.InternalKey);

    /// <summary>Stops in waves: proxies hand in what they have metered before anything that they need goes away.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var wave in children.GroupBy(child => child.Plan.StopWave).OrderBy(wave => wave.Key))
            await Task.WhenAll(wave.Select(child => child.StopAsync()));
        File.Delete(options.Folders.State);
        foreach (var child in children)
            child.Dispose();
        launcher.Dispose();
        await ownership.DisposeAsync();
    }

    async Task StartAsync(CancellationToken token)
    {
        await StopLeftoversAsync();
        foreach (var orders in (string[])[options.Folders.Held, options.Folders.Once])
            if (Directory.Exists(orders))
                Directory.Delete(orders, recursive: true);

        var (folders, ports) = (options.Folders, options.Ports);
        ProcessPlan[] servers = [await Postgres.PrepareAsync(folders, ports, secrets), Redis.Prepare(folders, ports, secrets), RabbitMq.Prepare(folders, ports, secrets)];
        var nameServer = RabbitMq.PrepareNameServer(ports);
        ProcessPlan[] services = [.. Topology.Services.Select(service => ServiceProcess.Prepare(service, folders, ports, secrets, options.Seeds, options.Dashboard))];
        ProcessPlan[] dashboard = options.Dashboard ? [Dashboard.Prepare(ports)] : [];
        PortBlock.RequireFree([nameServer, .. servers, .. dashboard, .. services]);

        await StartAsync([nameServer], token);
        await StartAsync([.. servers, .. dashboard], token);
        await StartAsync(services, token);
        ready = true;
        SaveState();
    }

    /// <summary>Side by side; the first failure calls the others off.</summary>
    async Task StartAsync(ProcessPlan[] plans, CancellationToken token)
    {
        var started = plans.Select(plan => new Child(plan, options.Folders, launcher, SaveState)).ToList();
        children.AddRange(started);
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(token);
        Failure? first = null;
        await Task.WhenAll(started.Select(async child =>
        {
            try
            {
                await child.StartAsync(failed.Token);
            }
            catch (Failure failure)
            {
                first ??= failure;
                await failed.CancelAsync();
            }
            catch (OperationCanceledException)
            {
                // Another one failed, or the user has had enough; both are told below.
            }
        }));
        token.ThrowIfCancellationRequested();
        if (first is not null)
            throw first;
    }

    void SaveState()
    {
        lock (stateGate)
            State.Write(options.Folders);
    }

    /// <summary>The lock on the data folder ends with this process, however it ends.</summary>
    static FileStream Own(Folders folders)
    {
        try
        {
            return new FileStream(Path.Combine(folders.Data, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw AlreadyRuns(folders);
        }
    }

    public static Failure AlreadyRuns(Folders folders) =>
        new(ExitCode.Failed, $"a stack already runs on {folders.Data}; see ./dev status, stop it with ./dev stop, or give this one another --data and --ports");

    /// <summary>When a supervisor was killed, its children stop by themselves; wait for them, and end those that hang.</summary>
    async Task StopLeftoversAsync()
    {
        if (StackState.Read(options.Folders) is not { } old)
            return;
        foreach (var process in old.Services)
            if (process.Identity is { IsAlive: true } left && !await left.GoneWithinAsync(TimeSpan.FromSeconds(10)))
            {
                left.KillGroup();
                await left.GoneWithinAsync(TimeSpan.FromSeconds(5));
            }
    }
}
