/* What the files that read and write actions as text share.  Private to this directory. */
#ifndef ODP_ACTION_TEXT_H
#define ODP_ACTION_TEXT_H 1

#include "odp/member.h"

/* Appends actions, "drop" for none. */
void actions_put(struct str *s, const void *actions, size_t len, const struct odp_names *names, unsigned int depth);
/* Reads actions up to the end or a ')', which is left. */
bool actions_scan(const char **p, const struct odp_names *names, struct bytes *out, unsigned int depth);

/* A port as name or number. */
void port_put(struct str *s, uint32_t port, const struct odp_names *names);
bool port_scan(const char **p, const struct odp_names *names, uint32_t *port);

/* userspace(..), in text_userspace.c; ct(..), in text_ct.c.  The readers start behind the name. */
void userspace_put(struct str *s, const struct odp_attr *a, const struct odp_names *names);
bool userspace_scan(const char **p, const struct odp_names *names, struct bytes *out);
void ct_put(struct str *s, const struct odp_attr *a);
bool ct_scan(const char **p, struct bytes *out);

/* push_nsh(..), in text_nsh.c, likewise. */
void push_nsh_put(struct str *s, const struct odp_attr *a);
bool push_nsh_scan(const char **p, struct bytes *out);

/* The value of an attribute of exactly that size, else 0. */
uint16_t attr_u16(const struct odp_attr *a);
uint32_t attr_u32(const struct odp_attr *a);

#endif
