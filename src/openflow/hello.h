/* Hello: which versions of OpenFlow the two sides of a connection speak.
 *
 * A set of versions is a bitmap: bit N stands for wire version N.  A hello states the sender's set in its version
 * bitmap
 * element; without one it speaks every version up to that of its header.
 * Standards: OpenFlow 1.3.1 §6.3.1, §7.5.1. */
#ifndef OPENFLOW_HELLO_H
#define OPENFLOW_HELLO_H 1

#include "openflow/msg.h"

/* All versions that Weft speaks; those that are allowed where nobody said otherwise by each side. */
#define OF_VERSIONS_ALL 0x7eu

/* Highest version in a set, 0 if it is empty. */
int of_versions_highest(uint32_t versions);

/* Reads a list as -O and Bridge.protocols have it ("OpenFlow10,OpenFlow13"); 0 and '*bad', to be released, if a word
 * is no version. */
uint32_t of_versions_parse(const char *text, char **bad);
/* Appends the names of all versions, a blank behind each (sys/cmdline.h). */
void of_versions_put_choice(struct str *);

/* Appends "0x01, 0x04". */
void of_versions_put(struct str *s, uint32_t versions);
/* Appends "version 0x01", "version 0x04 and earlier" where it is all up to one, "versions 0x01, 0x04". */
void of_versions_put_words(struct str *s, uint32_t versions);
/* Appends "OpenFlow10, OpenFlow13". */
void of_versions_put_names(struct str *s, uint32_t versions);

/* The versions that 'hello' states.  '*clean' becomes false if it holds elements that are unknown or broken (which are
 * ignored). */
uint32_t hello_decode(const struct msg *hello, bool *clean);

/* Appends a hello for 'versions', which must not be empty.  The bitmap element is left out where the header alone says
 * the same, as it is understood by everyone. */
void hello_encode(struct bytes *b, uint32_t versions, uint32_t xid);

/* The version that both speak: the highest of the common ones, 0 if there is none.  'theirs' as decoded;
 * 'their_version'
 * is that of the header. */
int hello_negotiate(uint32_t ours, uint32_t theirs);

#endif
