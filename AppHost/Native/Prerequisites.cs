namespace LlmGateway.AppHost.Native;

/// <summary>Programs of this machine that a stack or its tests need, installed from the distribution when they are missing.</summary>
static class Prerequisites
{
    static readonly TimeSpan Limit = TimeSpan.FromMinutes(15);

    sealed record Program(string Package, string Purpose, Func<bool> IsThere);

    static readonly Program[] Servers =
    [
        new("postgresql", "the ledger and all other durable data", () => Postgres.Programs() is not null),
        new("redis-server", "hot credentials and rate limits", () => OneShot.Exists(Redis.Program)),
        new("rabbitmq-server", "usage and events between services", () => File.Exists(RabbitMq.Program) && OneShot.Exists(RabbitMq.NameServer)),
    ];

    static readonly Program[] JavaScript = [new("npm", "the JavaScript clients of the end-to-end tests", () => OneShot.Exists("npm"))];

    static readonly Program[] Load = [new("wrk", "the load of ./dev bench", () => OneShot.Exists("wrk"))];

    public static Task EnsureServersAsync(CancellationToken token) => EnsureAsync(Servers, token);

    public static Task EnsureNpmAsync(CancellationToken token) => EnsureAsync(JavaScript, token);

    public static Task EnsureLoadAsync(CancellationToken token) => EnsureAsync(Load, token);

    static async Task EnsureAsync(Program[] programs, CancellationToken token)
    {
        var missing = programs.Where(program => !program.IsThere()).ToList();
        if (missing.Count == 0)
            return;
        var packages = missing.Select(program => program.Package).ToArray();
        if (!OneShot.Exists("apt-get"))
            throw new Failure(ExitCode.Unavailable, $"missing: {string.Join(", ", packages)}; this machine has no apt-get, so install them yourself and try again");

        Console.WriteLine($"Installing with apt-get: {string.Join("; ", missing.Select(program => $"{program.Package} ({program.Purpose})"))}");
        token.ThrowIfCancellationRequested();
        await AptGetAsync(["update", "-qq"]);
        token.ThrowIfCancellationRequested();
        await AptGetAsync(["install", "-qq", "-y", "--no-install-recommends", .. packages]);
        if (missing.Find(program => !program.IsThere()) is { } still)
            throw new Failure(ExitCode.Unavailable, $"{still.Package} was installed, but its programs are not where Debian and Ubuntu put them");
    }

    /// <summary>Silent unless it fails; sudo asks for a password on the terminal itself.</summary>
    static async Task AptGetAsync(string[] arguments)
    {
        string[] command = [.. Environment.IsPrivilegedProcess ? Array.Empty<string>() : ["sudo"], "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", .. arguments];
        if (!OneShot.Exists(command[0]))
            throw new Failure(ExitCode.Unavailable, $"only root can install packages and there is no sudo; run this as root: apt-get {string.Join(' ', arguments)}");
        var (code, output) = await OneShot.RunAsync(command[0], command[1..], Limit);
        if (code != 0)
            throw new Failure(ExitCode.Unavailable, $"apt-get {arguments[0]} failed: {output.Trim().Split('\n').Last()}");
    }
}
