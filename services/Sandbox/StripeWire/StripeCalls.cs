using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// Everything between a request and a resource: keys, accounts, versions, parameters, idempotency, ordered faults, answers.
/// </summary>
sealed class StripeCalls(Worlds worlds)
{
    const int MaxBody = 1024 * 1024;

    readonly Routes routes = Resources.All();

    /// <summary>What is known of a request before its route is.</summary>
    sealed record Arrived(World World, Account Account, string Method, string Path, string Sent, string Request, bool IsPublic)
    {
        public string? Key { get; init; }
    }

    public async Task HandleAsync(HttpContext http)
    {
        var request = StripeIds.New("req");
        http.Response.Headers["Request-Id"] = request;
        http.Response.Headers.AccessControlAllowOrigin = "*";
        Arrived? arrived = null;
        try
        {
            arrived = await ReadAsync(http, request);
            await ExecuteAsync(http, arrived);
        }
        catch (Refusal refusal)
        {
            await AnswerAsync(http, Answer(refusal, arrived?.Account.Id ?? "acct_unknown", request));
        }
    }

    async Task<Arrived> ReadAsync(HttpContext http, string request)
    {
        var key = KeyOf(http.Request);
        var world = worlds.Of(key);
        var headers = http.Request.Headers;
        http.Response.Headers["Stripe-Version"] = StripeVersion.Of(headers["Stripe-Version"]);
        if (headers["Idempotency-Key"].ToString() is { Length: > 0 } repeated)
        {
            http.Response.Headers["Idempotency-Key"] = repeated;
        }
        using var reader = new StreamReader(http.Request.Body);
        var body = await reader.ReadToEndAsync(http.RequestAborted);
        if (body.Length > MaxBody)
        {
            throw Refusal.Invalid($"A request has at most {MaxBody} characters.");
        }
        lock (world.Gate)
        {
            world.Address = $"{http.Request.Scheme}://{http.Request.Host}{http.Request.PathBase}";
            var query = http.Request.QueryString.Value?.TrimStart('?') ?? "";
            return new(
                world,
                AccountOf(world, headers["Stripe-Account"].ToString(), key!),
                http.Request.Method,
                http.Request.Path.Value!.TrimEnd('/'),
                body.Length > 0 && query.Length > 0 ? $"{query}&{body}" : query + body,
                request,
                key!.StartsWith("pk_", StringComparison.Ordinal))
            {
                Key = http.Request.Method == "POST" && headers["Idempotency-Key"].ToString() is { Length: > 0 } given ? given : null,
            };
        }
    }

