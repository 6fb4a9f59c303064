namespace LlmGateway.Proxy;

/// <summary>
/// How many records of the spool are delivered. Records have numbers and are delivered in their order, so this one figure says of each
/// record whether it is, and a long outage of the broker costs no memory.
/// </summary>
public sealed class DeliveryMark
{
    long _count;

    public long Count => Volatile.Read(ref _count);

    /// <summary>Only the publisher's loop calls it.</summary>
    public void Add(int records) => Volatile.Write(ref _count, _count + records);
}
