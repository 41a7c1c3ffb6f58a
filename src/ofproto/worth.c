#include "ofproto/worth.h"

bool
worth_renewing(const struct worth *w, const struct worth_settings *s)
{
    int64_t ms = MAX(w->now - MAX(w->before, w->created), 1);

    return w->took_ms <= (int64_t) s->max_revalidator_ms / 2
           || w->n_packets * 1000 >= (uint64_t) ms * s->min_revalidate_pps
           || (w->is_offloaded && w->now - w->created < (int64_t) s->offloaded_stats_delay_ms);
}
