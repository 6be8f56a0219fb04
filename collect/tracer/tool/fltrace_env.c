/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Valgrind adds LD_PRELOAD and VALGRIND_LIB to the program's environment and, after
 * an exec, loses argv[0]. Both are put right on the new stack before the program's
 * first instruction. That also keeps Valgrind's preload library, of which this
 * tool needs nothing, out of the program's address space.
 */
#include "fltrace.h"

extern UWord *VG_(client_auxv); /* Valgrind's own, not in its public headers */

static Bool starts_with(const HChar *text, const HChar *prefix)
{
    return VG_(strncmp)(text, prefix, VG_(strlen)(prefix)) == 0;
}

/* LD_PRELOAD without Valgrind's part, in place; False: nothing is left of it. */
static Bool restore_preload(HChar *entry)
{
    HChar *value = entry + VG_(strlen)("LD_PRELOAD=");
    if (!starts_with(value, VG_(libdir)) || VG_(strstr)(value, "vgpreload_core") == NULL)
        return True;
    HChar *rest = VG_(strchr)(value, ':');
    if (rest == NULL)
        return False;
    VG_(memmove)(value, rest + 1, VG_(strlen)(rest + 1) + 1);
    return True;
}

static Bool keep_entry(HChar *entry)
{
    if (starts_with(entry, "LD_PRELOAD="))
        return restore_preload(entry);
    if (starts_with(entry, "VALGRIND_LIB="))
        return VG_(strcmp)(entry + VG_(strlen)("VALGRIND_LIB="), VG_(libdir)) != 0;
    return True;
}

void tr_env_restore(Addr stack_pointer, const HChar *argv0)
{
    UWord *argc = (UWord *)stack_pointer;
    HChar **argv = (HChar **)(argc + 1);
    HChar **env = argv + *argc + 1, **from, **to;
    HChar *freed = NULL;
    for (from = to = env; *from != NULL; from++) {
        if (keep_entry(*from))
            *to++ = *from;
        else if (freed == NULL || VG_(strlen)(*from) > VG_(strlen)(freed))
            freed = *from;
    }
    UWord n_removed = (UWord)(from - to);
    /* The auxiliary vector follows the environment's NULL at once. */
    UWord *aux = (UWord *)(from + 1), *end = aux;
    while (*end != 0)
        end += 2;
    end += 2;
    *to = NULL;
    if (n_removed > 0) {
        VG_(memmove)(aux - n_removed, aux, (SizeT)((UChar *)end - (UChar *)aux));
        if (VG_(client_auxv) == aux)
            VG_(client_auxv) = aux - n_removed;
    }
    if (argv0 == NULL || *argc == 0 || VG_(strcmp)(argv0, argv[0]) == 0)
        return;
    /* The removed strings' room is the program's own stack: use it. */
    if (VG_(strlen)(argv0) <= VG_(strlen)(argv[0])) {
        VG_(strcpy)(argv[0], argv0);
    } else if (freed != NULL && VG_(strlen)(argv0) <= VG_(strlen)(freed)) {
        VG_(strcpy)(freed, argv0);
        argv[0] = freed;
    }
}
