/* SPDX-License-Identifier: GPL-2.0-or-later */
/* THE list of importers, and what they have in common. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
        { .kind = FL_EV_PROCESS,
          .thread = FL_NO_THREAD,
          .process = { .pid = IMPORT_PID, .mm = 0, .copied_mm = FL_NO_MM, .comm = comm } },
        { .kind = FL_EV_THREAD,
          .thread = 0,
          .thread_start = { .pid = IMPORT_PID, .tid = IMPORT_PID } },
        { .kind = FL_EV_MAP,
          .thread = 0,
          .map = { .mm = 0,
                   .prot = FL_PROT_READ | FL_PROT_WRITE | FL_PROT_EXEC,
                   .flags = FL_MAP_ANON,
                   .file = FL_NO_FILE,
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

static int open_writer(const struct fl_importer *importer, const char *path,
                       const struct fl_writer_opts *opts, struct fl_writer **w, struct fl_err *err)
{
    struct fl_meta *meta = fl_meta_new();
    int rc = meta ? fl_meta_set(meta, "record.mode", "import", err) : fl_nomem(err, "metadata");
    if (rc == FL_OK)
        rc = fl_meta_set(meta, "import.format", importer->name, err);
    if (rc == FL_OK)
        rc = fl_writer_open(path, FL_FIDELITY_EXACT, meta, opts, w, err);
    fl_meta_free(meta);
    return rc;
}

/* A name of our own beside @out_path; NULL in @tmp when that is a device, a pipe or the like,
   which is written as it is: a rename would replace it. */
static int make_temporary(const char *out_path, char **tmp, struct fl_err *err)
{
    struct stat st;
    *tmp = NULL;
    if (lstat(out_path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return FL_OK;
    if (asprintf(tmp, "%s.XXXXXX", out_path) < 0) {
        *tmp = NULL;
        return fl_nomem(err, "output path");
    }
    int fd = mkostemp(*tmp, O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return FL_OK;
    }
    int rc = fl_fail_errno(err, "cannot create %s", out_path);
    free(*tmp);
    *tmp = NULL;
    return rc;
}

static int write_trace(const struct fl_importer *importer, FILE *in, const char *in_name,
                       const char *path, const struct fl_writer_opts *opts,
                       struct fl_totals *totals, struct fl_err *err)
{
    struct fl_writer *w = NULL;
    int rc = open_writer(importer, path, opts, &w, err);
    if (rc != FL_OK)
        return rc;
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
        return fl_writer_close(w, NULL, NULL, err);
    fl_writer_abandon(w);
    return rc;
}

int fl_import(const struct fl_importer *importer, FILE *in, const char *in_name,
              const char *out_path, const struct fl_writer_opts *opts, struct fl_totals *totals,
              struct fl_err *err)
{
    char *tmp;
    int rc = make_temporary(out_path, &tmp, err);
    if (rc != FL_OK)
        return rc;
    rc = write_trace(importer, in, in_name, tmp ? tmp : out_path, opts, totals, err);
    if (rc == FL_OK && tmp && rename(tmp, out_path) != 0)
        rc = fl_fail_errno(err, "cannot create %s", out_path);
    if (rc != FL_OK && tmp)
        unlink(tmp);
    free(tmp);
    return rc;
}
