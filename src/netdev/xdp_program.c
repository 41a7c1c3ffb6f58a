#include "netdev/xdp_program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>

struct xdp_program {
    int map, program, link;
};

/* return redirect_map(&map, context->rx_queue_index, XDP_PASS) */
static int
load(int map)
{
    const struct bpf_insn code[] = {
        { .code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1,
          .off = offsetof(struct xdp_md, rx_queue_index) },
        { .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map },
        { 0 }, /* The upper half of it. */
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS },
        { .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
        { .code = BPF_JMP | BPF_EXIT },
    };

    return bpf_prog_load(BPF_PROG_TYPE_XDP, "afxdp", "Apache-2.0", code, ARRAY_SIZE(code), NULL);
}

static void
close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

struct xdp_program *
xdp_program_attach(int ifindex, unsigned int n_queues, bool native)
{
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
    struct xdp_program *p = xzalloc(sizeof *p);
    int error = 0;

    p->program = p->link = -1;
    p->map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "afxdp", sizeof(uint32_t), sizeof(int), n_queues, NULL);
    if (p->map >= 0) {
        p->program = load(p->map);
    }
    if (p->program >= 0) {
        p->link = bpf_link_create(p->program, ifindex, BPF_XDP, &options);
    }
    if (p->link < 0) {
        error = errno;
        xdp_program_detach(p);
        errno = error;
        return NULL;
    }
    return p;
}

void
xdp_program_detach(struct xdp_program *p)
{
    if (p) {
        close_fd(p->link);
        close_fd(p->program);
        close_fd(p->map);
        free(p);
    }
}

int
xdp_program_set_socket(struct xdp_program *p, unsigned int queue, int fd)
{
    uint32_t key = queue;

    return bpf_map_update_elem(p->map, &key, &fd, BPF_ANY) ? -errno : 0;
}
