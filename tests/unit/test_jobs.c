/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <faultline/jobs.h>

struct work {
    int rc, runs;
};

static int run(void *arg, struct fl_job_progress *progress, struct fl_err *err)
{
    struct work *w = arg;
    fl_job_tell(progress, 5000);
    w->runs++;
    return w->rc == FL_OK ? FL_OK : fl_fail(err, w->rc, "job with %d", w->rc);
}

static void note(void *arg, unsigned done_bp)
{
    unsigned *most = arg;
    assert_true(done_bp <= 10000);
    if (done_bp > *most)
        *most = done_bp;
}

static void jobs_all_run_once_and_progress_ends_at_all(void **state)
{
    struct work work[5] = { { 0 } };
    struct fl_job jobs[5];
    (void)state;
    for (unsigned threads = 0; threads <= 8; threads += 2) {
        unsigned most = 0;
        for (int i = 0; i < 5; i++) {
            work[i].runs = 0;
            jobs[i] = (struct fl_job){ .run = run, .arg = &work[i] };
        }
        assert_int_equal(fl_jobs_run(jobs, 5, threads, note, &most, NULL), FL_OK);
        for (int i = 0; i < 5; i++)
            assert_int_equal(work[i].runs, 1);
        assert_int_equal(most, 10000);
    }
}

static void jobs_give_the_error_of_the_first_in_the_list(void **state)
{
    struct work work[3] = { { FL_EIO, 0 }, { FL_EDATA, 0 }, { FL_OK, 0 } };
    struct fl_job jobs[3] = { { run, &work[0], 0 }, { run, &work[1], 0 }, { run, &work[2], 0 } };
    struct fl_err err = { 0 };
    (void)state;
    assert_int_equal(fl_jobs_run(jobs, 3, 1, NULL, NULL, &err), FL_EIO);
    assert_int_equal(err.code, FL_EIO);
    assert_int_equal(work[1].runs, 0); /* nothing begins after an error */
    assert_int_equal(work[2].runs, 0);
}

struct tellers {
    unsigned told[2];
    size_t n;
};

static void remember(void *arg, unsigned done_bp)
{
    struct tellers *t = arg;
    if (t->n < 2)
        t->told[t->n++] = done_bp;
}

/* The first is done half: 3/4 of 5000. Then whole: 3/4 of 10000. */
static void jobs_count_by_their_weight(void **state)
{
    struct work work[2] = { { 0 } };
    struct fl_job jobs[2] = { { run, &work[0], 3 }, { run, &work[1], 1 } };
    struct tellers t = { { 0 }, 0 };
    (void)state;
    assert_int_equal(fl_jobs_run(jobs, 2, 1, remember, &t, NULL), FL_OK);
    assert_int_equal(t.told[0], 3750);
    assert_int_equal(t.told[1], 7500);
}

static void jobs_of_none_are_done(void **state)
{
    (void)state;
    assert_int_equal(fl_jobs_run(NULL, 0, 4, NULL, NULL, NULL), FL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_all_run_once_and_progress_ends_at_all),
        cmocka_unit_test(jobs_give_the_error_of_the_first_in_the_list),
        cmocka_unit_test(jobs_count_by_their_weight),
        cmocka_unit_test(jobs_of_none_are_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
