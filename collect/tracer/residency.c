/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and their share of the page cache, by raw system calls of amd64 Linux. */
#include "residency.h"

typedef unsigned long long u64;

enum {
    PAGE = 4096,
    NR_READ = 0,
    NR_CLOSE = 3,
    NR_MMAP = 9,
    NR_MUNMAP = 11,
    NR_PREAD = 17,
    NR_MINCORE = 27,
    NR_READLINK = 89,
    NR_GETEUID = 107,
    NR_FSTATFS = 138,
    NR_OPENAT = 257,
    NR_STATX = 332,
    NR_CACHESTAT = 451,
};

static long call(long number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
    long result;
    register u64 r10 __asm__("r10") = d;
    register u64 r8 __asm__("r8") = e;
    register u64 r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* ---- identity ------------------------------------------------------------------- */

/* As statx(2) fills it in. */
struct statx_times {
    long long seconds;
    unsigned ns;
    int pad;
};
struct statx_result {
    unsigned mask, block_bytes;
    u64 attributes;
    unsigned n_links, uid, gid;
    unsigned short mode, pad0;
    u64 ino, size, blocks, attributes_mask;
    struct statx_times accessed, born, changed, modified;
    unsigned rdev_major, rdev_minor, dev_major, dev_minor;
    u64 rest[14];
};
_Static_assert(sizeof(struct statx_result) == 256, "statx(2) writes 256 bytes");

enum { BASIC_AND_BIRTH = 0xfff, BIRTH = 0x800, EMPTY_PATH = 0x1000, NOFOLLOW = 0x100 };

int flr_identify(int dirfd, const char *path, int follow, struct flr_identity *id)
{
    struct statx_result st;
    u64 flags = EMPTY_PATH | (follow ? 0 : NOFOLLOW);
    long rc = call(NR_STATX, (u64)(long)dirfd, (u64)path, flags, BASIC_AND_BIRTH, (u64)&st, 0);
    if (rc < 0)
        return (int)rc;
    /* The device number as stat(2) has it. */
    id->dev = (st.dev_minor & 0xff) | (u64)st.dev_major << 8 | (u64)(st.dev_minor & ~0xffu) << 12;
    id->ino = st.ino;
    id->birth_ns = st.mask & BIRTH ? (u64)st.born.seconds * 1000000000u + st.born.ns : 0;
    id->size_bytes = st.size;
    id->owner = st.uid;
    id->n_links = st.n_links;
    id->is_regular = (st.mode & 0170000) == 0100000;
    id->dev_major = st.dev_major;
    id->dev_minor = st.dev_minor;
    return 0;
}

/* ---- residency ------------------------------------------------------------------- */

struct search {
    int fd, failed;
    u64 grain, n_pages;
    struct flr_range *ranges;
    int n;
};

static void add(struct search *s, u64 first, u64 n_pages)
{
    struct flr_range *last = s->n > 0 ? &s->ranges[s->n - 1] : 0;
    if (n_pages == 0)
        return;
    if (last && last->offset + last->length == first * PAGE)
        last->length += n_pages * PAGE;
    else if (s->n < FLR_RANGES)
        s->ranges[s->n++] = (struct flr_range){ first * PAGE, n_pages * PAGE };
}

/* Pages of the file in the cache, of the @n from @first; an error is negative. */
static long count_cached(int fd, u64 first, u64 n)
{
    u64 range[2] = { first * PAGE, n * PAGE };
    u64 result[5] = { 0 }; /* cached, dirty, in writeback, evicted, recently evicted */
    long rc = call(NR_CACHESTAT, (u64)(long)fd, (u64)range, (u64)result, 0, 0, 0);
    return rc < 0 ? rc : (long)result[0];
}

/* [first, first + n) has @cached pages: find out which. n > grain is halved. */
static void bisect(struct search *s, u64 first, u64 n, u64 cached)
{
    if (cached > n)
        cached = n;
    if (cached == 0 || cached == n || n <= s->grain) {
        add(s, first, cached);
        return;
    }
    u64 half = s->grain;
    while (half * 2 < n)
        half *= 2;
    long left = count_cached(s->fd, first, half);
    if (left < 0) {
        s->failed = 1;
        return;
    }
    u64 in_left = (u64)left < cached ? (u64)left : cached;
    bisect(s, first, half, in_left);
    bisect(s, first + half, n - half, cached - in_left);
}

/* Kernels before 6.5. It says "yes" to whoever may not know, so only owners are asked. */
static int by_mincore(struct search *s, const struct flr_identity *id)
{
    enum { WINDOW = 4096, PROT_READ_ = 1, MAP_SHARED_ = 1 };
    unsigned char in_core[WINDOW];
    u64 grain_first = 0, cached = 0;
    u64 euid = (u64)call(NR_GETEUID, 0, 0, 0, 0, 0, 0);
    if (euid != 0 && euid != id->owner)
        return -1;
    for (u64 at = 0; at < s->n_pages; at += WINDOW) {
        u64 n = s->n_pages - at < WINDOW ? s->n_pages - at : WINDOW;
        long map = call(NR_MMAP, 0, n * PAGE, PROT_READ_, MAP_SHARED_, (u64)(long)s->fd, at * PAGE);
        if (map < 0 && map > -4096)
            return -1;
        long rc = call(NR_MINCORE, (u64)map, n * PAGE, (u64)in_core, 0, 0, 0);
        call(NR_MUNMAP, (u64)map, n * PAGE, 0, 0, 0, 0);
        if (rc < 0)
            return -1;
        for (u64 i = 0; i < n; i++) {
            cached += in_core[i] & 1;
            if ((at + i + 1) % s->grain == 0 || at + i + 1 == s->n_pages) {
                add(s, grain_first, cached);
                grain_first = at + i + 1;
                cached = 0;
            }
        }
    }
    return s->n;
}

int flr_residency(int fd, const struct flr_identity *id, struct flr_range ranges[FLR_RANGES])
{
    enum { NO_SUCH_CALL = -38 };
    struct search s = { .fd = fd, .grain = 1, .ranges = ranges };
    s.n_pages = (id->size_bytes + PAGE - 1) / PAGE;
    if (s.n_pages == 0)
        return 0;
    while (s.grain * FLR_RANGES < s.n_pages)
        s.grain *= 2;
    long cached = count_cached(fd, 0, s.n_pages);
    if (cached == NO_SUCH_CALL)
        return by_mincore(&s, id);
    if (cached < 0)
        return -1;
    bisect(&s, 0, s.n_pages, (u64)cached);
    return s.failed ? -1 : s.n;
}

/* ---- filesystems ------------------------------------------------------------------ */

static char *put_text(char *to, const char *text)
{
    while (*text)
        *to++ = *text++;
    *to = 0;
    return to;
}

static char *put_number(char *to, unsigned v)
{
    char digits[12];
    int n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n > 0)
        *to++ = digits[--n];
    *to = 0;
    return to;
}

