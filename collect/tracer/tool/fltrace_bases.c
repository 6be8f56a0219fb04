/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which addresses of a superblock differ by a constant: a temporary that is another one
 * plus or minus a constant has that one's root. Constants have a root of their own.
 */
#include "fltrace.h"

static struct tr_base *bases; /* by temporary */
static UInt n_bases;

void tr_bases_begin(const IRTypeEnv *types)
{
    UInt n = (UInt)types->types_used;
    if (n > n_bases) {
        VG_(free)(bases);
        n_bases = 2 * n;
        bases = VG_(malloc)("fltrace.bases", n_bases * sizeof *bases);
    }
    for (UInt i = 0; i < n; i++)
        bases[i] = (struct tr_base){ (IRTemp)i, 0 };
}

static Bool is_u64(const IRExpr *e)
{
    return e->tag == Iex_Const && e->Iex.Const.con->tag == Ico_U64;
}

struct tr_base tr_base_of(const IRExpr *e)
{
    if (e->tag == Iex_RdTmp)
        return bases[e->Iex.RdTmp.tmp];
    return (struct tr_base){ IRTemp_INVALID, is_u64(e) ? (Long)e->Iex.Const.con->Ico.U64 : 0 };
}

void tr_bases_note(const IRStmt *st)
{
    if (st->tag != Ist_WrTmp)
        return;
    const IRExpr *e = st->Ist.WrTmp.data;
    struct tr_base *to = &bases[st->Ist.WrTmp.tmp];
    if (e->tag == Iex_RdTmp) {
        *to = tr_base_of(e);
        return;
    }
    if (e->tag != Iex_Binop)
        return;
    const IRExpr *left = e->Iex.Binop.arg1, *right = e->Iex.Binop.arg2;
    if (e->Iex.Binop.op == Iop_Add64 && is_u64(left)) {
        left = e->Iex.Binop.arg2;
        right = e->Iex.Binop.arg1;
    }
    if ((e->Iex.Binop.op != Iop_Add64 && e->Iex.Binop.op != Iop_Sub64) || !is_u64(right) ||
        left->tag != Iex_RdTmp)
        return;
    *to = tr_base_of(left);
    ULong constant = right->Iex.Const.con->Ico.U64;
    to->offset =
        (Long)((ULong)to->offset + (e->Iex.Binop.op == Iop_Add64 ? constant : 0 - constant));
}
