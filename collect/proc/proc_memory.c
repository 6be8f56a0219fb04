/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/proc_memory.h>

#include "proc_file.h"
#include "proc_text.h"

#define IS_EXITING 0x00000004u /* PF_EXITING and PF_KTHREAD of include/linux/sched.h */
#define IS_KTHREAD 0x00200000u
#define SIGKILL_BIT (UINT64_C(1) << 8)
#define FIRST_PID_NAMESPACE "pid:[4026531836]" /* PROC_PID_INIT_INO of include/linux/proc_ns.h */

static bool is_refused(int number)
{
    return number == EACCES || number == EPERM;
}

/* A file that holds one number; false with errno. */
static bool signed_number(const char *root, uint32_t pid, const char *name, int32_t *out)
{
    char *text = proc_read((struct proc_at){ root, pid, 0, name }, PROC_SMALL_BYTES, NULL);
    if (!text)
        return false;
    char *end;
    long n = strtol(text, &end, 10);
    bool ok = end != text && n >= -100000 && n <= 100000;
    *out = ok ? (int32_t)n : 0;
    free(text);
    errno = ok ? 0 : EIO;
    return ok;
}

static uint64_t kib_field(const char *text, const char *name, bool *found)
{
    uint64_t kib, bytes;
    if (!text_field(text, name, &kib) || __builtin_mul_overflow(kib, 1024, &bytes))
        return 0;
    *found = true;
    return bytes;
}

/* A mask in hexadecimal, as of pending signals. */
static uint64_t mask_field(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 16) : 0;
}

static void take_sizes(const char *status, struct fl_proc_memory *m)
{
    bool *has = &m->has_memory;
    m->anon_bytes = kib_field(status, "RssAnon", has);
    m->file_bytes = kib_field(status, "RssFile", has);
    m->shmem_bytes = kib_field(status, "RssShmem", has);
    m->swap_bytes = kib_field(status, "VmSwap", has);
    m->table_bytes = kib_field(status, "VmPTE", has);
    m->virtual_bytes = kib_field(status, "VmSize", has);
}

/* The first thread has ended, and with it its way to the memory; not that of the others. */
static void take_sizes_of_others(const char *root, struct fl_proc_memory *m)
{
    uint32_t *tid = NULL;
    size_t n = 0;
    if (proc_numbers((struct proc_at){ root, m->pid, 0, "task" }, &tid, &n))
        return;
    for (size_t i = 0; i < n && !m->has_memory; i++) {
        char *status =
            proc_read((struct proc_at){ root, m->pid, tid[i], "status" }, PROC_SMALL_BYTES, NULL);
        if (status)
            take_sizes(status, m);
        free(status);
    }
    free(tid);
}

static int take_status(const char *root, struct fl_proc_memory *m, struct fl_err *err)
{
    uint64_t uid = 0, threads = 1;
    char *status = proc_read((struct proc_at){ root, m->pid, 0, "status" }, PROC_SMALL_BYTES, NULL);
    if (!status && is_refused(errno)) {
        m->is_unread = true;
        return FL_OK;
    }
    if (!status)
        return proc_fail(err, m->pid, errno);
    if (text_field(status, "Uid", &uid))
        m->uid = (uint32_t)uid;
    text_field(status, "Threads", &threads);
    m->is_dying |=
        ((mask_field(status, "\nSigPnd:") | mask_field(status, "\nShdPnd:")) & SIGKILL_BIT) != 0;
    take_sizes(status, m);
    free(status);
    if (!m->has_memory && !m->is_kernel_thread && threads > 1)
        take_sizes_of_others(root, m);
    return FL_OK;
}

