/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "spe_source.h"

#include <faultline/datasrc.h>
#include <faultline/units.h>

#define MIDR_IMPLEMENTER(midr) ((unsigned)((midr) >> 24 & 0xff))
#define MIDR_PART(midr) ((unsigned)((midr) >> 4 & 0xfff))

enum fl_spe_sources fl_spe_sources_of(uint64_t midr)
{
    static const struct {
        uint8_t implementer;
        uint16_t part;
        enum fl_spe_sources sources;
    } rows[] = {
        { 0x41, 0xd0c, FL_SPE_SOURCES_ARM },       /* Neoverse N1 */
        { 0x41, 0xd49, FL_SPE_SOURCES_ARM },       /* Neoverse N2 */
        { 0x41, 0xd40, FL_SPE_SOURCES_ARM },       /* Neoverse V1 */
        { 0x41, 0xd4f, FL_SPE_SOURCES_ARM },       /* Neoverse V2 */
        { 0x41, 0xd81, FL_SPE_SOURCES_ARM },       /* Cortex-A720 */
        { 0x41, 0xd87, FL_SPE_SOURCES_ARM },       /* Cortex-A725 */
        { 0x41, 0xd4c, FL_SPE_SOURCES_ARM },       /* Cortex-X1C */
        { 0x41, 0xd4e, FL_SPE_SOURCES_ARM },       /* Cortex-X3 */
        { 0x41, 0xd85, FL_SPE_SOURCES_ARM },       /* Cortex-X925 */
        { 0xc0, 0xac4, FL_SPE_SOURCES_AMPEREONE }, /* AmpereOne A */
    };
    for (size_t i = 0; i < FL_COUNT(rows); i++)
        if (rows[i].implementer == MIDR_IMPLEMENTER(midr) && rows[i].part == MIDR_PART(midr))
            return rows[i].sources;
    return FL_SPE_SOURCES_UNKNOWN;
}

struct meaning {
    uint16_t source;
    enum fl_mem_level level;
    enum fl_snoop snoop;
    bool remote;
};

/* Technical Reference Manuals of these cores, "Data Source packet"; system cache taken as L3. */
static const struct meaning arm_rows[] = {
    { 0x0, FL_LEVEL_L1, FL_SNOOP_NONE, false },       { 0x8, FL_LEVEL_L2, FL_SNOOP_NONE, false },
    { 0x9, FL_LEVEL_L2, FL_SNOOP_PEER, false }, /* another core of the cluster */
    { 0xa, FL_LEVEL_L3, FL_SNOOP_PEER, false }, /* this cluster's cache */
    { 0xb, FL_LEVEL_L3, FL_SNOOP_HIT, false },  /* the system's cache */
    { 0xc, FL_LEVEL_L3, FL_SNOOP_PEER, false }, /* another cluster */
    { 0xd, FL_LEVEL_ANY_CACHE, FL_SNOOP_PEER, true }, { 0xe, FL_LEVEL_RAM, FL_SNOOP_NONE, false },
};

static const struct meaning ampereone_rows[] = {
    { 0x0, FL_LEVEL_L2, FL_SNOOP_PEER, false }, /* another core's cache of the chip, or a device */
    { 0x3, FL_LEVEL_L3, FL_SNOOP_HIT, false },   { 0x5, FL_LEVEL_ANY_CACHE, FL_SNOOP_PEER, true },
    { 0x7, FL_LEVEL_RAM, FL_SNOOP_NONE, false }, { 0x8, FL_LEVEL_L1, FL_SNOOP_NONE, false },
    { 0x9, FL_LEVEL_L2, FL_SNOOP_NONE, false },
};

static bool by_source(const struct meaning *rows, size_t n, uint16_t source, struct fl_datasrc *out)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].source == source) {
            out->level = rows[i].level;
            out->cache = FL_OUTCOME_HIT;
            out->snoop = rows[i].snoop;
            out->remote = rows[i].remote;
            return true;
        }
    return false;
}

/* The farthest level that the events tell of, and whether it had the data. */
static void by_events(uint64_t events, struct fl_datasrc *out)
{
    static const struct {
        uint64_t any;
        uint64_t miss;
        enum fl_mem_level level;
    } rows[] = {
        { FL_SPE_EV_LLC_ACCESS | FL_SPE_EV_LLC_MISS, FL_SPE_EV_LLC_MISS, FL_LEVEL_L3 },
        { FL_SPE_EV_L2D_ACCESS | FL_SPE_EV_L2D_MISS, FL_SPE_EV_L2D_MISS, FL_LEVEL_L2 },
        { FL_SPE_EV_L1D_ACCESS | FL_SPE_EV_L1D_REFILL, FL_SPE_EV_L1D_REFILL, FL_LEVEL_L1 },
    };
    for (size_t i = 0; i < FL_COUNT(rows) && out->level == FL_LEVEL_UNKNOWN; i++)
        if (events & rows[i].any) {
            out->level = rows[i].level;
            out->cache = events & rows[i].miss ? FL_OUTCOME_MISS : FL_OUTCOME_HIT;
        }
    if (events & FL_SPE_EV_REMOTE)
        out->remote = true;
    if (events & FL_SPE_EV_MODIFIED)
        out->snoop = FL_SNOOP_HITM;
}

static void by_tlb_events(uint64_t events, struct fl_datasrc *out)
{
    if (events & FL_SPE_EV_TLB_WALK) {
        out->tlb = FL_OUTCOME_MISS;
        out->tlb_walker = true;
    } else if (events & FL_SPE_EV_TLB_ACCESS) {
        out->tlb = FL_OUTCOME_HIT;
    }
}

uint64_t fl_spe_data_src(const struct fl_spe_record *rec, enum fl_spe_sources sources)
{
    struct fl_datasrc d = { 0 };
    bool known = false;
    if (!(rec->have & FL_SPE_HAS_OP) || rec->op != FL_SPE_OP_MEMORY)
        return 0;
    d.load = !rec->write;
    d.store = rec->write;
    d.lock_known = true;
    d.locked = rec->atomic || rec->exclusive;
    if (!rec->write && (rec->have & FL_SPE_HAS_SOURCE)) {
        if (sources == FL_SPE_SOURCES_ARM)
            known = by_source(arm_rows, FL_COUNT(arm_rows), rec->source, &d);
        else if (sources == FL_SPE_SOURCES_AMPEREONE)
            known = by_source(ampereone_rows, FL_COUNT(ampereone_rows), rec->source, &d);
    }
    if (rec->have & FL_SPE_HAS_EVENTS) {
        if (!known)
            by_events(rec->events, &d);
        by_tlb_events(rec->events, &d);
    }
    return fl_datasrc_encode(&d);
}
