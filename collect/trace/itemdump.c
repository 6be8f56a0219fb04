/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * itemdump.c - items as text: "TIME_NS tTHREAD KIND field=value..." for events,
 * "tTHREAD ACTOR mm=.. page=0x.. id=.. r=.. w=.. f=.. [code=..]" for runs.
 */
#include <stdlib.h>
#include <inttypes.h>
#include <string.h>

#include <faultline/kernel_events.h>
#include <faultline/units.h>

#include "wire.h"

const char *fl_fidelity_name(enum fl_fidelity fidelity)
{
    switch (fidelity) {
    case FL_FIDELITY_EXACT: return "exact";
    case FL_FIDELITY_PAGE_EXACT: return "page-exact";
    case FL_FIDELITY_EVENTS: return "events";
    case FL_FIDELITY_SAMPLED: return "sampled";
    }
    return "unknown";
}

/* A name from a trace may hold anything: one line, and no control of the terminal. */
static void put_text(FILE *out, const char *key, const char *s)
{
    fprintf(out, " %s=\"", key);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void put_id(FILE *out, const char *key, uint32_t id)
{
    if (id == UINT32_MAX)
        fprintf(out, " %s=-", key);
    else
        fprintf(out, " %s=%" PRIu32, key, id);
}

static void put_prot(FILE *out, uint32_t prot)
{
    fprintf(out, " prot=%c%c%c", prot & FL_PROT_READ ? 'r' : '-', prot & FL_PROT_WRITE ? 'w' : '-',
            prot & FL_PROT_EXEC ? 'x' : '-');
    if (prot > 7)
        fprintf(out, "+0x%" PRIx32, prot & ~UINT32_C(7));
}

/* " flags=a,b", with bits that have no name in hex; "-" for none. */
static void put_flags(FILE *out, uint32_t flags, const char *const *names, size_t n)
{
    const char *sep = "";
    fputs(" flags=", out);
    for (size_t i = 0; i < n; i++) {
        if (!(flags >> i & 1))
            continue;
        fprintf(out, "%s%s", sep, names[i]);
        sep = ",";
    }
    if (flags >> n)
        fprintf(out, "%s0x%" PRIx32, sep, flags >> n << n);
    else if (!flags)
        fputc('-', out);
}

static const char *const map_flags[] = { "shared",  "anon", "stack",  "heap",
                                         "special", "grow", "locked", "hugetlb" };
static const char *const fault_flags[] = { "major",  "minor",   "write",      "exec",
                                           "kernel", "present", "has-access", "unreported" };

static const char *const lock_modes[] = { "off", "now", "on-fault" };
static const char *const io_flags[] = { "direct", "durable" };

/* @names[i], or the number when it has no name here. */
static void put_choice(FILE *out, const char *key, uint32_t i, const char *const *names, size_t n)
{
    if (i < n && names[i])
        fprintf(out, " %s=%s", key, names[i]);
    else
        fprintf(out, " %s=%" PRIu32, key, i);
}

static void put_file_io(FILE *out, const struct fl_event *ev)
{
    static const char *const ops[] = {
        [FL_IO_READ] = "read",     [FL_IO_WRITE] = "write",       [FL_IO_TRUNCATE] = "truncate",
        [FL_IO_SYNC] = "sync",     [FL_IO_DONTNEED] = "dontneed", [FL_IO_WILLNEED] = "willneed",
        [FL_IO_NORMAL] = "normal", [FL_IO_RANDOM] = "random",     [FL_IO_SEQUENTIAL] = "sequential",
        [FL_IO_UNLINK] = "unlink",
    };
    fprintf(out, " file=%" PRIu32, ev->file_io.file);
    put_choice(out, "op", ev->file_io.op, ops, sizeof ops / sizeof ops[0]);
    fprintf(out, " offset=%" PRIu64, ev->file_io.offset);
    if (ev->file_io.length == FL_IO_TO_END)
        fputs(" length=end", out);
    else
        fprintf(out, " length=%" PRIu64, ev->file_io.length);
    put_flags(out, ev->file_io.flags, io_flags, sizeof io_flags / sizeof io_flags[0]);
}

static void put_range(FILE *out, uint32_t mm, uint64_t start, uint64_t length)
{
    fprintf(out, " mm=%" PRIu32 " start=0x%" PRIx64 " length=0x%" PRIx64, mm, start, length);
}

static void put_process_event(FILE *out, const struct fl_event *ev)
{
    switch (ev->kind) {
    case FL_EV_PROCESS:
        fprintf(out, " pid=%" PRIu32 " ppid=%" PRIu32 " mm=%" PRIu32, ev->process.pid,
                ev->process.ppid, ev->process.mm);
        put_id(out, "copied-mm", ev->process.copied_mm);
        fprintf(out, " oom-score-adj=%" PRId32, ev->process.oom_score_adj);
        put_text(out, "comm", ev->process.comm);
        break;
    case FL_EV_THREAD:
        fprintf(out, " pid=%" PRIu32 " tid=%" PRIu32, ev->thread_start.pid, ev->thread_start.tid);
        break;
    case FL_EV_EXEC:
        fprintf(out, " pid=%" PRIu32 " mm=%" PRIu32, ev->exec.pid, ev->exec.mm);
        put_text(out, "path", ev->exec.path);
        break;
    case FL_EV_EXIT:
        fprintf(out, " pid=%" PRIu32, ev->exit.pid);
        if (ev->exit.status == FL_EXIT_UNKNOWN)
            fputs(" status=-", out);
        else
            fprintf(out, " status=%" PRId32, ev->exit.status);
        break;
    case FL_EV_COMM:
        fprintf(out, " pid=%" PRIu32 " tid=%" PRIu32, ev->comm.pid, ev->comm.tid);
        put_text(out, "comm", ev->comm.comm);
        break;
    case FL_EV_OOM_ADJ:
        fprintf(out, " pid=%" PRIu32 " oom-score-adj=%" PRId32, ev->oom_adj.pid,
                ev->oom_adj.oom_score_adj);
        break;
    default: break;
    }
}

static void put_place(FILE *out, uint32_t code, uint32_t stack)
{
    if (code != FL_NO_CODE)
        fprintf(out, " code=%" PRIu32, code);
    if (stack != FL_NO_STACK)
        fprintf(out, " stack=%" PRIu32, stack);
}

static void put_memory_event(FILE *out, const struct fl_event *ev)
{
    switch (ev->kind) {
    case FL_EV_FILE:
        fprintf(out, " file=%" PRIu32 " dev=0x%" PRIx64 " ino=%" PRIu64 " size=%" PRIu64,
                ev->file.file, ev->file.dev, ev->file.ino, ev->file.size_bytes);
        put_text(out, "path", ev->file.path);
        break;
    case FL_EV_MAP:
        put_range(out, ev->map.mm, ev->map.start, ev->map.length);
        put_prot(out, ev->map.prot);
        put_flags(out, ev->map.flags, map_flags, sizeof map_flags / sizeof map_flags[0]);
        put_id(out, "file", ev->map.file);
        fprintf(out, " offset=0x%" PRIx64, ev->map.offset);
        break;
    case FL_EV_UNMAP: put_range(out, ev->unmap.mm, ev->unmap.start, ev->unmap.length); break;
    case FL_EV_PROTECT:
        put_range(out, ev->protect.mm, ev->protect.start, ev->protect.length);
        put_prot(out, ev->protect.prot);
        break;
    case FL_EV_REMAP:
        put_range(out, ev->remap.mm, ev->remap.old_start, ev->remap.old_length);
        fprintf(out, " new-start=0x%" PRIx64 " new-length=0x%" PRIx64, ev->remap.new_start,
                ev->remap.new_length);
        break;
    case FL_EV_ADVISE:
        put_range(out, ev->advise.mm, ev->advise.start, ev->advise.length);
        fprintf(out, " advice=%" PRIu32, ev->advise.advice);
        break;
    case FL_EV_SIGNAL:
        fprintf(out, " signo=%" PRIu32, ev->signal.signo);
        if (ev->signal.address == FL_NO_ADDRESS)
            fputs(" sent", out);
        else
            fprintf(out, " address=0x%" PRIx64, ev->signal.address);
        break;
    case FL_EV_FAULT:
        fprintf(out, " address=0x%" PRIx64 " ip=0x%" PRIx64, ev->fault.address, ev->fault.ip);
        put_flags(out, ev->fault.flags, fault_flags, sizeof fault_flags / sizeof fault_flags[0]);
        put_place(out, ev->fault.code, ev->fault.stack);
        break;
    case FL_EV_LOST: fprintf(out, " count=%" PRIu64, ev->lost.count); break;
    case FL_EV_FILE_IO: put_file_io(out, ev); break;
    case FL_EV_RESIDENT:
        fprintf(out, " file=%" PRIu32 " offset=%" PRIu64 " length=%" PRIu64 " read-ahead=%" PRIu32,
                ev->resident.file, ev->resident.offset, ev->resident.length,
                ev->resident.read_ahead_pages);
        break;
    case FL_EV_LOCK:
        put_range(out, ev->lock.mm, ev->lock.start, ev->lock.length);
        put_choice(out, "mode", ev->lock.mode, lock_modes,
                   sizeof lock_modes / sizeof lock_modes[0]);
        break;
    case FL_EV_CODE:
        fprintf(out, " code=%" PRIu32, ev->code.code);
        put_id(out, "file", ev->code.file);
        fprintf(out, " offset=0x%" PRIx64, ev->code.offset);
        put_text(out, "name", ev->code.name);
        break;
    default: break;
    }
}

static void put_name(FILE *out, const char *key, uint64_t id, const struct fl_probes *probes)
{
    const char *text = probes ? fl_probes_name(probes, id) : NULL;
    if (text)
        put_text(out, key, text);
    else
        fprintf(out, " %s=%" PRIu64, key, id);
}

/* Bits, and addresses of the kernel's, are for people in hex. */
static bool is_hex(const char *field, uint64_t value)
{
    size_t len = strlen(field);
    return value >> 63 || (len >= 5 && strcmp(field + len - 5, "flags") == 0);
}

static void put_value(FILE *out, const struct fl_probe *probe, uint32_t i, int64_t value,
                      const struct fl_probes *probes)
{
    const char *field = probe->fields[i].name;
    if (probe->fields[i].type == 's')
        put_name(out, field, (uint64_t)value, probes);
    else if (probe->fields[i].type == 'i')
        fprintf(out, " %s=%" PRId64, field, value);
    else
        fprintf(out, is_hex(field, (uint64_t)value) ? " %s=0x%" PRIx64 : " %s=%" PRIu64, field,
                (uint64_t)value);
}

static void put_hit(FILE *out, const struct fl_event *ev, const struct fl_probes *probes)
{
    const struct fl_probe *probe = probes ? fl_probes_at(probes, ev->hit.probe) : NULL;
    uint32_t named = probe ? probe->n_fields : 0;
    if (probe)
        fprintf(out, " probe=%s", probe->name);
    else
        fprintf(out, " probe=%" PRIu32, ev->hit.probe);
    fprintf(out, " cpu=%" PRIu32 " tid=%" PRIu32, ev->hit.cpu, ev->hit.tid);
    if (!probe)
        fputs(" values=", out);
    for (uint32_t i = 0; i < ev->hit.n_values; i++)
        if (i < named)
            put_value(out, probe, i, ev->hit.values[i], probes);
        else
            fprintf(out, "%s%" PRId64, probe ? " ?=" : i ? "," : "", ev->hit.values[i]);
}

/* What performance events and tracepoints tell. */
static void put_kernel_event(FILE *out, const struct fl_event *ev, const struct fl_probes *probes)
{
    static const char *const moments[] = { "start", "end" };
    static const char *const states[] = { "resident", "swapped", "file" };
    static const char *const sample_flags[] = { "read", "write", "kernel", "exact-ip" };
    switch (ev->kind) {
    case FL_EV_NAME:
        fprintf(out, " name=%" PRIu32, ev->name.name);
        put_text(out, "text", ev->name.text);
        break;
    case FL_EV_PROBE:
        fprintf(out, " probe=%" PRIu32, ev->probe.probe);
        put_text(out, "signature", ev->probe.signature);
        break;
    case FL_EV_HIT: put_hit(out, ev, probes); break;
    case FL_EV_SNAPSHOT:
        fprintf(out, " pid=%" PRIu32, ev->snapshot.pid);
        put_choice(out, "moment", ev->snapshot.moment, moments, FL_COUNT(moments));
        put_text(out, "text", ev->snapshot.text);
        break;
    case FL_EV_PRESENT:
        put_range(out, ev->present.mm, ev->present.start, ev->present.length);
        put_flags(out, ev->present.state, states, FL_COUNT(states));
        break;
    case FL_EV_STACK:
        fprintf(out, " stack=%" PRIu32, ev->stack.stack);
        put_id(out, "parent", ev->stack.parent);
        fprintf(out, " code=%" PRIu32, ev->stack.code);
        break;
    case FL_EV_SAMPLE:
        put_name(out, "event", ev->sample.event, probes);
        fprintf(out, " address=0x%" PRIx64 " ip=0x%" PRIx64, ev->sample.address, ev->sample.ip);
        put_flags(out, ev->sample.flags, sample_flags, FL_COUNT(sample_flags));
        fprintf(out,
                " period=%" PRIu64 " source=0x%" PRIx64 " weight=%" PRIu64 " physical=0x%" PRIx64,
                ev->sample.period, ev->sample.data_source, ev->sample.weight, ev->sample.physical);
        put_place(out, ev->sample.code, ev->sample.stack);
        break;
    default: break;
    }
}

static void put_runs(FILE *out, const struct fl_reader *r, const struct fl_runs *runs)
{
    const char *actor = runs->actor == FL_ACTOR_KERNEL ? "kernel" : "user";
    size_t next = 0; /* of the locations */
    for (size_t i = 0; i < runs->n; i++) {
        struct fl_page page = fl_reader_page(r, runs->page[i]);
        fprintf(out,
                "t%" PRIu32 " %s mm=%" PRIu32 " page=0x%" PRIx64 " id=%" PRIu32 " r=%" PRIu32
                " w=%" PRIu32 " f=%" PRIu32,
                runs->thread, actor, page.mm, page.vpn, runs->page[i], runs->reads[i],
                runs->writes[i], runs->fetches[i]);
        if (next < runs->n_codes && runs->codes[next].run == i)
            fprintf(out, " code=%" PRIu32, runs->codes[next++].code);
        fputc('\n', out);
    }
}

void fl_dump_item(const struct fl_reader *r, const struct fl_item *item,
                  const struct fl_probes *probes, FILE *out)
{
    if (item->kind == FL_ITEM_EVENT) {
        const struct fl_event *ev = &item->event;
        fprintf(out, "%" PRIu64 " ", ev->time_ns);
        if (ev->thread == FL_NO_THREAD)
            fputs("t- ", out);
        else
            fprintf(out, "t%" PRIu32 " ", ev->thread);
        fputs(fl_event_name(ev->kind), out);
        if (ev->kind < FL_EV_FILE)
            put_process_event(out, ev);
        else if (ev->kind < FL_EV_NAME)
            put_memory_event(out, ev);
        else
            put_kernel_event(out, ev, probes);
        fputc('\n', out);
    }
    if (item->kind == FL_ITEM_RUNS)
        put_runs(out, r, &item->runs);
}
