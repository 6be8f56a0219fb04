/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instrumentation. Each superblock writes one header word and one word for every
 * data access it may make, unless its address is an earlier one plus a constant; which
 * accesses those are, and which code pages it runs on, is described to the recorder once,
 * when it is translated.
 */
#include "fltrace.h"

#include "pub_tool_xarray.h"

#define MAX_OPS 1500u
#define MAX_EXITS 256u
#define MAX_INSTRUCTIONS 512u

/* How far an instruction's superblock has come when it begins. */
struct point {
    Addr ip;
    UShort words, ops;
    UShort fetches; /* of the last fetch operation, this instruction included */
    UShort exits;   /* before it */
};

struct block {
    UInt n_points;
    Bool counts_exits; /* an instruction is there twice */
    struct point points[];
};

/* A word that accesses share. */
struct word {
    IRTemp root;
    Long offset; /* of the address in it */
};

/* Where an access of a statement finds its address. */
struct place {
    UShort word;
    Bool fresh; /* this access writes the word */
    Int offset;
};

struct build {
    IRSB *out;
    IRTypeEnv *types;
    IRTemp base; /* address of the header word */
    UInt n_words, n_ops, n_exits, n_points, n_marks;
    Int last_fetch; /* index in ops, or -1 */
    ULong fetch_page;
    Addr next_ip; /* behind the last instruction */
    Bool counts_exits;
    ULong ops[MAX_OPS];
    ULong exits[MAX_EXITS];
    ULong marks[MAX_INSTRUCTIONS];
    struct point points[MAX_INSTRUCTIONS];
};

static struct build build;
static struct word words[FLR_SUPERBLOCK_WORDS];
static struct place *places; /* by statement */
static Int n_places;
static XArray *blocks; /* of struct block *, by id */

static struct block *block_at(UInt id)
{
    return *(struct block **)VG_(indexXA)(blocks, id);
}

static void add(struct build *b, IRStmt *st)
{
    addStmtToIRSB(b->out, st);
}

static IRExpr *assign(struct build *b, IRType type, IRExpr *value)
{
    IRTemp t = newIRTemp(b->types, type);
    add(b, IRStmt_WrTmp(t, value));
    return IRExpr_RdTmp(t);
}

static IRExpr *word_address(struct build *b, UInt index)
{
    if (index == 0)
        return IRExpr_RdTmp(b->base);
    return assign(
        b, Ity_I64,
        IRExpr_Binop(Iop_Add64, IRExpr_RdTmp(b->base), IRExpr_Const(IRConst_U64(8ULL * index))));
}

static void put_word(struct build *b, UInt index, IRExpr *value)
{
    add(b, IRStmt_Store(Iend_LE, word_address(b, index), value));
}

static void put_shadow(struct build *b, Int at, ULong value)
{
    add(b, IRStmt_Put(SHADOW_OFFSET + at, IRExpr_Const(IRConst_U64(value))));
}

static void commit(struct build *b, UInt n_words)
{
    add(b, IRStmt_Put(SHADOW_OFFSET + SHADOW_NEXT, word_address(b, n_words)));
}

/* Called from generated code when the segment is nearly full. */
static void turn_segment(void *guest_state)
{
    ULong *shadow = (ULong *)((UChar *)guest_state + SHADOW_OFFSET);
    tr_next = (ULong *)shadow[SHADOW_NEXT / 8];
    tr_ring_turn();
    shadow[SHADOW_NEXT / 8] = (ULong)tr_next;
    shadow[SHADOW_LIMIT / 8] = (ULong)tr_limit;
}

static void open_block(struct build *b, UInt id)
{
    IRExpr *next = assign(b, Ity_I64, IRExpr_Get(SHADOW_OFFSET + SHADOW_NEXT, Ity_I64));
    IRExpr *limit = assign(b, Ity_I64, IRExpr_Get(SHADOW_OFFSET + SHADOW_LIMIT, Ity_I64));
    IRExpr *full = assign(b, Ity_I1, IRExpr_Binop(Iop_CmpLE64U, limit, next));
    IRDirty *call = unsafeIRDirty_0_N(0, "turn_segment", VG_(fnptr_to_fnentry)(&turn_segment),
                                      mkIRExprVec_1(IRExpr_GSPTR()));
    call->guard = full;
    call->nFxState = 1;
    VG_(memset)(&call->fxState, 0, sizeof call->fxState);
    call->fxState[0].fx = Ifx_Modify;
    call->fxState[0].offset = SHADOW_OFFSET;
    call->fxState[0].size = SHADOW_BYTES;
    add(b, IRStmt_Dirty(call));
    b->base = newIRTemp(b->types, Ity_I64);
    add(b, IRStmt_WrTmp(b->base, IRExpr_Get(SHADOW_OFFSET + SHADOW_NEXT, Ity_I64)));
    put_word(b, 0, IRExpr_Const(IRConst_U64(FLR_WORD(FLR_SUPERBLOCK, id))));
    add(b, IRStmt_Put(SHADOW_OFFSET + SHADOW_BLOCK, IRExpr_RdTmp(b->base)));
    if (b->counts_exits)
        put_shadow(b, SHADOW_EXITS, 0);
}

