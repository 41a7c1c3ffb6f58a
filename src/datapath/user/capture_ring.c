#include "datapath/user/capture_ring.h"

#include <string.h>

static uint64_t
room_behind(const struct capture_ring *r, uint64_t end)
{
    return CAPTURE_RING_SIZE - (end - r->known_begin);
}

static bool
has_room(struct capture_ring *r, uint64_t end, uint64_t n)
{
    if (room_behind(r, end) < n) {
        r->known_begin = atomic_load_explicit(&r->begin, memory_order_acquire);
    }
    return room_behind(r, end) >= n;
}

void
capture_ring_put(struct capture_ring *r, const struct capture_record *head, const void *frame)
{
    uint64_t end = atomic_load_explicit(&r->end, memory_order_relaxed);
    uint32_t at = end % CAPTURE_RING_SIZE, size = ROUND_UP(sizeof *head + head->captured, CAPTURE_ALIGNMENT);
    uint32_t gap = CAPTURE_RING_SIZE - at < size ? CAPTURE_RING_SIZE - at : 0;
    struct capture_record *to = (struct capture_record *) &r->data[gap ? 0 : at];

    if (UNLIKELY(!has_room(r, end, (uint64_t) gap + size))) {
        r->n_left_out++;
        tally_add(&r->n_dropped, 1);
        return;
    }
    if (gap) {
        struct capture_record *unused = (struct capture_record *) &r->data[at];

        unused->size = gap;
        unused->is_gap = true;
    }
    *to = *head;
    to->size = size;
    to->is_gap = false;
    to->n_dropped = r->n_left_out;
    r->n_left_out = 0;
    memcpy(to->frame, frame, head->captured);
    tally_add(&r->n_put, 1);
    atomic_store_explicit(&r->end, end + gap + size, memory_order_release);
}

static const struct capture_record *
at_begin(const struct capture_ring *r, uint64_t begin)
{
    return (const struct capture_record *) &r->data[begin % CAPTURE_RING_SIZE];
}

const struct capture_record *
capture_ring_first(struct capture_ring *r, uint64_t until)
{
    uint64_t begin = atomic_load_explicit(&r->begin, memory_order_relaxed);

    if (begin != until && at_begin(r, begin)->is_gap) {
        capture_ring_take(r, at_begin(r, begin));
        begin = atomic_load_explicit(&r->begin, memory_order_relaxed);
    }
    return begin == until ? NULL : at_begin(r, begin);
}

void
capture_ring_take(struct capture_ring *r, const struct capture_record *record)
{
    uint64_t begin = atomic_load_explicit(&r->begin, memory_order_relaxed);

    atomic_store_explicit(&r->begin, begin + record->size, memory_order_release);
}
