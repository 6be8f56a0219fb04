/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spe_source.h - what an SPE record says of where its data came from, in the encoding
 * that all samples of a trace use (faultline/datasrc.h).
 */
#ifndef FL_PERF_SPE_SOURCE_H
#define FL_PERF_SPE_SOURCE_H

#include <stdint.h>

#include "spe.h"

/** What the numbers of Data Source packets mean: that is the processor maker's choice. */
enum fl_spe_sources {
    FL_SPE_SOURCES_UNKNOWN = 0, /* the Events packet alone is believed */
    FL_SPE_SOURCES_ARM = 1,     /* Neoverse and the Cortex cores with SPE */
    FL_SPE_SOURCES_AMPEREONE = 2,
};

/** fl_spe_sources_of - by the MIDR_EL1 of the CPU that wrote the record. */
enum fl_spe_sources fl_spe_sources_of(uint64_t midr);

/**
 * fl_spe_data_src - @rec as PERF_SAMPLE_DATA_SRC.
 * Returns: 0 for a record that is of no memory access.
 * Stores of Arm's cores tell no level: it stays unknown.
 */
uint64_t fl_spe_data_src(const struct fl_spe_record *rec, enum fl_spe_sources sources);

#endif
