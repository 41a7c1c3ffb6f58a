/* Vacancy events: controllers are told when a table gets full, and when it has room again (OpenFlow 1.5 §6.2.1).
 *
 * A table whose limit is known has two levels, in per cent of it that are free.  Below the lower one "down" is sent,
 * and then nothing before the upper one is passed, which sends "up". */
#ifndef OFPROTO_VACANCY_H
#define OFPROTO_VACANCY_H 1

#include "ofproto/ofproto_private.h"
#include "openflow/msg/table.h"

/* Describes the table as table-desc and the events do. */
void vacancy_describe(const struct ofproto *, uint8_t table_id, struct table_desc *);

/* Sets the levels by a table-mod. */
void vacancy_configure(struct ofproto *, uint8_t table_id, bool on, uint8_t down, uint8_t up);

/* The number of flows has changed.  The caller holds tables_mutex. */
void vacancy_note(struct ofproto *, uint8_t table_id);

/* Sends what was noted.  Main thread. */
void vacancy_flush(struct ofproto *);

#endif
