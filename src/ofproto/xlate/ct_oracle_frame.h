/* The interpreter's packets (ct_oracle.h) as bytes, from the IP header on, with all checksums: plain code for tests. */
#ifndef OFPROTO_XLATE_CT_ORACLE_FRAME_H
#define OFPROTO_XLATE_CT_ORACLE_FRAME_H 1

#include "ofproto/xlate/ct_oracle.h"

/* Writes the packet into zeros; returns where it ends. */
uint8_t *cto_put_packet(uint8_t *l3, const struct cto_packet *);
/* And back. */
struct cto_packet cto_read_packet(uint8_t *l3);
/* Where its transport header begins. */
uint8_t *cto_l4(uint8_t *l3);

/* Makes the checksums right, but not those of a packet inside of it; whether they are, there too. */
void cto_write_csums(uint8_t *l3);
bool cto_csums_are_right(uint8_t *l3);

#endif
