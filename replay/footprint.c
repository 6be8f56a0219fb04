/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trace would keep resident if memory were unlimited: the virtual memory stage alone. */
#include "reduced.h"
#include "trace_pass.h"
#include "vm.h"

static int on_event(void *vm, const struct fl_event *ev, struct fl_err *err)
{
    return vm_event(vm, ev, err);
}

static int on_runs(void *arg, const struct fl_runs *runs, struct fl_err *err)
{
    struct vm *vm = arg;
    int rc = vm_new_pages(vm, err);
    for (size_t i = 0; i < runs->n && rc == FL_OK; i++) {
        uint32_t c;
        uint8_t info, need = run_need(runs->reads[i], runs->writes[i], runs->fetches[i]);
        rc = vm_run(vm, runs->page[i], need, runs->actor, &c, &info, err);
    }
    return rc;
}

int fl_footprint(struct fl_reader *r, uint64_t *peak_pages, struct fl_err *err)
{
    struct vm vm;
    if (fl_reader_fidelity(r) > FL_FIDELITY_PAGE_EXACT)
        return fl_fail(err, FL_EDATA,
                       "a trace of fidelity '%s' does not tell its peak resident set; record it "
                       "with --mode exact",
                       fl_fidelity_name(fl_reader_fidelity(r)));
    struct trace_pass pass = { .arg = &vm, .event = on_event, .runs = on_runs };
    pass.reduced = reduced_floor(r, FL_FRAMES_UNLIMITED);
    for (bool again = true; again;) {
        vm_init(&vm, r, PGTABLE_LEVELS_MAX, NULL);
        int rc = trace_pass(r, &pass, err);
        *peak_pages = vm.cs.live_peak;
        again = rc == FL_OK && pass.reduced && vm.segv;
        pass.reduced = 0;
        vm_fini(&vm);
        if (rc != FL_OK)
            return rc;
    }
    return FL_OK;
}
