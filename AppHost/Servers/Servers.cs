using Microsoft.Extensions.Configuration;

namespace LlmGateway.AppHost;

/// <summary>
/// PostgreSQL, Redis and RabbitMQ, in one of three forms: others' servers whose connection string is given, containers, or processes of
/// this machine. Services see the same in all of them. The setting <c>Servers</c> is <c>local</c> or <c>containers</c>; without it
/// containers are taken where an engine answers.
/// </summary>
sealed class Servers
{
    /// <summary>The first start fetches the images of three servers.</summary>
    static readonly TimeSpan PullLimit = TimeSpan.FromMinutes(10);

    readonly Stack _stack;
    readonly bool _local;
    IResourceBuilder<LocalServer>? _postgres;
    IResourceBuilder<PostgresServerResource>? _container;

    public Servers(Stack stack)
    {
        _stack = stack;
        _local = IsLocal(stack);
        stack.ServersAre = _local ? "processes of this machine" : "containers";
        if (!_local)
            stack.StartLimit = PullLimit;
    }

    public IResourceBuilder<IResourceWithConnectionString> AddDatabase(string name, string database)
    {
        if (Given(name) is { } given)
            return given;
        if (_local)
        {
            _postgres ??= LocalPostgres.Add(_stack, "postgres");
            return _stack.Builder.AddConnectionString(name, ReferenceExpression.Create($"{_postgres};Database={database}"));
        }
        _container ??= _stack.Builder.AddPostgres("postgres", password: _stack.AddSecret("postgres-password"))
            .WithDataVolume(Volume("postgres"));
        return _container.AddDatabase(name, database);
    }

    public IResourceBuilder<IResourceWithConnectionString> AddRedis(string name) =>
        Given(name) ?? (_local
            ? LocalRedis.Add(_stack, name)
            : _stack.Builder.AddRedis(name, port: null, password: _stack.AddSecret("redis-password")));

    public IResourceBuilder<IResourceWithConnectionString> AddRabbitMq(string name) =>
        Given(name) ?? (_local
            ? LocalRabbitMq.Add(_stack, name)
            : _stack.Builder.AddRabbitMQ(name, password: _stack.AddSecret("rabbitmq-password")).WithDataVolume(Volume(name)));

    /// <summary>A server that runs elsewhere: <c>ConnectionStrings__redis=…</c> and so on.</summary>
    IResourceBuilder<IResourceWithConnectionString>? Given(string name)
    {
        if (string.IsNullOrEmpty(_stack.Builder.Configuration.GetConnectionString(name)))
            return null;
        _stack.ServersAre = $"{_stack.ServersAre}, {name} elsewhere";
        return _stack.Builder.AddConnectionString(name);
    }

    /// <summary>Each data folder has its own.</summary>
    string? Volume(string name) => _stack.Runs ? $"llmgateway-{_stack.Id}-{name}" : null;

    /// <summary>A manifest is for a deployment, so it has containers. A data folder keeps the form that it began with.</summary>
    static bool IsLocal(Stack stack)
    {
        if (!stack.Runs)
            return false;
        var file = stack.Folder.Of("servers");
        var before = File.Exists(file) ? File.ReadAllText(file) : null;
        var form = stack.Text("Servers") ?? before;
        if (form is not (null or "local" or "containers"))
            stack.Refusals.Add($"Servers must be 'local' or 'containers', not '{form}'");
        var engine = form != "local" && Machine.HasContainerEngineAsync().GetAwaiter().GetResult();
        if (form == "containers" && !engine)
            stack.Refusals.Add("Servers is 'containers', but no container engine answers: start it, or set Servers to 'local'");
        var chosen = engine ? "containers" : "local";
        // The spool of this folder has charges for the books of the servers before.
        if (before is not null && before != chosen)
            stack.Refusals.Add($"the books of {stack.Folder.Path} are in servers of the form '{before}'; give this stack another --data");
        stack.Prepare(() => File.WriteAllText(file, chosen));
        return !engine;
    }
}
