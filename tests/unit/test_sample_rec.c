/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sample records built by hand, cut off, and as the kernel of this machine writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <faultline/datasrc.h>

#include "pmu.h"
#include "ring.h"
#include "sample_rec.h"

#define WEIGHT_STRUCT (UINT64_C(1) << 24)
#define PLANNED                                                                       \
    (PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |   \
     PERF_SAMPLE_ADDR | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD | PERF_SAMPLE_DATA_SRC | \
     PERF_SAMPLE_PHYS_ADDR | WEIGHT_STRUCT)

struct record {
    uint8_t bytes[512];
    size_t n;
};

static void put(struct record *r, const void *p, size_t n)
{
    memcpy(r->bytes + r->n, p, n);
    r->n += n;
}

static void put_u64(struct record *r, uint64_t v)
{
    put(r, &v, sizeof v);
}

static void put_u32s(struct record *r, uint32_t a, uint32_t b)
{
    put(r, &a, sizeof a);
    put(r, &b, sizeof b);
}

static void finish(struct record *r, uint16_t misc)
{
    struct perf_event_header h = { PERF_RECORD_SAMPLE, misc, (uint16_t)r->n };
    memcpy(r->bytes, &h, sizeof h);
}

/* A load of Sapphire Rapids: 45 cycles, of them the instruction's 60 and retirement's 7. */
static struct record pebs_load(void)
{
    struct record r = { .n = sizeof(struct perf_event_header) };
    put_u64(&r, 77);                            /* identifier */
    put_u64(&r, 0x401136);                      /* ip */
    put_u32s(&r, 4000, 4001);                   /* pid, tid */
    put_u64(&r, 123456789);                     /* time */
    put_u64(&r, 0x7f0012345678);                /* address */
    put_u32s(&r, 5, 0);                         /* cpu */
    put_u64(&r, 10007);                         /* period */
    put_u64(&r, 45 | 60ull << 32 | 7ull << 48); /* weight */
    put_u64(&r, 0x68100142);                    /* data source: L1 hit */
    put_u64(&r, 0x2345678);                     /* physical */
    finish(&r, PERF_RECORD_MISC_USER | PERF_RECORD_MISC_EXACT_IP);
    return r;
}

static void sample_of_a_plan_is_read_field_by_field(void **state)
{
    (void)state;
    struct record r = pebs_load();
    struct fl_sample_rec s;
    struct fl_datasrc d;
    assert_int_equal(fl_sample_rec_id(r.bytes, r.n), 77);
    assert_true(fl_sample_rec_decode(r.bytes, r.n, PLANNED, &s));
    assert_true(s.id == 77 && s.ip == 0x401136 && s.pid == 4000 && s.tid == 4001);
    assert_true(s.time_ns == 123456789 && s.address == 0x7f0012345678 && s.cpu == 5);
    assert_true(s.period == 10007 && s.latency_cycles == 45);
    assert_true(s.weight_parts[0] == 60 && s.weight_parts[1] == 7 && s.phys == 0x2345678);
    assert_true(s.exact_ip && !s.kernel && !s.guest && s.n_chain == 0);
    fl_datasrc_decode(s.data_src, &d);
    assert_int_equal(d.level, FL_LEVEL_L1);
}

static void sample_with_whole_weight_has_no_parts(void **state)
{
    (void)state;
    struct record r = pebs_load();
    struct fl_sample_rec s;
    uint64_t type = (PLANNED & ~WEIGHT_STRUCT) | PERF_SAMPLE_WEIGHT;
    assert_true(fl_sample_rec_decode(r.bytes, r.n, type, &s));
    assert_int_equal(s.latency_cycles, 45 | 60ull << 32 | 7ull << 48);
    assert_int_equal(s.weight_parts[0], 0);
}

/* Call chain of three behind a mark of user mode, and raw bytes filled up to 8. */
static void sample_with_chain_and_raw_bytes(void **state)
{
    (void)state;
    struct record r = { .n = sizeof(struct perf_event_header) };
    struct fl_sample_rec s;
    put_u64(&r, 0xffffffff81000000);
    put_u64(&r, 3);
    put_u64(&r, (uint64_t)PERF_CONTEXT_USER);
    put_u64(&r, 0x1000);
    put_u64(&r, 0x2000);
    put_u32s(&r, 4, 0xabcd);
    finish(&r, PERF_RECORD_MISC_KERNEL);
    uint64_t type = PERF_SAMPLE_IP | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_RAW;
    assert_true(fl_sample_rec_decode(r.bytes, r.n, type, &s));
    assert_true(s.kernel && !s.exact_ip && s.n_chain == 3 && s.raw_bytes == 4);
    assert_int_equal(fl_sample_rec_chain(&s, 0), (uint64_t)PERF_CONTEXT_USER);
    assert_int_equal(fl_sample_rec_chain(&s, 2), 0x2000);
    memset(r.bytes + sizeof(struct perf_event_header) + 8, 0xff, 8); /* a chain of 2^64 - 1 */
    assert_false(fl_sample_rec_decode(r.bytes, r.n, type, &s));
}

