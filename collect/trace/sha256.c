/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checksum that names a trace in results. It is of all bytes, which a question may need few of: so it
   can be had meanwhile. */
#include <nettle/sha2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/trace.h>

#include "reader_priv.h"

#define STEP_BYTES (UINT64_C(256) << 10)

struct fl_hash {
    struct fl_source source; /* the reader's */
    pthread_t thread;
    atomic_bool stop;
    int rc;
    struct fl_err err;
    char hex[65];
};

static int hash_source(struct fl_source *s, const atomic_bool *stop, char hex[65],
                       struct fl_err *err)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx ctx;
    struct fl_buf buf = { 0 };
    int rc = FL_OK;
    sha256_init(&ctx);
    for (uint64_t at = 0, n; at < s->size_bytes && rc == FL_OK && !(stop && *stop); at += n) {
        const uint8_t *bytes;
        n = s->size_bytes - at < STEP_BYTES ? s->size_bytes - at : STEP_BYTES;
        rc = fl_source_get(s, at, (size_t)n, &buf, &bytes, err);
        if (rc == FL_OK)
            sha256_update(&ctx, (size_t)n, bytes);
    }
    fl_buf_free(&buf);
    sha256_digest(&ctx, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = '\0';
    return rc;
}

int fl_sha256_file(const char *path, char hex[65], struct fl_err *err)
{
    struct fl_source s;
    int rc = fl_source_open_file(&s, path, err);
    if (rc != FL_OK)
        return rc;
    rc = hash_source(&s, NULL, hex, err);
    fl_source_close(&s);
    return rc;
}

static void *hash_main(void *arg)
{
    struct fl_hash *h = arg;
    h->rc = hash_source(&h->source, &h->stop, h->hex, &h->err);
    return NULL;
}

void fl_reader_hash_ahead(struct fl_reader *r)
{
    struct fl_hash *h = r->hash ? NULL : calloc(1, sizeof *h);
    if (!h)
        return;
    h->source = r->source;
    if (pthread_create(&h->thread, NULL, hash_main, h) == 0)
        r->hash = h;
    else
        free(h);
}

int fl_reader_sha256(struct fl_reader *r, char hex[65], struct fl_err *err)
{
    if (!r->hash)
        return hash_source(&r->source, NULL, hex, err);
    struct fl_hash *h = r->hash;
    pthread_join(h->thread, NULL);
    r->hash = NULL;
    int rc = h->rc;
    if (rc != FL_OK)
        *err = h->err;
    memcpy(hex, h->hex, sizeof h->hex);
    free(h);
    return rc;
}

void fl_hash_drop(struct fl_reader *r)
{
    if (!r->hash)
        return;
    r->hash->stop = true;
    pthread_join(r->hash->thread, NULL);
    free(r->hash);
    r->hash = NULL;
}
