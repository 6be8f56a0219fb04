/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mapping.h - which mapping an address belongs to, for every address space of a trace. */
#ifndef FAULTLINE_MAPPING_H
#define FAULTLINE_MAPPING_H

#include <stddef.h>
#include <stdint.h>

#include <faultline/err.h>
#include <faultline/event.h>

#define MAPPING_UNKNOWN 0u /* label index of addresses no mapping covers */

struct mappings;

struct mappings *mappings_new(void); /* NULL: out of memory */
void mappings_free(struct mappings *m);
/** mappings_event - follow a process, exec, exit, file, map, unmap or remap event. */
int mappings_event(struct mappings *m, const struct fl_event *ev, struct fl_err *err);
/** mappings_find - index of the label of the mapping at @address in space @mm. */
uint32_t mappings_find(const struct mappings *m, uint32_t mm, uint64_t address);
/** mappings_labels, mappings_label - labels handed out; "[heap]", a path, ... */
uint32_t mappings_labels(const struct mappings *m);
const char *mappings_label(const struct mappings *m, uint32_t label);

#endif
