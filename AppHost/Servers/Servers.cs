using Microsoft.Extensions.Configuration;

namespace LlmGateway.AppHost;

/// <summary>
/// PostgreSQL, Redis and RabbitMQ, in one of three forms: others' servers whose connection string is given, containers, or processes of
/// this machine. Services see the same in all of them. The setting <c>Servers</c> is <c>local</c> or <c>containers</c>; without it
/// containers are taken where an engine answers.
/// </summary>
sealed class Servers
{
    readonly Stack _stack;
    readonly bool _local;
    IResourceBuilder<PostgresProcess>? _process;
    IResourceBuilder<PostgresServerResource>? _container;

    public Servers(Stack stack)
    {
        _stack = stack;
        _local = IsLocal(stack);
        stack.ServersAre = _local ? "processes of this machine" : "containers";
    }

    IDistributedApplicationBuilder Builder => _stack.Builder;

    public IResourceBuilder<IResourceWithConnectionString> AddDatabase(string name, string database)
    {
        if (Given(name) is { } given)
            return given;
        if (_local)
        {
            _process ??= PostgresProcess.Add(_stack, "postgres");
            return Builder.AddConnectionString(name, ReferenceExpression.Create($"{_process};Database={database}"));
        }
        _container ??= Builder.AddPostgres("postgres", password: _stack.AddSecret("postgres-password")).WithDataVolume(Volume("postgres"));
        return _container.AddDatabase(name, database);
    }

    public IResourceBuilder<IResourceWithConnectionString> AddRedis(string name) =>
        Given(name) ?? (_local
            ? RedisProcess.Add(_stack, name)
            : Builder.AddRedis(name, port: null, password: _stack.AddSecret("redis-password")));

    public IResourceBuilder<IResourceWithConnectionString> AddRabbitMq(string name) =>
        Given(name) ?? (_local
            ? RabbitMqProcess.Add(_stack, name)
            : Builder.AddRabbitMQ(name, password: _stack.AddSecret("rabbitmq-password")).WithDataVolume(Volume(name)));

    /// <summary>A server that runs elsewhere: <c>ConnectionStrings__redis=…</c> and so on.</summary>
    IResourceBuilder<IResourceWithConnectionString>? Given(string name)
    {
        if (string.IsNullOrEmpty(Builder.Configuration.GetConnectionString(name)))
            return null;
        _stack.ServersAre = $"{_stack.ServersAre}, {name} elsewhere";
        return Builder.AddConnectionString(name);
    }

    /// <summary>Each data folder has its own.</summary>
    string? Volume(string name) => _stack.Runs ? $"llmgateway-{_stack.Id}-{name}" : null;

    /// <summary>A manifest is for a deployment, so it has containers.</summary>
    static bool IsLocal(Stack stack)
    {
        if (!stack.Runs)
            return false;
        var form = stack.Text("Servers");
        if (form is not (null or "local" or "containers"))
            stack.Refuse($"Servers must be 'local' or 'containers', not '{form}'");
        if (form == "local")
            return true;
        var engine = ContainerEngine.Answers();
        if (form == "containers" && !engine)
            stack.Refuse("Servers is 'containers', but no container engine answers: start it, or set Servers to 'local'");
        return !engine;
    }
}
