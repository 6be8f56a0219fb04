/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trace would keep resident if memory were unlimited: the virtual memory stage alone. */
#include "vm.h"

int fl_footprint(struct fl_reader *r, uint64_t *peak_pages, struct fl_err *err)
{
    struct fl_item item;
    struct vm vm;
    if (fl_reader_fidelity(r) > FL_FIDELITY_PAGE_EXACT)
        return fl_fail(err, FL_EDATA,
                       "a trace of fidelity '%s' does not tell its peak resident set; record it "
                       "with --mode exact",
                       fl_fidelity_name(fl_reader_fidelity(r)));
    int rc = fl_reader_rewind(r, err);

    vm_init(&vm, r, PGTABLE_LEVELS_MAX, NULL);
    while (rc == FL_OK && (rc = fl_reader_next(r, &item, err)) == FL_OK &&
           item.kind != FL_ITEM_END) {
        if (item.kind == FL_ITEM_EVENT) {
            rc = vm_event(&vm, &item.event, err);
            continue;
        }
        const struct fl_runs *runs = &item.runs;
        rc = vm_new_pages(&vm, err);
        for (size_t i = 0; i < runs->n && rc == FL_OK; i++) {
            uint32_t c;
            uint8_t info;
            rc = vm_run(&vm, runs->page[i],
                        run_need(runs->reads[i], runs->writes[i], runs->fetches[i]), runs->actor,
                        &c, &info, err);
        }
    }
    *peak_pages = vm.cs.live_peak;
    vm_fini(&vm);
    return rc;
}
