/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include <jansson.h>

#include <faultline/json_write.h>

#include "cmd_common.h"

int cmd_open_trace(const char *path, bool partial, struct fl_reader **out, struct fl_err *err)
{
    int rc = fl_reader_open_path(path, partial ? FL_READ_PARTIAL : 0, out, err);
    if (rc == FL_OK && !fl_reader_complete(*out))
        fl_warn("%s: only the good part is read: %s", path, fl_reader_damage(*out));
    return rc;
}

static int size_bytes(struct fl_reader *r, const struct fl_size *size, uint64_t *peak_pages,
                      uint64_t *bytes, struct fl_err *err)
{
    if (size->percent_bp && *peak_pages == UINT64_MAX) {
        int rc = fl_footprint(r, peak_pages, err);
        if (rc != FL_OK)
            return rc;
    }
    *bytes = fl_size_bytes(size, size->percent_bp ? *peak_pages * FL_PAGE_BYTES : 0);
    return FL_OK;
}

int cmd_frames(struct fl_reader *r, const struct fl_size *ram, uint64_t *peak_pages,
               uint32_t *frames, struct fl_err *err)
{
    uint64_t bytes;
    int rc = size_bytes(r, ram, peak_pages, &bytes, err);
    if (rc != FL_OK)
        return rc;
    uint64_t pages = bytes >> FL_PAGE_SHIFT;
    if (pages == 0)
        return fl_fail(err, FL_EUSAGE, "--ram: less than one page of %u bytes",
                       (unsigned)FL_PAGE_BYTES);
    *frames = pages < FL_FRAMES_UNLIMITED ? (uint32_t)pages : FL_FRAMES_UNLIMITED;
    return FL_OK;
}

int cmd_swap_pages(struct fl_reader *r, const struct fl_size *swap, uint64_t *peak_pages,
                   uint64_t *pages, struct fl_err *err)
{
    uint64_t bytes;
    int rc = size_bytes(r, swap, peak_pages, &bytes, err);
    if (rc == FL_OK)
        *pages = bytes == FL_SIZE_MAX_BYTES ? UINT64_MAX : bytes >> FL_PAGE_SHIFT;
    return rc;
}

int cmd_machine(const struct fl_reader *r, const char *name, const struct fl_machine **machine,
                struct fl_machine **loaded, struct fl_err *err)
{
    struct fl_err why = { .code = FL_OK };
    char names[512] = "";
    *loaded = NULL;
    *machine = fl_machine_find(name);
    if (*machine)
        return FL_OK;
    int rc = r && strcmp(name, "host") == 0
                 ? fl_machine_host(fl_meta_get(fl_reader_meta(r), "host.tlb"), loaded, &why)
                 : fl_machine_load(name, loaded, &why);
    *machine = *loaded;
    if (rc != FL_EIO || why.sys_errno != ENOENT) {
        if (rc != FL_OK)
            *err = why;
        return rc;
    }
    for (size_t i = 0, at = 0; fl_machine_name_at(i) && at < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "",
                               fl_machine_name_at(i));
    return fl_fail(err, FL_EUSAGE, "machine '%s' is no file and not one of %s, host", name, names);
}

int cmd_trace_json(struct fl_reader *r, const char *path, uint64_t peak_pages, json_t **out,
                   struct fl_err *err)
{
    char sha256[65];
    int rc = fl_reader_sha256(r, sha256, err);
    if (rc != FL_OK)
        return rc;
    *out = fl_trace_json(r, path, sha256, peak_pages);
    return *out ? FL_OK : fl_nomem(err, "result");
}

int cmd_write_json(json_t *json, const char *path, struct fl_err *err)
{
    struct fl_outfile out;
    int rc = json ? fl_outfile_open(&out, path, err) : fl_nomem(err, "result");
    if (rc != FL_OK) {
        json_decref(json);
        return rc;
    }
    int written = fl_json_write(json, out.stream, 0);
    fputc('\n', out.stream);
    json_decref(json);
    if (written == 0)
        return fl_outfile_commit(&out, err);
    rc = fl_fail_errno(err, "cannot write the result");
    fl_outfile_abort(&out);
    return rc;
}
