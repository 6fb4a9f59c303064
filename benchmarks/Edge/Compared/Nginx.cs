namespace LlmGateway.Edge;

/// <summary>
/// The floor: nginx as a plain reverse proxy with connections kept alive on both sides. Left out when it is not installed.
/// </summary>
static class Nginx
{
    const string Program = "/usr/sbin/nginx";

    public static bool IsInstalled => File.Exists(Program);

    public static Task<Target> StartAsync(string folder, int port, int upstream, string key)
    {
        var configuration = Path.Combine(folder, "nginx.conf");
        File.WriteAllText(configuration, $$"""
            daemon off;
            master_process off;
            pid nginx.pid;
            error_log stderr crit;
            events { worker_connections 4096; }
            http {
              access_log off;
              keepalive_requests 100000000;
              client_body_buffer_size 512k;
              client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
              upstream provider { server 127.0.0.1:{{upstream}}; keepalive 512; keepalive_requests 100000000; }
              server {
                listen 127.0.0.1:{{port}} backlog=1024;
                location / { proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
              }
            }
            """);
        return Target.StartAsync(Rig.Nginx, Cores.UnderTest, port, key, [Program, "-e", "stderr", "-p", folder, "-c", configuration]);
    }
}
