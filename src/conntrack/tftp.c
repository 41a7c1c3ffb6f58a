/* TFTP (RFC 1350): a request goes to port 69; the server answers from a port of its own choice. */
#include "conntrack/private.h"

enum { READ_REQUEST = 1, WRITE_REQUEST = 2 };

void
ct_tftp_run(struct conntrack *ct, struct ct_conn *c, int dir, const struct ct_parsed *p, int64_t now)
{
    be16 seen = c->tuple[CT_REPLY].dst_port;
    unsigned int opcode;

    if (dir != CT_ORIG || p->l4_len < UDP_HEADER_LEN + 2) {
        return;
    }
    opcode = get_be16(p->l4 + UDP_HEADER_LEN);
    if (opcode == READ_REQUEST || opcode == WRITE_REQUEST) {
        (void) !ct_expect(ct, c, dir, c->tuple[CT_ORIG].src_port, &seen, now); /* Too many: the answer is new. */
    }
}
