/* Questions to the switch: a packet without megaflow, and "userspace" actions. */
#include <string.h>

#include <rte_cycles.h>

#include "datapath/user/burst.h"
#include "datapath/user/dp.h"
#include "sys/log.h"

LOG_MODULE(dpif_netdev)

/* The question itself; false if there is nobody to ask, or no answer. */
static bool
ask(struct worker *w, struct dp_upcall *u, struct packet *p, struct flow *key, uint16_t *lines)
{
    const struct dp_client *client = rcu_get(&w->dp->client);
    uint64_t begun;
    bool ok;

    if (!client) {
        return false;
    }
    key_need_lines(key, lines, FLOW_LINES_ALL);
    bytes_clear(&w->upcall_actions);
    bytes_clear(&w->upcall_put_actions);
    u->key = key;
    u->frame = packet_at(p);
    u->frame_len = u->packet_len = packet_size(p);
    u->worker = w->id;
    u->actions = &w->upcall_actions;
    u->put_actions = &w->upcall_put_actions;
    begun = rte_rdtsc();
    ok = client->upcall(client->aux, u);
    tally_add(&w->counters.upcall_cycles, rte_rdtsc() - begun);
    return ok;
}

/* The switch looks at frames as they would be on a wire. */
static struct packet *
make_whole(struct packet *p)
{
    if (packet_csum_is_partial(p) && !p->offload.gso_type) {
        p = packet_unshare(p);
        if (p) {
            packet_finish_csum(p);
        }
    }
    return p;
}

bool
upcall_may_use_rcu(struct worker *w, struct dp_flow *f)
{
    uint64_t epoch = megaflow_epoch(&w->dp->flows), state = atomic_load_explicit(&f->state, memory_order_acquire);
    const struct dp_client *client;
    void *owner;

    if (state >= epoch) {
        return true;
    }
    if (state <= MEGAFLOW_STALE) {
        return false;
    }
    client = rcu_get(&w->dp->client);
    owner = atomic_load(&f->owner);
    if (!owner || !client || !client->is_right) {
        megaflow_set_live(f, owner);
        return true; /* Put in by hand: no change makes it wrong. */
    }
    return client->is_right(client->aux, owner) && atomic_load(&f->state) >= epoch;
}

static struct program *
compile_answer(struct worker *w, const struct bytes *actions)
{
    static struct log_limit limit = LOG_LIMIT_INIT(60, 5);
    struct error *e;
    struct program *program = program_compile(actions->data, actions->len, &e);

    if (!program) {
        log_warn_rl(&limit, "%s: the switch wants what this datapath cannot do: %s", w->dp->up.name, error_text(e));
        error_free(e);
    }
    return program;
}

static void
free_owner(struct worker *w, void *owner)
{
    static const struct dp_flow_stats none;
    const struct dp_client *client = rcu_get(&w->dp->client);

    if (owner && client && client->owner_free) {
        client->owner_free(client->aux, owner, &none);
    }
}

/* A packet that gives a megaflow its new actions is one more of that megaflow's: what it counts must not depend on
 * whether the revalidator was faster.  The switch has credited the packet in its answer already. */
static void
count_taking_over(struct worker *w, const struct dp_upcall *u, struct dp_flow *f, struct dp_flow_stats *before)
{
    megaflow_count(f, w->id, 1, u->packet_len, be16_to_cpu(u->key->tcp_flags), w->now);
    before->n_packets++;
    before->n_bytes += u->packet_len;
}

/* Installs the answer; true if the program has become the megaflow's, which is '*new' if it has come by that.  It comes
 * into the cache with its second packet: many have no more than one. */
static bool
install(struct worker *w, const struct dp_upcall *u, struct program *program, uint64_t since, struct dp_flow **new)
{
    const struct dp_client *client = rcu_get(&w->dp->client);
    struct dp_flow_stats before;
    struct dp_flow *f;
    int error;

    u->mask->in_port = u->mask->recirc_id = BE32_MAX;
    error = megaflow_put_missed(&w->dp->flows, u->key, u->mask, program, u->owner, since, &f, &before);
    if (error < 0) {
        free_owner(w, u->owner);
    } else {
        if (error == MEGAFLOW_TAKEN_OVER) {
            count_taking_over(w, u, f, &before);
        } else {
            *new = f;
        }
        if (u->owner && client && client->installed) {
            client->installed(client->aux, u->owner, f, &before);
        }
    }
    return error >= 0;
}

/* Installs what is to be done with later packets. */
static void
install_other(struct worker *w, const struct dp_upcall *u, uint64_t since, struct dp_flow **new)
{
    struct program *program = compile_answer(w, u->put_actions);

    if (!program) {
        free_owner(w, u->owner);
    } else if (!install(w, u, program, since, new)) {
        program_destroy(program);
    }
}

struct dp_flow *
upcall_miss_rcu(struct worker *w, struct burst *b, unsigned int i, uint64_t since, unsigned int depth)
{
    struct packet *p = make_whole(b->packets[i]);
    struct dp_upcall u = { .type = DP_UPCALL_MISS };
    struct dp_flow *new = NULL;
    struct program *program;
    bool installed = false;

    if (!p) {
        worker_lost(w, DP_DROP_NO_MEMORY, &b->keys[i]);
        return NULL;
    }
    if (!ask(w, &u, p, &b->keys[i], &b->lines[i])) {
        tally_add(&w->counters.n_lost, 1);
        worker_drop(w, p, DP_DROP_UPCALL_ERROR, &b->keys[i]);
        return NULL;
    }
    program = compile_answer(w, &w->upcall_actions);
    if (!program) {
        free_owner(w, u.owner);
        worker_drop(w, p, DP_DROP_UNSUPPORTED, &b->keys[i]);
        return NULL;
    }
    if (u.install && u.put_actions->len) {
        install_other(w, &u, since, &new);
    } else if (u.install) {
        installed = install(w, &u, program, since, &new);
    } else {
        free_owner(w, u.owner);
    }
    exec_program_rcu(w, program, p, &b->keys[i], &b->lines[i], &b->offsets[i], depth);
    if (!installed) {
        program_destroy(program);
    }
    return new;
}

void
upcall_action_rcu(struct worker *w, struct exec *x, const struct program *program, const struct op *op)
{
    struct dp_upcall u = { .type = DP_UPCALL_ACTION, .userdata_len = op->userspace.len };
    struct odp_cookie cookie = { 0 };
    struct program *answer;
    struct packet *p = x->packet;
    bool ok;

    if (op->userspace.len) {
        memcpy(&cookie, program->actions + op->userspace.at, MIN(op->userspace.len, sizeof cookie));
        u.userdata = &cookie;
        if (cookie.type == ODP_COOKIE_SLOW_PATH) {
            u.type = DP_UPCALL_SLOW_PATH;
        }
    }
    packet_ref(p);
    p = make_whole(p);
    if (!p) {
        worker_lost(w, DP_DROP_NO_MEMORY, x->key);
        return;
    }
    ok = ask(w, &u, p, x->key, x->lines);
    free_owner(w, u.owner);
    if (!ok) {
        tally_add(&w->counters.n_lost, 1);
        worker_drop(w, p, DP_DROP_USERSPACE, x->key);
        return;
    }
    answer = w->upcall_actions.len ? compile_answer(w, &w->upcall_actions) : NULL;
    if (answer) {
        exec_program_rcu(w, answer, p, x->key, x->lines, &x->offsets, x->depth);
        program_destroy(answer);
    } else {
        packet_free(p);
    }
}
