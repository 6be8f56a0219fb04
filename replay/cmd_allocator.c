/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd_allocator.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include <faultline/json_write.h>

#include "cmd_common.h"
#include "kernel/buddy_replay.h"

static void print_side(FILE *out, const char *name, int64_t a, int64_t b, int64_t c,
                       const char *form)
{
    fprintf(out, "  %-24s", name);
    fprintf(out, form, (double)a);
    fprintf(out, form, (double)b);
    fprintf(out, form, (double)c);
    fputc('\n', out);
}

static void print_indices(FILE *out, const struct buddy_zone_replay *z, uint32_t order)
{
    const int64_t *sides[3] = { z->at_start, z->predicted, z->at_end };
    for (int unusable = 0; unusable < 2; unusable++) {
        char name[32];
        snprintf(name, sizeof name, "%s index, %u", unusable ? "unusable" : "fragmentation", order);
        fprintf(out, "  %-24s", name);
        for (int i = 0; i < 3; i++)
            fprintf(out, " %12.3f",
                    (double)(unusable ? buddy_unusable_index(sides[i], order)
                                      : buddy_fragmentation_index(sides[i], order)) /
                        1000);
        fputc('\n', out);
    }
}

static void print_zone(FILE *out, const struct buddy_zone_replay *z)
{
    int64_t predicted = buddy_pages(z->predicted), recorded = buddy_pages(z->at_end);
    fprintf(out,
            "\nzone %s: %" PRIu64 " blocks taken from its free lists, %" PRIu64 " given back\n",
            z->name, z->takes, z->gives);
    fprintf(out, "  %-24s %12s %12s %12s\n", "free blocks", "start", "predicted", "recorded");
    for (uint32_t o = 0; o < BUDDY_ORDERS; o++) {
        char name[32];
        snprintf(name, sizeof name, "order %u", o);
        print_side(out, name, z->at_start[o], z->predicted[o], z->at_end[o], " %12.0f");
    }
    print_side(out, "free pages", buddy_pages(z->at_start), predicted, recorded, " %12.0f");
    print_indices(out, z, BUDDY_BLOCK_ORDER);
    fprintf(out, "  %-24s %12d %12d %12d\n", "largest order", buddy_largest(z->at_start),
            buddy_largest(z->predicted), buddy_largest(z->at_end));
    fprintf(out, "  %-24s %12" PRId64 " %12s %12" PRId64 "\n", "pages on per-CPU lists",
            z->pcp_at_start, "", z->pcp_at_end);
    fprintf(out, "  free pages are off by %.2f %%; the largest free block was of order %d to %d\n",
            recorded ? 100.0 * (double)(predicted - recorded) / (double)recorded : 0.0,
            z->largest_least, z->largest_most);
    fprintf(out,
            "  of other types: %" PRIu64 " with the pageblock, %" PRIu64
            " without; merges with blocks "
            "of unknown place: %" PRIu64 "\n",
            z->claims, z->steals, z->assumed_merges);
    if (z->unseen_gives + z->unseen_takes + z->unexplained)
        fprintf(out,
                "  pages that events do not explain: %" PRIu64 " freed unseen, %" PRIu64
                " taken unseen, %" PRIu64 " of no recorded block\n",
                z->unseen_gives, z->unseen_takes, z->unexplained);
    if (z->managed_at_end && z->managed_at_end != z->managed)
        fprintf(out, "  the zone grew by %" PRId64 " pages meanwhile\n",
                (int64_t)(z->managed_at_end - z->managed));
}

static void print_all(FILE *out, const struct buddy_replay *replay)
{
    char count[FL_FORMAT_BYTES];
    fprintf(out, "%s events of the page allocator, %" PRIu64 " requests failed\n",
            fl_format_count(count, replay->events), replay->failed);
    if (replay->elsewhere)
        fprintf(out, "%s of them name pages of no recorded zone\n",
                fl_format_count(count, replay->elsewhere));
    for (uint32_t i = 0; i < replay->n_zones; i++)
        if (replay->zone[i].takes + replay->zone[i].gives)
            print_zone(out, &replay->zone[i]);
}

static int document(struct fl_reader *r, const char *path, const struct buddy_replay *replay,
                    json_t **out, struct fl_err *err)
{
    const struct fl_totals *totals = fl_reader_totals(r);
    json_t *trace, *doc = json_object(), *faults = json_object();
    int rc = cmd_trace_json(r, path, 0, &trace, err);
    if (rc != FL_OK) {
        json_decref(doc);
        json_decref(faults);
        return rc;
    }
    int bad = json_object_set_new(doc, "schema", json_string("faultline.replay/1"));
    bad |= json_object_set_new(doc, "source", json_string("observed"));
    bad |= json_object_set_new(doc, "trace", trace);
    bad |= json_object_set_new(faults, "minor", fl_json_u64(totals->faults_minor));
    bad |= json_object_set_new(faults, "major", fl_json_u64(totals->faults_major));
    bad |= json_object_set_new(doc, "faults", faults); /* as recorded: every result has them */
    rc = bad ? fl_nomem(err, "the result") : buddy_replay_json(replay, true, doc, err);
    if (rc != FL_OK)
        json_decref(doc);
    else
        *out = doc;
    return rc;
}

int cmd_allocator(struct fl_reader *r, const char *path, bool json, const char *out,
                  struct fl_err *err)
{
    struct buddy_replay *replay;
    json_t *doc;
    int rc = buddy_replay_trace(r, &replay, err);
    if (rc == FL_OK && !json && !out)
        print_all(stdout, replay);
    else if (rc == FL_OK && (rc = document(r, path, replay, &doc, err)) == FL_OK)
        rc = cmd_write_json(doc, out, err);
    buddy_replay_free(replay);
    return rc;
}