/* The number in @before MAJOR:MINOR @after, or -1. */
static long number_in(const char *before, const struct flr_identity *id, const char *after)
{
    char path[96], text[24], *p = put_text(path, before);
    p = put_number(p, id->dev_major);
    p = put_text(p, ":");
    p = put_number(p, id->dev_minor);
    put_text(p, after);
    int fd = flr_open(-100, path);
    if (fd < 0)
        return -1;
    long n = call(NR_READ, (u64)fd, (u64)text, sizeof text, 0, 0, 0), value = 0;
    flr_close(fd);
    for (long i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
        value = value * 10 + (text[i] - '0');
    return n > 0 ? value : -1;
}

/* Filesystems whose files are computed when they are read. */
static int is_computed(unsigned magic)
{
    static const unsigned magics[] = {
        0x9fa0 /* proc */,         0x62656572 /* sysfs */,   0x27e0eb /* cgroup */,
        0x63677270 /* cgroup2 */,  0x64626720 /* debugfs */, 0x74726163 /* tracefs */,
        0x73636673 /* security */, 0xcafe4a11 /* bpf */,     0x62656570 /* configfs */,
        0xde5e81e4 /* efivarfs */, 0x6165676c /* pstore */,
    };
    for (unsigned i = 0; i < sizeof magics / sizeof magics[0]; i++)
        if (magics[i] == magic)
            return 1;
    return 0;
}

void flr_device(int fd, const struct flr_identity *id, struct flr_device *device)
{
    u64 fs[16] = { 0 }; /* struct statfs: its type is first */
    long kib = number_in("/sys/class/bdi/", id, "/read_ahead_kb");
    if (kib < 0)
        kib = number_in("/sys/dev/block/", id, "/bdi/read_ahead_kb");
    if (kib < 0) /* a partition has its disk's */
        kib = number_in("/sys/dev/block/", id, "/../bdi/read_ahead_kb");
    device->read_ahead_pages = kib > 0 ? (unsigned)(kib / (PAGE / 1024)) : 0;
    device->is_cached = call(NR_FSTATFS, (u64)fd, (u64)fs, 0, 0, 0, 0) < 0 ||
                        !is_computed((unsigned)fs[0]);
}

/* ---- paths ------------------------------------------------------------------------ */

int flr_open(int dirfd, const char *path)
{
    enum { LOOK = 02004000 | 0400 }; /* O_RDONLY, O_CLOEXEC, O_NONBLOCK, O_NOCTTY */
    return (int)call(NR_OPENAT, (u64)(long)dirfd, (u64)path, LOOK, 0, 0, 0);
}

void flr_close(int fd)
{
    call(NR_CLOSE, (u64)fd, 0, 0, 0, 0, 0);
}

void flr_path_of(int fd, char path[FLR_PATH])
{
    char link[40];
    put_number(put_text(link, "/proc/self/fd/"), (unsigned)fd);
    long n = call(NR_READLINK, (u64)link, (u64)path, FLR_PATH - 1, 0, 0, 0);
    path[n > 0 ? n : 0] = 0;
}

/* "#! PATH ..." */
static int script_interpreter(const unsigned char *head, long n, char path[FLR_PATH])
{
    long at = 2, len = 0;
    while (at < n && (head[at] == ' ' || head[at] == '\t'))
        at++;
    while (at < n && head[at] > ' ')
        path[len++] = (char)head[at++];
    path[len] = 0;
    return len > 0;
}

static u64 little(const unsigned char *p, int bytes)
{
    u64 v = 0;
    while (bytes-- > 0)
        v = v << 8 | p[bytes];
    return v;
}

/* PT_INTERP of a 64-bit ELF file. */
static int binary_interpreter(int fd, const unsigned char *head, char path[FLR_PATH])
{
    enum { MOST = 64, ENTRY = 56, PT_INTERP_ = 3 };
    unsigned char table[MOST * ENTRY];
    u64 at = little(head + 32, 8), n = little(head + 56, 2);
    if (little(head + 54, 2) != ENTRY || n > MOST)
        return 0;
    if (call(NR_PREAD, (u64)fd, (u64)table, n * ENTRY, at, 0, 0) != (long)(n * ENTRY))
        return 0;
    for (u64 i = 0; i < n; i++) {
        const unsigned char *entry = table + i * ENTRY;
        u64 size = little(entry + 32, 8);
        if (little(entry, 4) != PT_INTERP_ || size >= FLR_PATH)
            continue;
        long got = call(NR_PREAD, (u64)fd, (u64)path, size, little(entry + 8, 8), 0, 0);
        path[got > 0 ? got : 0] = 0;
        return got > 1;
    }
    return 0;
}

int flr_interpreter(int fd, char path[FLR_PATH])
{
    unsigned char head[256];
    long n = call(NR_PREAD, (u64)fd, (u64)head, sizeof head, 0, 0, 0);
    if (n > 2 && head[0] == '#' && head[1] == '!')
        return script_interpreter(head, n, path);
    if (n >= 64 && little(head, 4) == 0x464c457f && head[4] == 2 /* 64-bit */)
        return binary_interpreter(fd, head, path);
    return 0;
}