/* Every shorter or longer record, and one of another type, is refused. */
static void sample_that_does_not_fit_its_fields_is_refused(void **state)
{
    (void)state;
    struct fl_sample_rec s;
    struct record whole = pebs_load();
    for (size_t n = 0; n <= whole.n + 8; n++) {
        struct record r = whole;
        struct perf_event_header h = { PERF_RECORD_SAMPLE, 0, (uint16_t)n };
        memcpy(r.bytes, &h, sizeof h);
        assert_int_equal(fl_sample_rec_decode(r.bytes, n, PLANNED, &s), n == whole.n);
    }
    assert_false(fl_sample_rec_decode(whole.bytes, whole.n, PLANNED | PERF_SAMPLE_READ, &s));
    assert_false(fl_sample_rec_decode(whole.bytes, whole.n - 8, PLANNED, &s));
    whole.bytes[0] = PERF_RECORD_THROTTLE;
    assert_false(fl_sample_rec_decode(whole.bytes, whole.n, PLANNED, &s));
    assert_int_equal(fl_sample_rec_id(whole.bytes, 15), 0);
}

/* ---- live: the plan for a software event, opened as it is, read with the same code ---- */

#define PAGES 64
#define RING_BYTES (64u << 10)

static int open_plan(struct fl_pmu_event *e)
{
    struct fl_pmu_host here = fl_pmu_host_here();
    struct fl_pmu_plan plan;
    struct fl_err err = { 0 };
    const struct fl_pmu_request req = { .event = "perf::PAGE-FAULTS", .period = 1, .stacks = true };
    if (fl_pmu_plan(&here, &req, &plan, &err) != FL_OK ||
        fl_pmu_settle(&plan.v[0], fl_pmu_try_here, NULL, &err) != FL_OK) {
        print_message("skipped: %s\n", err.msg);
        skip();
    }
    *e = plan.v[0];
    e->attr.inherit = 0; /* the kernel maps no ring of an inherited event on all CPUs */
    int fd = (int)syscall(SYS_perf_event_open, &e->attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static unsigned read_faults(struct fl_ring *ring, const struct fl_pmu_event *e, const char *area,
                            size_t page)
{
    static uint8_t buf[RING_BYTES];
    uint64_t n = fl_ring_pending(ring), seen = 0;
    unsigned samples = 0;
    assert_true(n > 0 && n <= sizeof buf);
    fl_ring_take(ring, buf, n);
    for (uint64_t at = 0, size; at < n; at += size) {
        struct fl_sample_rec s;
        size = fl_perf_size(buf + at, n - at);
        assert_true(size > 0);
        if (!fl_sample_rec_decode(buf + at, size, e->attr.sample_type, &s))
            continue;
        assert_true(s.pid == (uint32_t)getpid() && s.period == 0 && s.time_ns > 0 && s.ip > 0);
        assert_true(s.n_chain >= 2); /* a mark, and the instruction itself */
        assert_int_equal(fl_sample_rec_chain(&s, 0), (uint64_t)PERF_CONTEXT_USER);
        if (s.address >= (uintptr_t)area && s.address < (uintptr_t)area + PAGES * page) {
            unsigned i = (unsigned)((s.address - (uintptr_t)area) / page);
            assert_false(seen >> i & 1);
            seen |= UINT64_C(1) << i;
            samples++;
        }
    }
    return samples;
}

static void sample_of_a_real_kernel_has_the_address_of_each_first_touch(void **state)
{
    (void)state;
    struct fl_pmu_event e;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fd = open_plan(&e);
    struct perf_event_mmap_page *head =
        mmap(NULL, page + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(head != MAP_FAILED);
    char *area =
        mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(area != MAP_FAILED);
    madvise(area, PAGES * page, MADV_NOHUGEPAGE);
    assert_int_equal(ioctl(fd, PERF_EVENT_IOC_ENABLE, 0), 0);
    for (size_t i = 0; i < PAGES; i++)
        ((volatile char *)area)[i * page + 8 * i] = 1;
    assert_int_equal(ioctl(fd, PERF_EVENT_IOC_DISABLE, 0), 0);
    struct fl_ring ring = { (uint64_t *)&head->data_head, (uint64_t *)&head->data_tail,
                            (uint8_t *)head + page, RING_BYTES };
    assert_int_equal(read_faults(&ring, &e, area, page), PAGES);
    munmap(area, PAGES * page);
    munmap(head, page + RING_BYTES);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_of_a_plan_is_read_field_by_field),
        cmocka_unit_test(sample_with_whole_weight_has_no_parts),
        cmocka_unit_test(sample_with_chain_and_raw_bytes),
        cmocka_unit_test(sample_that_does_not_fit_its_fields_is_refused),
        cmocka_unit_test(sample_of_a_real_kernel_has_the_address_of_each_first_touch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
