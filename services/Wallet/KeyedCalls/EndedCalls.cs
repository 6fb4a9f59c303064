using LlmGateway.Contracts;
using Npgsql;

namespace LlmGateway.Wallet;

/// <summary>Writes what becomes of keys, in the transaction that books what their calls cost.</summary>
static class EndedCalls
{
    /// <summary>
    /// A call that another request has taken over, or that was freed, stays as it is. The settlements of one owner meet at the house's
    /// accounts, so each reads the total that the one before has left.
    /// </summary>
    static readonly string End = $"""
        with ended as (
            select call.id, call.owner, new.state, new.sealed
            from unnest($1::uuid[], $2::smallint[], $3::bytea[]) as new (request_id, state, sealed)
            join paid_call call on call.request_id = new.request_id
            where call.state <= {(short)CallState.Doubted} order by call.id for update of call),
        totals as (
            select id,
                coalesce((
                    select max(before.total) from paid_call before
                    where before.state = {(short)CallState.Answered} and before.owner = ended.owner), 0)
                + sum(octet_length(sealed) + $4) over (partition by owner order by id) as total
            from ended where state = {(short)CallState.Answered})
        update paid_call set
            state = ended.state, sealed = ended.sealed, total = totals.total,
            until = now() + case when ended.state = {(short)CallState.Free} then interval '0' else $5 end
        from ended left join totals on totals.id = ended.id where paid_call.id = ended.id
        """;

    internal static void AddTo(NpgsqlBatch batch, Book book)
    {
        if (book.EndedCalls.Count > 0)
            batch.Add(End,
                book.EndedCalls.Column(call => call.Request),
                book.EndedCalls.Column(call => (short)StoredCall.After(call.Key, hasAnswer: call.Answer is not null)),
                book.EndedCalls.Column(call => call.Answer),
                KeyTerms.RowBytes,
                KeyTerms.Life);
    }
}
