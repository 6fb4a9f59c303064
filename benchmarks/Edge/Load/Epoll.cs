using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace LlmGateway.Edge;

/// <summary>
/// Linux's own socket calls, for the two programs that share a core with the load: one thread, no task and no thread switch per message.
/// What these two save is left to the proxies, so that the rig's ceiling lies well above what is measured. All calls are for non-blocking
/// sockets.
/// </summary>
sealed class Epoll
{
    public const int TryAgain = -1, Broken = -2;

    const uint In = 0x1, Out = 0x4;
    const int Add = 1, Modify = 3, MaxEvents = 512, CloseOnExec = 0x80000, NonBlocking = 0x800, NoSignal = 0x4000, Tcp = 6, NoDelay = 1;
    const int InterruptedCall = 4, WouldBlock = 11;

    /// <summary>The kernel packs <c>struct epoll_event</c> on x86-64 and nowhere else.</summary>
    static readonly bool Packed = RuntimeInformation.ProcessArchitecture == Architecture.X64;
    static readonly int Size = Packed ? 12 : 16, DataAt = Packed ? 4 : 8;

    readonly int _epoll = Check(epoll_create1(CloseOnExec));
    readonly byte[] _events = GC.AllocateArray<byte>(MaxEvents * 16, pinned: true);

    /// <summary>Listening sockets and connections alike; <see cref="Wait"/> names them by their descriptor.</summary>
    public void Watch(int socket) => Control(Add, socket, In);

    /// <summary>Whether it is also of interest that a socket takes more again.</summary>
    public void WatchWrites(int socket, bool on) => Control(Modify, socket, on ? In | Out : In);

    /// <summary>Sockets with news, for at most <paramref name="milliseconds"/>; -1 waits for ever.</summary>
    public int Wait(Span<int> sockets, int milliseconds)
    {
        int count;
        do
            count = epoll_wait(_epoll, ref _events[0], Math.Min(MaxEvents, sockets.Length), milliseconds);
        while (count < 0 && Marshal.GetLastPInvokeError() == InterruptedCall);
        for (var i = 0; i < Check(count); i++)
            sockets[i] = MemoryMarshal.Read<int>(_events.AsSpan(i * Size + DataAt));
        return count;
    }

    /// <summary>A new connection, non-blocking and without Nagle's delay; <see cref="TryAgain"/> when nobody waits.</summary>
    public static int Accept(int listener)
    {
        var socket = accept4(listener, 0, 0, NonBlocking | CloseOnExec);
        if (socket < 0)
            return TryAgain;
        var on = 1;
        Check(setsockopt(socket, Tcp, NoDelay, ref on, sizeof(int)));
        return socket;
    }

    /// <summary>Bytes received, 0 at the end, or <see cref="TryAgain"/>, or <see cref="Broken"/>.</summary>
    public static int Receive(int socket, Span<byte> buffer) =>
        Outcome((int)recv(socket, ref MemoryMarshal.GetReference(buffer), (nuint)buffer.Length, 0));

    /// <summary>Bytes sent, <see cref="TryAgain"/>, or <see cref="Broken"/>.</summary>
    public static int Send(int socket, ReadOnlySpan<byte> bytes) =>
        Outcome((int)send(socket, ref MemoryMarshal.GetReference(bytes), (nuint)bytes.Length, NoSignal));

    public static void Close(int socket) => _ = close(socket);

    void Control(int operation, int socket, uint events)
    {
        Span<byte> change = stackalloc byte[16];
        MemoryMarshal.Write(change, events);
        MemoryMarshal.Write(change[DataAt..], socket);
        Check(epoll_ctl(_epoll, operation, socket, ref change[0]));
    }

    static int Outcome(int result) => result >= 0 ? result : Marshal.GetLastPInvokeError() == WouldBlock ? TryAgain : Broken;

    static int Check(int result) => result >= 0 ? result : throw new SocketException(Marshal.GetLastPInvokeError());

    [DllImport("libc", SetLastError = true)]
    static extern int epoll_create1(int flags);

    [DllImport("libc", SetLastError = true)]
    static extern int epoll_ctl(int epoll, int operation, int socket, ref byte change);

    [DllImport("libc", SetLastError = true)]
    static extern int epoll_wait(int epoll, ref byte events, int most, int milliseconds);

    [DllImport("libc", SetLastError = true)]
    static extern int accept4(int listener, nint address, nint length, int flags);

    [DllImport("libc", SetLastError = true)]
    static extern int setsockopt(int socket, int level, int option, ref int value, int size);

    [DllImport("libc", SetLastError = true)]
    static extern nint recv(int socket, ref byte buffer, nuint length, int flags);

    [DllImport("libc", SetLastError = true)]
    static extern nint send(int socket, ref readonly byte bytes, nuint length, int flags);

    [DllImport("libc", SetLastError = true)]
    static extern int close(int socket);
}
