/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <faultline/cmd.h>

#include "report_folder.h"

struct file {
    struct fl_outfile out; /* path NULL: not open */
    char *path;
    bool in_new_folder, there; /* there: it has its name */
};

struct folder {
    const char *dir;
    char *charts;
    size_t new_dir, new_charts; /* length of the shortest path that is new; 0: none */
    struct file *files;
    size_t n;
};

/* ---- folders ------------------------------------------------------------------------ */

static int make_folder(const char *path, size_t *new_length, struct fl_err *err)
{
    struct stat st;
    char *copy = strdup(path);
    if (!copy)
        return fl_nomem(err, "the report's folder");
    for (char *p = copy + 1; *copy; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        bool last = *p == '\0';
        *p = '\0';
        if (mkdir(copy, 0777) == 0) {
            if (!*new_length)
                *new_length = (size_t)(p - copy);
        } else if (errno != EEXIST) {
            int rc = fl_fail_errno(err, "cannot create the folder %s", copy);
            free(copy);
            return rc;
        }
        if (last)
            break;
        *p = '/';
    }
    free(copy);
    if (stat(path, &st) != 0)
        return fl_fail_errno(err, "cannot create the folder %s", path);
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode) ? FL_OK : fl_fail_errno(err, "cannot write a report to %s", path);
}

static void unmake_folder(const char *path, size_t new_length)
{
    char *copy = new_length ? strdup(path) : NULL;
    for (size_t len = copy ? strlen(copy) : 0; copy && len >= new_length; len--) {
        if (copy[len] != '/' && copy[len] != '\0')
            continue;
        copy[len] = '\0';
        if (rmdir(copy) != 0 && errno != ENOENT)
            break;
    }
    free(copy);
}

/* ---- files -------------------------------------------------------------------------- */

/* One file of the report, filled by @write; it gets its name when all are written. */
static int add_file(struct folder *f, const char *dir, const char *name,
                    int (*write)(const void *what, FILE *out, struct fl_err *err), const void *what,
                    struct fl_err *err)
{
    struct file *file = &f->files[f->n];
    if (asprintf(&file->path, "%s/%s", dir, name) < 0) {
        file->path = NULL;
        return fl_nomem(err, "the report");
    }
    file->in_new_folder = dir == f->dir ? f->new_dir : f->new_charts;
    f->n++;
    int rc = fl_outfile_open(&file->out, file->path, err);
    if (rc != FL_OK)
        return rc;
    rc = write(what, file->out.stream, err);
    if (rc != FL_OK)
        return rc;
    bool failed = ferror(file->out.stream) != 0;
    errno = failed ? EIO : 0;
    if (fflush(file->out.stream) != 0 || failed)
        rc = fl_fail_errno(err, "cannot write %s", file->path);
    return rc;
}

static int write_html(const void *what, FILE *out, struct fl_err *err)
{
    return fl_report_html(what, out, err);
}

static int write_md(const void *what, FILE *out, struct fl_err *err)
{
    return fl_report_md(what, out, err);
}

static int write_json(const void *what, FILE *out, struct fl_err *err)
{
    return fl_report_json(what, out, err);
}

static int write_svg(const void *what, FILE *out, struct fl_err *err)
{
    const struct fl_view_chart *c = what;
    if (fwrite(c->svg, 1, c->svg_len, out) != c->svg_len)
        return fl_fail_errno(err, "writing chart %s", c->id);
    return FL_OK;
}

static int add_files(struct folder *f, const struct fl_view *view, const struct json_t *report,
                     struct fl_err *err)
{
    int rc = FL_OK;
    for (size_t i = 0; rc == FL_OK && i < view->n_charts; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s.svg", view->charts[i].id);
        if (view->charts[i].svg)
            rc = add_file(f, f->charts, name, write_svg, &view->charts[i], err);
    }
    if (rc == FL_OK)
        rc = add_file(f, f->dir, "report.json", write_json, report, err);
    if (rc == FL_OK)
        rc = add_file(f, f->dir, "report.md", write_md, view, err);
    if (rc == FL_OK)
        rc = add_file(f, f->dir, "index.html", write_html, view, err);
    for (size_t i = 0; rc == FL_OK && i < f->n; i++) {
        rc = fl_outfile_commit(&f->files[i].out, err);
        f->files[i].there = rc == FL_OK;
    }
    return rc;
}

/* Charts an earlier report left and this one does not have would be taken for its own. */
static void remove_stale(const char *dir, const struct fl_view *view)
{
    for (size_t c = 0; fl_chart_at(c); c++)
        for (unsigned k = 0; k <= 8; k++) {
            char id[64], *path = NULL;
            bool current = false;
            snprintf(id, sizeof id, k ? "%s-%u" : "%s", fl_chart_at(c)->name, k);
            for (size_t i = 0; i < view->n_charts; i++)
                current |= view->charts[i].svg && strcmp(view->charts[i].id, id) == 0;
            if (!current && asprintf(&path, "%s/%s.svg", dir, id) >= 0) {
                unlink(path);
                free(path);
            }
        }
}

/* ---- the whole ---------------------------------------------------------------------- */

static void undo(struct folder *f)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->files[i].out.path)
            fl_outfile_abort(&f->files[i].out);
        if (f->files[i].there && f->files[i].in_new_folder)
            unlink(f->files[i].path);
    }
    if (f->charts)
        unmake_folder(f->charts, f->new_charts);
    unmake_folder(f->dir, f->new_dir);
}

int report_folder_write(const char *dir, const struct fl_view *view, const struct json_t *report,
                        struct fl_err *err)
{
    struct folder f = { .dir = dir };
    f.files = calloc(view->n_charts + 3, sizeof *f.files);
    if (!f.files || asprintf(&f.charts, "%s/charts", dir) < 0) {
        free(f.files);
        return fl_nomem(err, "the report");
    }
    int rc = make_folder(dir, &f.new_dir, err);
    if (rc == FL_OK)
        rc = make_folder(f.charts, &f.new_charts, err);
    if (rc == FL_OK)
        rc = add_files(&f, view, report, err);
    if (rc == FL_OK)
        remove_stale(f.charts, view);
    else
        undo(&f);
    for (size_t i = 0; i < f.n; i++)
        free(f.files[i].path);
    free(f.files);
    free(f.charts);
    return rc;
}
