using System.Globalization;
using System.Xml.Linq;

namespace LlmGateway.DevTool;

/// <summary>The outcome of test projects. They are xunit.v3 programs, so that no test host is needed.</summary>
sealed record TestRun(int Passed, int Failed, string[] Failures)
{
    /// <summary>Methods that take longer, in seconds, are told of; so many at most.</summary>
    const int Slow = 5, MostSlow = 10;

    /// <summary>One more than cores: tests of running services wait most of the time.</summary>
    static readonly string Threads = (Environment.ProcessorCount + 1).ToString(CultureInfo.InvariantCulture);

    static readonly TimeSpan Limit = TimeSpan.FromMinutes(30);

    public static TestRun operator +(TestRun left, TestRun right) =>
        new(left.Passed + right.Passed, left.Failed + right.Failed, [.. left.Failures, .. right.Failures]);

    /// <summary>Runs a project's tests, its output on the terminal; a project that crashes or hangs counts as one more failure.</summary>
    /// <param name="explicitly">Runs those that run only when asked for.</param>
    /// <param name="limit">Half an hour when nothing is said.</param>
    public static async Task<TestRun> OfAsync(
        string project, string? filter, Dictionary<string, string> environment, CancellationToken token,
        bool explicitly = false, TimeSpan? limit = null)
    {
        var longest = limit ?? Limit;
        var report = Path.Combine(Path.GetTempPath(), $"llmgateway-{project}-{Environment.ProcessId}.xml");
        using var end = CancellationTokenSource.CreateLinkedTokenSource(token);
        end.CancelAfter(longest);
        try
        {
            string[] how = ["-noLogo", "-noColor", "-xml", report, "-maxThreads", Threads, "-explicit", explicitly ? "only" : "off"];
            var code = await CodeAsync([Assembly(project), .. how, .. Filter(filter)], environment, end.Token, token);
            var run = new TestRun(0, 0, []);
            if (File.Exists(report))
            {
                var results = XDocument.Load(report);
                PrintSlowest(results);
                run = Read(results);
            }
            if (code == 0 || run.Failed > 0)
                return run;
            var why = code is null ? $"not done after {longest.TotalMinutes} minutes" : $"ended with code {code}";
            return run + new TestRun(0, 1, [$"{project}: {why}"]);
        }
        finally
        {
            File.Delete(report);
        }
    }

    /// <summary>How many test methods a filter selects, without running them.</summary>
    public static async Task<int> CountAsync(string project, string filter)
    {
        using var end = new CancellationTokenSource(Limit);
        var (code, output) = await Programs.ReadAsync("dotnet", [Assembly(project), "-list", "methods", .. Filter(filter)], end.Token);
        if (code != 0)
            throw new Failure(ExitCode.Failed, $"the tests of {project} cannot be listed: {Programs.LastLine(output)}");
        // Methods one a line by their full names, below a banner.
        return output.Split('\n').Count(line => line.StartsWith("LlmGateway.", StringComparison.Ordinal));
    }

    /// <returns>Null when the time was up.</returns>
    static async Task<int?> CodeAsync(
        string[] arguments, Dictionary<string, string> environment, CancellationToken end, CancellationToken interrupted)
    {
        try
        {
            return await Programs.ShowAsync("dotnet", arguments, end, environment);
        }
        catch (OperationCanceledException) when (!interrupted.IsCancellationRequested)
        {
            return null;
        }
    }

    public static string Assembly(string project) =>
        Path.Combine(StackFolder.Repository, "artifacts", "bin", project, "release", $"LlmGateway.{project}.dll");

    static string[] Filter(string? filter) => filter is null ? [] : ["-method", $"*{filter}*"];

    static TestRun Read(XDocument report)
    {
        var assemblies = report.Root!.Elements("assembly").ToList();
        var failures = report.Descendants("test").Where(test => (string?)test.Attribute("result") == "Fail")
            .Select(test => $"{(string?)test.Attribute("name")}: {Message(test)?.Replace("\n", "\n    ", StringComparison.Ordinal)}");
        var errors = report.Descendants("error").Select(error => $"{(string?)error.Attribute("name")}: {Message(error)}");
        return new(Sum("passed"), Sum("failed") + Sum("errors"), [.. failures, .. errors]);

        static string? Message(XElement outcome) => outcome.Descendants("message").FirstOrDefault()?.Value.Trim();

        int Sum(string name) => assemblies.Sum(assembly => int.Parse(assembly.Attribute(name)!.Value, CultureInfo.InvariantCulture));
    }

    /// <summary>The whole has to stay below fifteen minutes: where they go.</summary>
    static void PrintSlowest(XDocument report)
    {
        var methods = report.Descendants("test").GroupBy(test => $"{(string?)test.Attribute("type")}.{(string?)test.Attribute("method")}")
            .Select(tests => (Name: tests.Key, Seconds: tests.Sum(Seconds)));
        var slow = methods.OrderByDescending(method => method.Seconds).TakeWhile(method => method.Seconds >= Slow);
        foreach (var (name, seconds) in slow.Take(MostSlow))
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{seconds,7:F1} s  {name}"));

        static double Seconds(XElement test) => double.Parse(test.Attribute("time")!.Value, CultureInfo.InvariantCulture);
    }
}
