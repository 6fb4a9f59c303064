using System.Buffers.Binary;
using System.Net.Sockets;

/// <summary>
/// Tells the bench how many bytes a .NET proxy under test has allocated. The runtime itself loads it into the proxy
/// (<c>DOTNET_STARTUP_HOOKS</c>), so the product has no code for it. Its thread waits in <c>accept</c> and takes no time from the proxy.
/// The runtime wants this name, and no namespace.
/// </summary>
static class StartupHook
{
    public static void Initialize()
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(Address(Environment.ProcessId));
        listener.Listen();
        new Thread(() => Answer(listener)) { IsBackground = true, Name = "allocated bytes" }.Start();
    }

    /// <summary>What the process has allocated so far.</summary>
    public static long AllocatedBytes(int process)
    {
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(Address(process));
        using var stream = new NetworkStream(client);
        Span<byte> answer = stackalloc byte[sizeof(long)];
        stream.ReadExactly(answer);
        return BinaryPrimitives.ReadInt64LittleEndian(answer);
    }

    static void Answer(Socket listener)
    {
        Span<byte> answer = stackalloc byte[sizeof(long)];
        while (true)
        {
            using var client = listener.Accept();
            BinaryPrimitives.WriteInt64LittleEndian(answer, GC.GetTotalAllocatedBytes(precise: true));
            client.Send(answer);
        }
    }

    /// <summary>A name that needs no file (the leading zero) and ends with its process.</summary>
    static UnixDomainSocketEndPoint Address(int process) => new($"\0llm-gateway-edge-{process}");
}
