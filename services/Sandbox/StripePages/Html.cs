using System.Net;
using System.Text;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>One plain page for everything.</summary>
static class Html
{
    const string Style = "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:0 auto;padding:1rem;color:#1a1f36}"
        + ".banner{background:#ffe08a;padding:.5rem 1rem;border-radius:.4rem;font-weight:600}"
        + "label{display:block;margin:.75rem 0 .25rem}input,select{font:inherit;padding:.5rem;width:100%;box-sizing:border-box}"
        + "button{font:inherit;padding:.6rem 1.2rem;margin:1rem .5rem 0 0;border:0;border-radius:.4rem;background:#3b3fbf;color:#fff}"
        + "button.plain{background:#e3e5f0;color:#1a1f36}table{width:100%;border-collapse:collapse}td,th{text-align:left;padding:.25rem}";

    public static string Text(string? text) => WebUtility.HtmlEncode(text ?? "");

    public static IResult Page(string title, string body, int status = StatusCodes.Status200OK) => Results.Content(
        $"""
        <!doctype html>
        <html lang="en">
        <head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
        <title>{Text(title)} · sandbox</title><style>{Style}</style></head>
        <body><p class="banner">SANDBOX: this is not Stripe, and no money moves.</p><main><h1>{Text(title)}</h1>
        {body}
        </main></body>
        </html>
        """,
        "text/html; charset=utf-8",
        Encoding.UTF8,
        status);

    public static string Field(string name, string label, string value = "", string kind = "text") =>
        $"<label for=\"{name}\">{Text(label)}</label><input id=\"{name}\" name=\"{name}\" type=\"{kind}\" value=\"{Text(value)}\">";

    public static string Button(string name, string value, string label, bool isPlain = false) =>
        $"<button name=\"{name}\" value=\"{value}\"{(isPlain ? " class=\"plain\"" : "")}>{Text(label)}</button>";
}
