/* SPDX-License-Identifier: GPL-2.0-or-later */
/** scene.h - a small trace told event by event, and what fl_replay() makes of it. */
#ifndef FAULTLINE_SCENE_H
#define FAULTLINE_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <faultline/replay.h>

#include "random_trace.h"

#define RW (FL_PROT_READ | FL_PROT_WRITE)

/* One data level of two entries, one fetch level of one, and four behind both. */
static const struct fl_machine scene_machine = {
    .name = "scene",
    .levels = 4,
    .asids = 2,
    .n_tlb = 3,
    .tlb = { { "I", FL_TLB_FETCH, 1, 1 },
             { "D", FL_TLB_DATA, 2, 2 },
             { "U", FL_TLB_UNIFIED, 4, 2 } },
};

struct scene {
    struct item_list list;
    struct fl_result *r;
};

/* Process @pid in space @mm, with a thread whose index is the caller's to keep in order. */
static inline void process(struct scene *s, uint32_t pid, uint32_t ppid, uint32_t mm,
                           uint32_t copied_mm, uint32_t thread)
{
    struct fl_event ev = { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD };
    ev.process.pid = pid;
    ev.process.ppid = ppid;
    ev.process.mm = mm;
    ev.process.copied_mm = copied_mm;
    ev.process.comm = "scene";
    item_list_event(&s->list, &ev);
    ev = (struct fl_event){ .kind = FL_EV_THREAD, .thread = thread };
    ev.thread_start.pid = ev.thread_start.tid = pid;
    item_list_event(&s->list, &ev);
}

static inline void process_exit(struct scene *s, uint32_t pid)
{
    struct fl_event ev = { .kind = FL_EV_EXIT, .thread = FL_NO_THREAD };
    ev.exit.pid = pid;
    item_list_event(&s->list, &ev);
}

static inline void process_exec(struct scene *s, uint32_t pid, uint32_t mm)
{
    struct fl_event ev = { .kind = FL_EV_EXEC, .thread = FL_NO_THREAD };
    ev.exec.pid = pid;
    ev.exec.mm = mm;
    ev.exec.path = "/bin/scene";
    item_list_event(&s->list, &ev);
}

static inline void file(struct scene *s, uint32_t id, uint64_t ino, const char *path)
{
    struct fl_event ev = { .kind = FL_EV_FILE, .thread = FL_NO_THREAD };
    ev.file.file = id;
    ev.file.dev = 1;
    ev.file.ino = ino;
    ev.file.size_bytes = 1 << 20;
    ev.file.path = path;
    item_list_event(&s->list, &ev);
}

/* Pages and page numbers throughout, not bytes. */
static inline void map(struct scene *s, uint32_t mm, uint64_t vpn, uint64_t pages, uint32_t prot,
                       uint32_t flags, uint32_t file_id, uint64_t offset)
{
    struct fl_event ev = { .kind = FL_EV_MAP, .thread = FL_NO_THREAD };
    ev.map.mm = mm;
    ev.map.start = vpn << 12;
    ev.map.length = pages << 12;
    ev.map.prot = prot;
    ev.map.flags = flags;
    ev.map.file = file_id;
    ev.map.offset = offset << 12;
    item_list_event(&s->list, &ev);
}

static inline void map_anon(struct scene *s, uint32_t mm, uint64_t vpn, uint64_t pages)
{
    map(s, mm, vpn, pages, RW, FL_MAP_ANON, FL_NO_FILE, 0);
}

static inline void unmap(struct scene *s, uint32_t mm, uint64_t vpn, uint64_t pages)
{
    struct fl_event ev = { .kind = FL_EV_UNMAP, .thread = FL_NO_THREAD };
    ev.unmap.mm = mm;
    ev.unmap.start = vpn << 12;
    ev.unmap.length = pages << 12;
    item_list_event(&s->list, &ev);
}

static inline void protect(struct scene *s, uint32_t mm, uint64_t vpn, uint64_t pages,
                           uint32_t prot)
{
    struct fl_event ev = { .kind = FL_EV_PROTECT, .thread = FL_NO_THREAD };
    ev.protect.mm = mm;
    ev.protect.prot = prot;
    ev.protect.start = vpn << 12;
    ev.protect.length = pages << 12;
    item_list_event(&s->list, &ev);
}

static inline void advise(struct scene *s, uint32_t mm, uint64_t vpn, uint64_t pages,
                          uint32_t advice)
{
    struct fl_event ev = { .kind = FL_EV_ADVISE, .thread = FL_NO_THREAD };
    ev.advise.mm = mm;
    ev.advise.advice = advice;
    ev.advise.start = vpn << 12;
    ev.advise.length = pages << 12;
    item_list_event(&s->list, &ev);
}

static inline void remap(struct scene *s, uint32_t mm, uint64_t old, uint64_t old_pages,
                         uint64_t new, uint64_t new_pages)
{
    struct fl_event ev = { .kind = FL_EV_REMAP, .thread = FL_NO_THREAD };
    ev.remap.mm = mm;
    ev.remap.old_start = old << 12;
    ev.remap.old_length = old_pages << 12;
    ev.remap.new_start = new << 12;
    ev.remap.new_length = new_pages << 12;
    item_list_event(&s->list, &ev);
}

static inline void reads(struct scene *s, uint32_t thread, uint32_t mm, uint64_t vpn)
{
    item_list_run(&s->list,
                  &(struct naive_item){ .thread = thread, .mm = mm, .vpn = vpn, .reads = 1 });
}

static inline void writes(struct scene *s, uint32_t thread, uint32_t mm, uint64_t vpn)
{
    item_list_run(&s->list,
                  &(struct naive_item){ .thread = thread, .mm = mm, .vpn = vpn, .writes = 1 });
}

static inline int try_replay(struct scene *s, const struct fl_replay_opts *opts)
{
    struct fl_reader *reader = NULL;
    struct fl_err err = { .msg = "" };
    void *bytes = NULL;
    size_t len = 0;
    s->r = NULL;
    if (item_list_trace(&s->list, &bytes, &len, &err) != FL_OK ||
        fl_reader_open_mem(bytes, len, 0, &reader, &err) != FL_OK)
        fail_msg("%s", err.msg);
    int rc = fl_replay(reader, opts, &s->r, &err);
    assert_true(rc == FL_OK || err.msg[0] != '\0');
    fl_reader_free(reader);
    free(bytes);
    return rc;
}

static inline const struct fl_result *replay_with(struct scene *s, const char *policy,
                                                  uint32_t frames, uint64_t swap_pages)
{
    struct fl_replay_opts opts = { .frames = frames,
                                   .swap_pages = swap_pages,
                                   .policy = fl_policy_find(policy),
                                   .machine = &scene_machine,
                                   .seed = 1 };
    assert_int_equal(try_replay(s, &opts), FL_OK);
    return s->r;
}

static inline void scene_end(struct scene *s)
{
    fl_result_free(s->r);
    item_list_free(&s->list);
}

#endif
