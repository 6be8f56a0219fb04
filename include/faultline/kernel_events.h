/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * kernel_events.h - what tracepoints of the kernel say in a trace, for who reads it.
 *
 * A trace has a PROBE event for each tracepoint, NAME events for texts, a HIT event for each
 * passage through a tracepoint, and SNAPSHOT events with files of /proc. What each looks
 * like is in event.h and docs/trace-format.md.
 *
 *     struct fl_probes *probes = fl_probes_new();
 *     for each event: fl_probes_event(probes, &ev, &err);
 *     at a hit:  const struct fl_probe *p = fl_probes_at(probes, ev.hit.probe);
 *                int pfn = p ? fl_probe_field(p, "pfn") : -1;
 *                if (pfn >= 0 && (uint32_t)pfn < ev.hit.n_values) use ev.hit.values[pfn]
 *
 * Traces are not trusted: a hit may have fewer values than its probe has fields, and a value
 * of type 's' may name nothing.
 */
#ifndef FAULTLINE_KERNEL_EVENTS_H
#define FAULTLINE_KERNEL_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/event.h>

#define FL_PROBE_NAME_BYTES 96  /* of "system:event", with its end */
#define FL_PROBE_FIELD_BYTES 32 /* of a field's name, with its end */

/* ---- which ------------------------------------------------------------------ */

/**
 * fl_kernel_group_name - i-th of the groups of tracepoints that a recording can be told to
 * take ("alloc", ..., "all"), for option tables; NULL past the end.
 */
const char *fl_kernel_group_name(size_t i);

/* ---- tracepoints -------------------------------------------------------------- */

/** A PROBE event's signature, taken apart. */
struct fl_probe {
    char name[FL_PROBE_NAME_BYTES]; /* "kmem:mm_page_alloc" */
    uint32_t n_fields;
    struct {
        char name[FL_PROBE_FIELD_BYTES];
        char type; /* 'u': unsigned, 'i': signed, 's': id of a name */
    } fields[FL_HIT_VALUES];
};

/**
 * fl_probe_parse - take "system:event field:type ..." apart.
 * Returns: false, with @out empty, for a text that is none: words of other form or type, names
 * that are too long or have other characters than printable ASCII, more than FL_HIT_VALUES fields.
 * Cost: one pass over the text, no memory.
 */
bool fl_probe_parse(const char *signature, struct fl_probe *out);

/** fl_probe_field - index of field @name in a hit's values; -1: the tracepoint has no such field. */
int fl_probe_field(const struct fl_probe *probe, const char *name);

/** Tracepoints and names defined so far in a trace. */
struct fl_probes;

struct fl_probes *fl_probes_new(void);         /* NULL: out of memory */
void fl_probes_free(struct fl_probes *probes); /* NULL is fine */

/**
 * fl_probes_event - remember what @ev defines, if it is a PROBE or NAME event.
 * Keeps 64 MiB of names and 65,536 probes at most; what is beyond is not known.
 * Errors: FL_ENOMEM.
 */
int fl_probes_event(struct fl_probes *probes, const struct fl_event *ev, struct fl_err *err);

/** fl_probes_at - tracepoint @id; NULL when it is not known, or its signature was none. */
const struct fl_probe *fl_probes_at(const struct fl_probes *probes, uint32_t id);

/** fl_probes_count - ids of tracepoints are below this. */
uint32_t fl_probes_count(const struct fl_probes *probes);

/** fl_probes_name - the text of name @id, until the next call of fl_probes_event(); or NULL. */
const char *fl_probes_name(const struct fl_probes *probes, uint64_t id);

/* ---- snapshots of /proc ---------------------------------------------------------- */

/** A file of /proc as it was when the recording began or ended. */
struct fl_snapshot {
    uint32_t pid, moment; /* pid 0: of the machine; moment: FL_SNAPSHOT_START, FL_SNAPSHOT_END */
    uint64_t time_ns;
    const char *name; /* below /proc, or /proc/PID: "meminfo", "smaps_rollup" */
    const char *text; /* what it held */
    size_t bytes;     /* of @text, without its end */
};

struct fl_snapshots;

struct fl_snapshots *fl_snapshots_new(void);    /* NULL: out of memory */
void fl_snapshots_free(struct fl_snapshots *s); /* NULL is fine */

/**
 * fl_snapshots_event - take @ev, if it is a SNAPSHOT event; the pieces of one file are joined.
 * Errors: FL_ENOMEM; FL_EFORMAT for more than 1 GiB of them.
 */
int fl_snapshots_event(struct fl_snapshots *s, const struct fl_event *ev, struct fl_err *err);

/** fl_snapshots_count, fl_snapshots_at - all of them, in order; valid until the next event. */
size_t fl_snapshots_count(const struct fl_snapshots *s);
struct fl_snapshot fl_snapshots_at(const struct fl_snapshots *s, size_t i);

/**
 * fl_snapshots_find - the first one of @pid, @moment and @name; false: there is none.
 * Cost: looks at all.
 */
bool fl_snapshots_find(const struct fl_snapshots *s, uint32_t pid, uint32_t moment,
                       const char *name, struct fl_snapshot *out);

#endif
