using LlmGateway.ServiceDefaults;
using MailKit.Security;
using MimeKit;

namespace LlmGateway.Billing;

/// <summary>The operator's mail server.</summary>
/// <param name="User">Null: it wants nobody's name.</param>
public sealed record MailServer(string Host, int Port, SecureSocketOptions Tls, string? User, string? Password, string From);

/// <summary>Mail as it is set up. Without a server nothing is sent, and nothing is written that would wait to be.</summary>
/// <param name="Server">Null: none is set.</param>
public sealed record MailSettings(MailServer? Server)
{
    const int DefaultPort = 587;

    /// <summary>Reads the settings. What is missing or wrong ends the start with lines that name it.</summary>
    public static MailSettings Read(WebApplicationBuilder builder)
    {
        if (builder.Configuration["Mail:Host"] is not { Length: > 0 } host)
            return new((MailServer?)null);
        var from = builder.Setting("Mail:From");
        if (from.Length > 0 && !IsAddress(from))
            builder.Wrong($"Mail:From is '{from}', but must be one mail address");
        var user = builder.Configuration["Mail:User"] is { Length: > 0 } name ? name : null;
        var password = user is null ? null : builder.Setting("Mail:Password");
        var tls = Tls(builder, builder.Configuration["Mail:Tls"]);
        if (tls == SecureSocketOptions.None && user is not null)
            builder.Wrong("Mail:Tls is 'none', so Mail:User and Mail:Password would be read by everybody on the way");
        return new(new MailServer(host, builder.Count("Mail:Port", atLeast: 1) ?? DefaultPort, tls, user, password, from));
    }

    /// <summary>An address alone, without a name beside it, as the sender of mail reads it: others would take more.</summary>
    public static bool IsAddress(string text) =>
        text.Length <= 254 && !text.Any(char.IsControl) && MailboxAddress.TryParse(text, out var address) && address.Address == text
            && address.Domain.Length > 0;

    /// <summary>Encryption is never given up because a server does not offer it.</summary>
    static SecureSocketOptions Tls(WebApplicationBuilder builder, string? text)
    {
        switch (text)
        {
            case null or "" or "starttls":
                return SecureSocketOptions.StartTls;
            case "connect":
                return SecureSocketOptions.SslOnConnect;
            case "none":
                return SecureSocketOptions.None;
            default:
                builder.Wrong($"Mail:Tls is '{text}', but must be starttls, connect or none");
                return SecureSocketOptions.StartTls;
        }
    }
}