static void add_op(struct build *b, ULong op)
{
    tl_assert(b->n_ops < MAX_OPS);
    b->ops[b->n_ops++] = op;
}

static void fetch_page(struct build *b, ULong page)
{
    if (b->last_fetch >= 0 && b->fetch_page == page && FLR_OP_COUNT(b->ops[b->last_fetch]) < 255) {
        b->ops[b->last_fetch] += 1ULL << 52;
        return;
    }
    b->last_fetch = (Int)b->n_ops;
    b->fetch_page = page;
    add_op(b, FLR_OP(FLR_OP_FETCH, 1ULL << 52 | page));
}

static UShort fetches_so_far(const struct build *b)
{
    return b->last_fetch < 0 ? 0 : (UShort)FLR_OP_COUNT(b->ops[b->last_fetch]);
}

/* Code of Valgrind's own that stands in for the program's is not the program's memory. */
static Bool is_program_code(Addr ip)
{
    const NSegment *seg = VG_(am_find_nsegment)(ip);
    if (tr_is_trampoline(ip))
        return False;
    return seg == NULL || (seg->kind != SkFileV && seg->kind != SkAnonV);
}

static void add_instruction(struct build *b, Addr ip, UInt bytes)
{
    tl_assert(b->n_points < MAX_INSTRUCTIONS);
    if (b->n_points == 0 || ip != b->next_ip)
        b->marks[b->n_marks++] = FLR_MARK(b->n_ops, ip);
    b->next_ip = ip + bytes;
    if (is_program_code(ip)) {
        fetch_page(b, ip >> 12);
        if (bytes > 0 && (ip + bytes - 1) >> 12 != ip >> 12)
            fetch_page(b, (ip + bytes - 1) >> 12);
    }
    b->points[b->n_points++] = (struct point){ .ip = ip,
                                               .words = (UShort)b->n_words,
                                               .ops = (UShort)b->n_ops,
                                               .fetches = fetches_so_far(b),
                                               .exits = (UShort)b->n_exits };
}

/*
 * Before a side exit all that was written becomes visible. Which exit it was
 * shows from the number of addresses; where the next exit (or the end) has the
 * same number, this one writes a marker too, which the next access overwrites.
 */
static void add_exit(struct build *b, Bool marked)
{
    tl_assert(b->n_exits < MAX_EXITS);
    if (marked)
        put_word(b, 1 + b->n_words, IRExpr_Const(IRConst_U64(FLR_WORD(FLR_EXIT, b->n_exits))));
    commit(b, 1 + b->n_words + (marked ? 1 : 0));
    if (b->counts_exits)
        put_shadow(b, SHADOW_EXITS, b->n_exits + 1);
    b->exits[b->n_exits++] = (ULong)b->n_words | (ULong)b->n_ops << 16 |
                             (ULong)fetches_so_far(b) << 32 | (ULong)marked << 40;
}

/* A data access of a statement. */
struct access {
    enum flr_op kind;
    IRExpr *address, *guard; /* guard NULL: always */
    Int bytes;
};

static struct access access_of_dirty(const IRDirty *d)
{
    enum flr_op kind = d->mFx == Ifx_Read    ? FLR_OP_READ
                       : d->mFx == Ifx_Write ? FLR_OP_WRITE
                                             : FLR_OP_MODIFY;
    return (struct access){ kind, d->mAddr, d->guard, d->mSize };
}

