/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode - what reading a trace costs by itself: opens it, and walks its items.
   Build: cc -std=gnu17 -O2 -I include tests/bench/decode.c -o decode -lfaultline */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <faultline/trace.h>

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Runs of the trace, or -1; the sum makes sure that the batches were really there. */
static long long walk(struct fl_reader *r, uint64_t *sum, struct fl_err *err)
{
    struct fl_item item = { .kind = FL_ITEM_EVENT };
    long long runs = 0;
    while (item.kind != FL_ITEM_END) {
        if (fl_reader_next(r, &item, err) != FL_OK)
            return -1;
        if (item.kind != FL_ITEM_RUNS)
            continue;
        runs += (long long)item.runs.n;
        *sum += item.runs.page[item.runs.n - 1];
    }
    return runs;
}

int main(int argc, char **argv)
{
    int times = argc > 2 ? atoi(argv[2]) : 5;
    struct fl_err err;
    if (argc < 2) {
        fputs("usage: decode TRACE [TIMES]\nCPU seconds of each pass over the trace: open and "
              "checksums, decoding, both for a run.\n",
              stderr);
        return 2;
    }
    for (int i = 0; i < times; i++) {
        struct fl_reader *r = NULL;
        uint64_t sum = 0;
        double begin = cpu_s();
        int rc = fl_reader_open_path(argv[1], 0, &r, &err);
        double opened = cpu_s();
        long long runs = rc == FL_OK ? walk(r, &sum, &err) : -1;
        double end = cpu_s();
        fl_reader_free(r);
        if (runs < 0) {
            fprintf(stderr, "decode: %s\n", err.msg);
            return 1;
        }
        printf("open %.4f s, decode %.4f s, %.2f ns a run, %lld runs (%llu)\n", opened - begin,
               end - opened, runs ? (end - begin) / (double)runs * 1e9 : 0, runs,
               (unsigned long long)sum);
    }
    return 0;
}
