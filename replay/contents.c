/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "contents.h"
#include "grow.h"

void contents_fini(struct contents *cs)
{
    free(cs->kind);
    free(cs->mappers);
    free(cs->first_page);
    free(cs->free_ids);
    for (uint32_t i = 0; i < cs->n_objects; i++)
        free(cs->objects[i].pages);
    free(cs->objects);
    *cs = (struct contents){ 0 };
}

uint32_t contents_new(struct contents *cs, enum contents_kind kind)
{
    uint32_t c;
    if (cs->n_free) {
        c = cs->free_ids[--cs->n_free];
    } else {
        if (cs->n == cs->room) {
            uint32_t room = grow_room(cs->room);
            if (!room || !grow(&cs->kind, room) || !grow(&cs->mappers, room) ||
                !grow(&cs->first_page, room))
                return NO_CONTENTS;
            cs->room = room;
        }
        c = cs->n++;
    }
    cs->kind[c] = (uint8_t)kind;
    cs->mappers[c] = 0;
    cs->first_page[c] = NO_PAGE;
    if (++cs->live > cs->live_peak)
        cs->live_peak = cs->live;
    return c;
}

void contents_free(struct contents *cs, uint32_t c)
{
    cs->live--;
    if (cs->n_free == cs->free_room) {
        uint32_t room = grow_room(cs->free_room);
        if (!room || !grow(&cs->free_ids, room))
            return; /* the id is lost, not wrong */
        cs->free_room = room;
    }
    cs->free_ids[cs->n_free++] = c;
}

void contents_mapper_added(struct contents *cs, uint32_t c)
{
    uint32_t n = ++cs->mappers[c];
    if (n < 2)
        return;
    cs->shared += n == 2;
    if (++cs->saved > cs->saved_at_best) {
        cs->saved_at_best = cs->saved;
        cs->shared_at_best = cs->shared;
    }
}

void contents_mapper_left(struct contents *cs, uint32_t c)
{
    uint32_t n = --cs->mappers[c];
    if (n < 1)
        return;
    cs->saved--;
    cs->shared -= n == 1;
}

uint32_t contents_object_new(struct contents *cs, enum contents_kind kind, bool keeps_pages,
                             uint64_t dev, uint64_t ino)
{
    if (cs->n_objects == cs->objects_room) {
        uint32_t room = grow_room(cs->objects_room);
        if (!room || !grow(&cs->objects, room))
            return NO_OBJECT;
        cs->objects_room = room;
    }
    cs->objects[cs->n_objects] =
        (struct object){ .kind = kind, .keeps_pages = keeps_pages, .dev = dev, .ino = ino };
    return cs->n_objects++;
}

static uint32_t hash_offset(uint64_t offset, uint32_t cap)
{
    return (uint32_t)((offset * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (cap - 1);
}

/* The slot of @offset, or the empty slot where it would go. pre: cap > 0 */
static struct object_page *object_slot(const struct object *obj, uint64_t offset)
{
    uint32_t i = hash_offset(offset, obj->cap);
    while (obj->pages[i].contents != NO_CONTENTS && obj->pages[i].offset != offset)
        i = (i + 1) & (obj->cap - 1);
    return &obj->pages[i];
}

uint32_t contents_object_page(const struct contents *cs, uint32_t object, uint64_t offset)
{
    const struct object *obj = &cs->objects[object];
    return obj->cap ? object_slot(obj, offset)->contents : NO_CONTENTS;
}

static bool object_rehash(struct object *obj)
{
    struct object bigger = *obj;
    bigger.cap = obj->cap ? obj->cap * 2 : 64;
    bigger.pages = malloc(bigger.cap * sizeof *bigger.pages);
    if (!bigger.pages || bigger.cap < obj->cap) {
        free(bigger.pages);
        return false;
    }
    for (uint32_t i = 0; i < bigger.cap; i++)
        bigger.pages[i].contents = NO_CONTENTS;
    for (uint32_t i = 0; i < obj->cap; i++)
        if (obj->pages[i].contents != NO_CONTENTS)
            *object_slot(&bigger, obj->pages[i].offset) = obj->pages[i];
    free(obj->pages);
    *obj = bigger;
    return true;
}

uint32_t contents_object_add(struct contents *cs, uint32_t object, uint64_t offset)
{
    struct object *obj = &cs->objects[object];
    if (obj->n_pages + 1 > obj->cap / 4 * 3 && !object_rehash(obj))
        return NO_CONTENTS;
    uint32_t c = contents_new(cs, obj->kind);
    if (c == NO_CONTENTS)
        return NO_CONTENTS;
    *object_slot(obj, offset) = (struct object_page){ .offset = offset, .contents = c };
    obj->n_pages++;
    return c;
}