/* False: none. */
static Bool access_of(const IRTypeEnv *types, const IRStmt *st, struct access *a)
{
    IRType type = Ity_INVALID, wide = Ity_INVALID;
    switch (st->tag) {
    case Ist_WrTmp: {
        const IRExpr *e = st->Ist.WrTmp.data;
        if (e->tag != Iex_Load)
            return False;
        *a = (struct access){ FLR_OP_READ, e->Iex.Load.addr, NULL, sizeofIRType(e->Iex.Load.ty) };
        return True;
    }
    case Ist_Store:
        *a = (struct access){ FLR_OP_WRITE, st->Ist.Store.addr, NULL,
                              sizeofIRType(typeOfIRExpr(types, st->Ist.Store.data)) };
        return True;
    case Ist_StoreG: {
        const IRStoreG *s = st->Ist.StoreG.details;
        *a = (struct access){ FLR_OP_WRITE, s->addr, s->guard,
                              sizeofIRType(typeOfIRExpr(types, s->data)) };
        return True;
    }
    case Ist_LoadG: {
        const IRLoadG *l = st->Ist.LoadG.details;
        typeOfIRLoadGOp(l->cvt, &wide, &type);
        *a = (struct access){ FLR_OP_READ, l->addr, l->guard, sizeofIRType(type) };
        return True;
    }
    case Ist_Dirty:
        if (st->Ist.Dirty.details->mFx == Ifx_None)
            return False;
        *a = access_of_dirty(st->Ist.Dirty.details);
        return True;
    case Ist_CAS: {
        const IRCAS *c = st->Ist.CAS.details;
        Int bytes = sizeofIRType(typeOfIRExpr(types, c->dataLo));
        *a = (struct access){ FLR_OP_MODIFY, c->addr, NULL, c->dataHi ? 2 * bytes : bytes };
        return True;
    }
    case Ist_LLSC: {
        const IRExpr *data = st->Ist.LLSC.storedata;
        *a = (struct access){ data ? FLR_OP_WRITE : FLR_OP_READ, st->Ist.LLSC.addr, NULL,
                              sizeofIRType(data ? typeOfIRExpr(types, data)
                                                : typeOfIRTemp(types, st->Ist.LLSC.result)) };
        return True;
    }
    default: return False;
    }
}

static Bool is_guarded(const struct access *a)
{
    return a->guard != NULL && !(a->guard->tag == Iex_Const && a->guard->Iex.Const.con->Ico.U1);
}

/* The word with a guarded access's address is 0 at times: nobody shares it. */
static struct place place_of(const struct access *a, UInt *n_words)
{
    struct tr_base base = tr_base_of(a->address);
    UInt i = is_guarded(a) ? *n_words : 0;
    for (; i < *n_words; i++) {
        Long offset = (Long)((ULong)base.offset - (ULong)words[i].offset);
        if (words[i].root == base.root && offset == (Int)offset)
            return (struct place){ (UShort)i, False, (Int)offset };
    }
    tl_assert(1 + i < FLR_SUPERBLOCK_WORDS);
    if (is_guarded(a))
        words[i] = (struct word){ IRTemp_INVALID - 1, 0 };
    else
        words[i] = (struct word){ base.root, base.offset };
    ++*n_words;
    return (struct place){ (UShort)i, True, 0 };
}

/* Decide where each access finds its address, and whether an instruction is there twice. */
static void plan(struct build *b, const IRSB *in)
{
    UInt n_words = 0, n_ips = 0;
    if (in->stmts_used > n_places) {
        VG_(free)(places);
        n_places = 2 * in->stmts_used;
        places = VG_(malloc)("fltrace.places", (SizeT)n_places * sizeof *places);
    }
    b->counts_exits = False;
    tr_bases_begin(in->tyenv);
    for (Int i = 0; i < in->stmts_used; i++) {
        const IRStmt *st = in->stmts[i];
        struct access a;
        if (st->tag == Ist_IMark) {
            for (UInt k = 0; k < n_ips; k++)
                b->counts_exits |= b->points[k].ip == st->Ist.IMark.addr;
            tl_assert(n_ips < MAX_INSTRUCTIONS);
            b->points[n_ips++].ip = st->Ist.IMark.addr;
        }
        if (access_of(in->tyenv, st, &a))
            places[i] = place_of(&a, &n_words);
        tr_bases_note(st);
    }
}

static void add_access(struct build *b, const struct access *a, const struct place *at)
{
    enum flr_op kind = a->kind;
    if (is_guarded(a))
        kind |= FLR_OP_GUARDED;
    if (at->fresh) {
        IRExpr *address = a->address;
        if (is_guarded(a))
            address =
                assign(b, Ity_I64, IRExpr_ITE(a->guard, address, IRExpr_Const(IRConst_U64(0))));
        put_word(b, 1 + b->n_words++, address);
    }
    tl_assert(a->bytes < 1 << 16);
    add_op(b, FLR_OP_ACCESS(kind, a->bytes, at->word, at->offset));
}

/*
 * True when the exit at @i and a later exit (or the end) have the same number of words
 * before them but not the same accesses and instructions.
 */
