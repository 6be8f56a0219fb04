/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.h - the parts a view is built from; a failed one is remembered until the end. */
#ifndef FAULTLINE_VIEW_H
#define FAULTLINE_VIEW_H

#include <faultline/report.h>

struct view_builder {
    struct fl_view *view;
    const struct json_t *report;
    bool failed; /* out of memory */
};

/** view_text - a sentence, cleaned; "" when out of memory. Free it. */
char *view_text(struct view_builder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** view_line - one more finding; ignored when there are enough. */
void view_line(struct view_builder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** view_section - a new section; takes @table. */
void view_section(struct view_builder *b, const char *id, const char *heading, const char *text,
                  struct fl_table *table);

/** view_number - a count as people read it, in one of a few buffers used in turn. */
const char *view_count(uint64_t n);
const char *view_bytes(uint64_t bytes);

/** view_put_count - the number at @path of @doc, in a cell; none leaves the cell empty. */
void view_put_count(struct fl_table *t, size_t row, size_t col, const struct json_t *doc,
                    const char *path);
/** view_figures - the table of key figures. */
void view_figures(struct view_builder *b);
#define VIEW_MEASURED_ID "against-kernel"

/** view_measured - for each validation two sections, the first VIEW_MEASURED_ID or that "-N". */
void view_measured(struct view_builder *b);
/** view_thrash - the stretches in which the result with index @i thrashes, as a section of its own. */
void view_thrash(struct view_builder *b, size_t i);
/** view_oom - the killed of the result with index @i, and the OOM killer's candidates. */
void view_oom(struct view_builder *b, size_t i);
/** view_list - @table as a section, named after the result with index @i if there are several. */
void view_list(struct view_builder *b, size_t i, const char *id, const char *heading,
               struct fl_table *table);
/** view_list_with - the same, with a paragraph above the table; NULL: without. */
void view_list_with(struct view_builder *b, size_t i, const char *id, const char *heading,
                    const char *words, struct fl_table *table);
/** view_oom_why - why the first was killed, in words and as the kernel's log has it. */
void view_oom_why(struct view_builder *b, size_t i);
/** view_tables - a section for everything a result lists. */
void view_tables(struct view_builder *b);
/** view_chains_table - call chains with most faults; NULL: @result has none. */
struct fl_table *view_chains_table(const struct json_t *result);
/** view_put_name - column 0 of @row: "worker (412)" of a process, the name of all else. */
void view_put_name(struct fl_table *t, size_t row, const struct json_t *entry,
                   const char *name_key);
/** view_slab_table - the kernel's object caches; NULL: @result has none. */
struct fl_table *view_slab_table(const struct json_t *result);
/** view_live_table - memory of running processes at start and end; NULL: @result has none. */
struct fl_table *view_live_table(const struct json_t *result);
/** view_is_sampled - is it a result of samples? */
bool view_is_sampled(const struct json_t *result);
/** view_samples - what the samples of the result with index @i stand for, as sections. */
void view_samples(struct view_builder *b, size_t i);
/** view_samples_verdict, view_samples_lines - the same in sentences. */
char *view_samples_verdict(struct view_builder *b, const struct json_t *result, const char *name);
void view_samples_lines(struct view_builder *b, const struct json_t *result);
/** view_buddy_table - free blocks by order; NULL: @result has none. */
struct fl_table *view_buddy_table(const struct json_t *result);
/** view_windows_table ... - of what does not depend on RAM; NULL: @result does not tell. */
struct fl_table *view_windows_table(const struct json_t *result);
struct fl_table *view_phases_table(const struct json_t *result);
struct fl_table *view_sets_table(const struct json_t *result);
struct fl_table *view_reach_table(const struct json_t *result);
/** view_locality_lines - the same in a sentence each. */
void view_locality_lines(struct view_builder *b, const struct json_t *result);
/** view_provenance - fidelity, quality, command, host. */
void view_provenance(struct view_builder *b);
/** view_findings - verdict and lines. @curve: the curve's table, or NULL. */
void view_findings(struct view_builder *b, const struct fl_table *curve);

#endif