    static string? KeyOf(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        if (header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
        {
            return header["Bearer ".Length..].Trim();
        }
        if (!header.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }
        var bytes = new byte[header.Length];
        return Convert.TryFromBase64String(header["Basic ".Length..].Trim(), bytes, out var length)
            ? Encoding.UTF8.GetString(bytes, 0, length).Split(':')[0]
            : null;
    }

    static Account AccountOf(World world, string named, string key)
    {
        if (named.Length == 0)
        {
            return world.Platform;
        }
        return world.Account(named) is { IsDeauthorized: false } account
            ? account
            : throw new Refusal(
                StatusCodes.Status403Forbidden,
                "invalid_request_error",
                $"The provided key '{key[..8]}***' does not have access to account '{named}' (or that account does not exist). Application "
                    + "access may have been revoked.") { Code = "account_invalid", IsKept = false };
    }

    async Task ExecuteAsync(HttpContext http, Arrived arrived)
    {
        var (world, account) = (arrived.World, arrived.Account);
        var (route, ids) = routes.Find(arrived.Method, arrived.Path) ?? throw new Refusal(
            StatusCodes.Status404NotFound,
            "invalid_request_error",
            $"Unrecognized request URL ({arrived.Method}: {arrived.Path}). Please see https://stripe.com/docs or we can help at "
                + "https://support.stripe.com/.");
        if (arrived.IsPublic && !route.IsPublic)
        {
            throw new Refusal(
                StatusCodes.Status401Unauthorized,
                "invalid_request_error",
                "This API call cannot be made with a publishable API key. Please use a secret API key.") { Code = "secret_key_required" };
        }
        var given = route.Accepts.Read(Form.Read(arrived.Sent));

        var (fault, kept) = Begin(arrived);
        Refuse(http, fault);
        if (kept is not null)
        {
            http.Response.Headers["Idempotent-Replayed"] = "true";
            http.Response.Headers["Original-Request"] = kept.Request;
            await AnswerAsync(http, kept);
            return;
        }
        await RunAsync(http, arrived, new(world, account, arrived.Path, ids, given)
        {
            Request = arrived.Request,
            Key = arrived.Key,
            IsPublic = arrived.IsPublic,
            UnseenSince = fault?.Kind == FaultKind.StaleLists ? world.Clock.Now - fault.Milliseconds / 1000 : null,
        }, route, fault);
    }

    /// <summary>The fault that strikes the call, and the answer that its key got before. Without either the key is taken now.</summary>
    static (StripeFault? Fault, KeptAnswer? Kept) Begin(Arrived arrived)
    {
        var world = arrived.World;
        lock (world.Gate)
        {
            world.Clock.RunDue();
            var fault = world.Faults.Take($"{arrived.Method} {arrived.Path}", $"{arrived.Account.Id} {arrived.Sent}");
            var isRefused = fault?.Kind is FaultKind.RateLimit or FaultKind.LockTimeout or FaultKind.Refusal;
            return (fault, arrived.Key is null || isRefused
                ? null
                : world.Kept.Begin(
                    arrived.Account.Id, arrived.Key, $"{arrived.Method} {arrived.Path}", arrived.Sent, world.Clock.Now));
        }
    }

    static void Refuse(HttpContext http, StripeFault? fault)
    {
        if (fault?.Kind == FaultKind.RateLimit)
        {
            http.Response.Headers["Stripe-Rate-Limited-Reason"] = "global-rate";
            throw new Refusal(429, "invalid_request_error", "Request rate limit exceeded (ordered from the sandbox).")
            {
                Code = "rate_limit",
            };
        }
        if (fault?.Kind == FaultKind.Refusal)
        {
            throw new Refusal(
                400, "invalid_request_error", "You have insufficient funds in your Stripe account (ordered from the sandbox).")
            {
                Code = "balance_insufficient",
            };
        }
        if (fault?.Kind == FaultKind.LockTimeout)
        {
            http.Response.Headers["Stripe-Should-Retry"] = "true";
            throw new Refusal(429, "invalid_request_error", "This object cannot be accessed right now (ordered from the sandbox).")
            {
                Code = "lock_timeout",
            };
        }
    }

    static async Task RunAsync(HttpContext http, Arrived arrived, Call call, Routes.Route route, StripeFault? fault)
    {
        var (world, account) = (call.World, call.Account);
        KeptAnswer? answer = null;
        var isKept = false;
        try
        {
            if (fault?.Kind == FaultKind.Latency)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(fault.Milliseconds), http.RequestAborted);
            }
            if (fault?.Kind == FaultKind.Late)
            {
                http.Abort();
                await Task.Delay(TimeSpan.FromMilliseconds(fault.Milliseconds), CancellationToken.None);
            }
            if (fault?.Kind is FaultKind.CutBefore)
            {
                http.Abort();
                return;
            }
            lock (world.Gate)
            {
                (answer, isKept) = fault?.Kind == FaultKind.ErrorBefore
                    ? (Answer(Refusal.Server(), account.Id, arrived.Request), false)
                    : Run(call, route);
                if (fault?.Kind == FaultKind.ErrorAfter)
                {
                    answer = Answer(Refusal.Server(), account.Id, arrived.Request);
                }
            }
        }
        finally
        {
            if (call.Key is not null)
            {
                lock (world.Gate)
                {
                    world.Kept.End(account.Id, call.Key, isKept ? answer : null);
                }
            }
            world.Deliveries.Wake();
        }
        if (fault?.Kind is FaultKind.CutAfter or FaultKind.Late)
        {
            http.Abort();
            return;
        }
        await AnswerAsync(http, answer);
    }

    static (KeptAnswer Answer, bool IsKept) Run(Call call, Routes.Route route)
    {
        call.World.Running = call;
        try
        {
            var paths = call.Given.Items("expand").Select(path => path.GetValue<string>());
            var body = route.Run(call).Expanded(call.Account, paths);
            return (new(StatusCodes.Status200OK, Bytes(body), call.Request), true);
        }
        catch (Refusal refusal)
        {
            return (Answer(refusal, call.Account.Id, call.Request), refusal.IsKept);
        }
        finally
        {
            call.World.Running = null;
        }
    }

    static KeptAnswer Answer(Refusal refusal, string account, string request) =>
        new(refusal.Status, Bytes(refusal.Body(account, request)), request);

    static byte[] Bytes(JsonObject body) => JsonSerializer.SerializeToUtf8Bytes(body, Rendering.Readable);

    static async Task AnswerAsync(HttpContext http, KeptAnswer answer)
    {
        http.Response.StatusCode = answer.Status;
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = answer.Body.Length;
        await http.Response.Body.WriteAsync(answer.Body, http.RequestAborted);
    }
}