static Bool needs_marker(const IRSB *in, Int i)
{
    Bool more = False;
    struct access a;
    for (i++; i < in->stmts_used; i++) {
        if (access_of(in->tyenv, in->stmts[i], &a)) {
            if (places[i].fresh)
                return False;
            more = True;
        }
        if (in->stmts[i]->tag == Ist_IMark)
            more = True;
        if (in->stmts[i]->tag == Ist_Exit && more)
            return True;
    }
    return more;
}

static void describe(const struct build *b, UInt id)
{
    UInt n_words = 1 + b->n_ops + b->n_exits + b->n_marks;
    tr_ring_need(n_words + 2);
    *tr_next++ = FLR_WORD(FLR_DESCRIBE, n_words);
    *tr_next++ = (ULong)id | (ULong)b->n_ops << 32 | (ULong)b->n_exits << 48;
    VG_(memcpy)(tr_next, b->ops, b->n_ops * sizeof b->ops[0]);
    tr_next += b->n_ops;
    VG_(memcpy)(tr_next, b->exits, b->n_exits * sizeof b->exits[0]);
    tr_next += b->n_exits;
    VG_(memcpy)(tr_next, b->marks, b->n_marks * sizeof b->marks[0]);
    tr_next += b->n_marks;
}

static UInt new_block_id(void)
{
    struct block *none = NULL;
    if (blocks == NULL)
        blocks = VG_(newXA)(VG_(malloc), "fltrace.blocks", VG_(free), sizeof(struct block *));
    return (UInt)VG_(addToXA)(blocks, &none);
}

static void keep_points(const struct build *b, UInt id)
{
    struct block *kept =
        VG_(malloc)("fltrace.block", sizeof *kept + b->n_points * sizeof kept->points[0]);
    kept->n_points = b->n_points;
    kept->counts_exits = b->counts_exits;
    VG_(memcpy)(kept->points, b->points, b->n_points * sizeof kept->points[0]);
    *(struct block **)VG_(indexXA)(blocks, id) = kept;
}

IRSB *tr_instrument(VgCallbackClosure *closure, IRSB *in, const VexGuestLayout *layout,
                    const VexGuestExtents *extents, const VexArchInfo *arch, IRType guest_word,
                    IRType host_word)
{
    struct build *b = &build;
    Int i = 0;
    b->out = deepCopyIRSBExceptStmts(in);
    b->types = b->out->tyenv;
    b->n_words = b->n_ops = b->n_exits = b->n_points = b->n_marks = 0;
    b->last_fetch = -1;
    for (; i < in->stmts_used && in->stmts[i]->tag != Ist_IMark; i++)
        add(b, in->stmts[i]);
    if (i == in->stmts_used)
        return b->out;
    plan(b, in);
    UInt id = new_block_id();
    open_block(b, id);
    for (; i < in->stmts_used; i++) {
        IRStmt *st = in->stmts[i];
        struct access a;
        if (st->tag == Ist_NoOp)
            continue;
        if (st->tag == Ist_IMark)
            add_instruction(b, st->Ist.IMark.addr, st->Ist.IMark.len);
        else if (st->tag == Ist_Exit)
            add_exit(b, needs_marker(in, i));
        else if (access_of(b->types, st, &a))
            add_access(b, &a, &places[i]);
        add(b, st);
    }
    commit(b, 1 + b->n_words);
    describe(b, id);
    keep_points(b, id);
    return b->out;
}

ULong *tr_cut_block(ULong *block, ULong *committed, Addr ip, ULong exits)
{
    ULong header = *block;
    if (FLR_WORD_TYPE(header) != FLR_SUPERBLOCK || !(header & FLR_CONTROL_BIT))
        return committed;
    UInt id = (UInt)FLR_WORD_PAYLOAD(header);
    if (id >= VG_(sizeXA)(blocks) || block_at(id) == NULL)
        return committed;
    const struct block *kept = block_at(id);
    for (UInt i = 0; i < kept->n_points; i++) {
        const struct point *p = &kept->points[i];
        /* Valgrind's instruction pointer still is at the branch when what follows it faults. */
        UInt behind = i + 1 < kept->n_points ? p[1].exits : p->exits + 1u;
        if (p->ip != ip || (kept->counts_exits && (p->exits > exits || behind < exits)))
            continue;
        *block = FLR_WORD(FLR_PARTIAL, (ULong)id | (ULong)p->ops << 32 | (ULong)p->fetches << 48);
        return block + 1 + p->words;
    }
    return committed;
}
