/* SPDX-License-Identifier: GPL-2.0-or-later */
/** machine_doc.h - between the readers of machine profiles. */
#ifndef REPLAY_MACHINE_DOC_H
#define REPLAY_MACHINE_DOC_H

#include <jansson.h>

#include <faultline/machine.h>

/**
 * machine_of_doc - the profile that @doc describes; @doc is stolen, whatever comes out.
 * FL_EFORMAT names the key that is wrong. The caller frees *@out with fl_machine_free().
 */
int machine_of_doc(json_t *doc, struct fl_machine **out, struct fl_err *err);

#endif
