/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects that this kernel frees without a tracepoint, where it lets us watch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include <linux/perf_event.h>

#include <faultline/slab_frees.h>

#define PAGES 8
#define CPUS_MAX 64

static int output_on(int cpu)
{
    struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
                                    .config = PERF_COUNT_SW_BPF_OUTPUT,
                                    .size = sizeof attr,
                                    .sample_type = PERF_SAMPLE_RAW,
                                    .sample_period = 1 };
    return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/* A file of sysfs that is opened and closed gives an object to kfree_rcu(). */
static void use_kfree_rcu(void)
{
    for (int i = 0; i < 100; i++) {
        int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            close(fd);
    }
}

static void kfree_rcu_is_told(void **state)
{
    struct fl_slab_frees *f = fl_slab_frees_open();
    long cpus = sysconf(_SC_NPROCESSORS_ONLN), page = sysconf(_SC_PAGESIZE);
    struct perf_event_mmap_page *ring[CPUS_MAX];
    size_t bytes = (size_t)(page * (PAGES + 1));
    uint64_t told = 0;
    int fd[CPUS_MAX];
    (void)state;
    if (!f)
        skip();
    assert_false(fl_slab_frees_to(f, FL_SLAB_FREES_RCU, 0, -1));
    cpus = cpus < CPUS_MAX ? cpus : CPUS_MAX;
    for (int i = 0; i < cpus; i++) {
        fd[i] = output_on(i);
        assert_true(fd[i] >= 0);
        ring[i] = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd[i], 0);
        assert_true(ring[i] != MAP_FAILED);
        assert_true(fl_slab_frees_to(f, FL_SLAB_FREES_RCU, i, fd[i]));
    }
    use_kfree_rcu();
    print_message("%llu not told\n", (unsigned long long)fl_slab_frees_missed(f));
    fl_slab_frees_close(f);
    for (int i = 0; i < cpus; i++) {
        told += __atomic_load_n(&ring[i]->data_head, __ATOMIC_ACQUIRE);
        munmap(ring[i], bytes);
        close(fd[i]);
    }
    print_message("%llu bytes\n", (unsigned long long)told);
    assert_true(told > 0);
}

static void nothing_is_closed_gladly(void **state)
{
    (void)state;
    fl_slab_frees_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kfree_rcu_is_told),
        cmocka_unit_test(nothing_is_closed_gladly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
