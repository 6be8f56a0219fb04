/* SPDX-License-Identifier: GPL-2.0-or-later */
/* THE list of importers, and what they have in common. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/import.h>
#include <faultline/units.h>

#include "importers.h"

static const struct fl_importer *const importers[] = { &fl_import_pages, &fl_import_lackey };

const struct fl_importer *fl_importer_at(size_t i)
{
    return i < FL_COUNT(importers) ? importers[i] : NULL;
}

const char *fl_importer_name_at(size_t i)
{
    return i < FL_COUNT(importers) ? importers[i]->name : NULL;
}

const struct fl_importer *fl_importer_find(const char *name)
{
    for (size_t i = 0; i < FL_COUNT(importers); i++)
        if (!strcmp(importers[i]->name, name))
            return importers[i];
    return NULL;
}

/* The one process, its one thread and its one mapping. */
static int begin(struct fl_writer *w, const char *comm, struct fl_err *err)
{
    const struct fl_event events[] = {
        { .kind = FL_EV_PROCESS, .thread = FL_NO_THREAD,
          .process = { .pid = IMPORT_PID, .mm = 0, .copied_mm = FL_NO_MM, .comm = comm } },
        { .kind = FL_EV_THREAD, .thread = 0,
          .thread_start = { .pid = IMPORT_PID, .tid = IMPORT_PID } },
        { .kind = FL_EV_MAP, .thread = 0,
          .map = { .mm = 0, .prot = FL_PROT_READ | FL_PROT_WRITE | FL_PROT_EXEC,
                   .flags = FL_MAP_ANON, .file = FL_NO_FILE,
                   .length = IMPORT_PAGES_END << FL_PAGE_SHIFT } },
    };
    int rc = FL_OK;
    for (size_t i = 0; i < FL_COUNT(events) && rc == FL_OK; i++)
        rc = fl_writer_event(w, &events[i], err);
    return rc;
}

int fl_import_to(const struct fl_importer *importer, FILE *in, struct fl_writer *w,
                 struct fl_err *err)
{
    int rc = begin(w, importer->name, err);
    return rc == FL_OK ? importer->run(in, w, err) : rc;
}

static int open_writer(const struct fl_importer *importer, const char *tmp, struct fl_writer **w,
                       struct fl_err *err)
{
    struct fl_meta *meta = fl_meta_new();
    int rc = meta ? fl_meta_set(meta, "record.mode", "import", err) : fl_nomem(err, "metadata");
    if (rc == FL_OK)
        rc = fl_meta_set(meta, "import.format", importer->name, err);
    if (rc == FL_OK)
        rc = fl_writer_open(tmp, FL_FIDELITY_EXACT, meta, NULL, w, err);
    fl_meta_free(meta);
    return rc;
}

int fl_import(const struct fl_importer *importer, FILE *in, const char *in_name,
              const char *out_path, struct fl_totals *totals, struct fl_err *err)
{
    struct fl_writer *w = NULL;
    char *tmp;
    if (asprintf(&tmp, "%s.part", out_path) < 0)
        return fl_nomem(err, "output path");
    int rc = open_writer(importer, tmp, &w, err);
    if (rc == FL_OK) {
        rc = fl_import_to(importer, in, w, err);
        *totals = *fl_writer_totals(w);
        if (rc == FL_OK && fl_totals_accesses(totals) == 0)
            rc = fl_fail(err, FL_EFORMAT, "no accesses in it");
        if (rc == FL_EFORMAT) {
            struct fl_err why = *err;
            fl_fail(err, FL_EFORMAT, "%s: not %s input: %s", in_name, importer->name, why.msg);
            err->offset_bytes = why.offset_bytes;
        }
        if (rc == FL_OK)
            rc = fl_writer_close(w, NULL, NULL, err);
        else
            fl_writer_abandon(w);
    }
    if (rc == FL_OK && rename(tmp, out_path) != 0)
        rc = fl_fail_errno(err, "cannot create %s", out_path);
    if (rc != FL_OK)
        unlink(tmp);
    free(tmp);
    return rc;
}