static int take_stat(const char *root, struct fl_proc_memory *m, struct fl_err *err)
{
    struct text_stat stat;
    size_t len;
    char *text = proc_read((struct proc_at){ root, m->pid, 0, "stat" }, PROC_SMALL_BYTES, &len);
    if (!text && is_refused(errno)) {
        m->is_unread = true;
        return FL_OK;
    }
    if (!text)
        return proc_fail(err, m->pid, errno);
    bool ok = text_stat(text, len, &stat);
    free(text);
    if (!ok)
        return proc_fail(err, m->pid, EIO);
    memcpy(m->comm, stat.comm, sizeof m->comm);
    m->ppid = stat.ppid;
    m->state = stat.state;
    m->start_ticks = stat.start_ticks;
    m->is_kernel_thread = (stat.flags & IS_KTHREAD) != 0;
    m->is_dying = (stat.flags & IS_EXITING) != 0 && stat.threads <= 1;
    return FL_OK;
}

/* Returns false when the process is gone. */
static bool take_score(const char *root, uint32_t pid, const char *name, int32_t otherwise,
                       int32_t *out, bool *is_unread)
{
    if (signed_number(root, pid, name, out))
        return true;
    *out = otherwise;
    *is_unread |= is_refused(errno);
    return errno != ESRCH && errno != ENOENT;
}

int fl_proc_memory(const char *root, uint32_t pid, struct fl_proc_memory *out, struct fl_err *err)
{
    *out = (struct fl_proc_memory){ .pid = pid, .state = '?', .oom_score = -1 };
    if (!take_score(root, pid, "oom_score", -1, &out->oom_score, &out->is_unread))
        return proc_fail(err, pid, ESRCH);
    int rc = take_stat(root, out, err);
    if (rc == FL_OK)
        rc = take_status(root, out, err);
    if (rc == FL_OK &&
        !(take_score(root, pid, "oom_score_adj", 0, &out->oom_score_adj, &out->is_unread) &&
          take_score(root, pid, "oom_score", -1, &out->oom_score_after, &out->is_unread)))
        rc = proc_fail(err, pid, ESRCH);
    return rc;
}

int fl_proc_pids(const char *root, uint32_t **out, size_t *n, struct fl_err *err)
{
    int failed = proc_numbers((struct proc_at){ root, 0, 0, "" }, out, n);
    if (!failed)
        return FL_OK;
    return failed == ENOMEM ? fl_nomem(err, "processes")
                            : fl_fail(err, FL_EMACHINE, "cannot list %s: %s; mount -t proc proc %s",
                                      root, strerror(failed), root);
}

int fl_proc_meminfo(const char *root, struct fl_meminfo *out, struct fl_err *err)
{
    bool has = false, optional = false;
    char *text = proc_read((struct proc_at){ root, 0, 0, "meminfo" }, PROC_SMALL_BYTES, NULL);
    *out = (struct fl_meminfo){ 0 };
    if (!text && errno == ENOMEM)
        return fl_nomem(err, "meminfo");
    if (text) {
        out->ram_bytes = kib_field(text, "MemTotal", &has);
        out->free_bytes = kib_field(text, "MemFree", &optional);
        out->available_bytes = kib_field(text, "MemAvailable", &optional);
        out->anon_bytes = kib_field(text, "AnonPages", &optional);
        out->shmem_bytes = kib_field(text, "Shmem", &optional);
        out->swap_bytes = kib_field(text, "SwapTotal", &optional);
        out->swap_free_bytes = kib_field(text, "SwapFree", &optional);
    }
    free(text);
    return has && out->ram_bytes
               ? FL_OK
               : fl_fail(err, FL_EMACHINE,
                         "%s/meminfo does not tell the machine's memory; mount -t "
                         "proc proc %s",
                         root, root);
}

bool fl_proc_sees_all(const char *root)
{
    char path[PROC_PATH_BYTES], name[64];
    snprintf(path, sizeof path, "%s/self/ns/pid", root);
    ssize_t n = readlink(path, name, sizeof name - 1);
    if (n < 0)
        return true;
    name[n] = 0;
    return !strcmp(name, FIRST_PID_NAMESPACE);
}
