/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Importers over any bytes: the first byte picks the importer. */
#include <stdio.h>
#include <stdlib.h>

#include <faultline/import.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t n_importers(void)
{
    size_t n = 0;
    while (fl_importer_at(n))
        n++;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fl_writer *w;
    void *bytes = NULL;
    size_t len = 0;
    if (size < 2)
        return 0;
    FILE *in = fmemopen((void *)(data + 1), size - 1, "rb");
    if (!in)
        return 0;
    if (fl_writer_open_mem(FL_FIDELITY_EXACT, NULL, NULL, &w, NULL) == FL_OK) {
        if (fl_import_to(fl_importer_at(data[0] % n_importers()), in, w, NULL) == FL_OK)
            fl_writer_close(w, &bytes, &len, NULL);
        else
            fl_writer_abandon(w);
    }
    fclose(in);
    free(bytes);
    return 0;
}
