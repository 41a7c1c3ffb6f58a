#include "datapath/user/poll_settings.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "sys/log.h"

LOG_MODULE(dpif_netdev)

static const char *const assign_names[] = {
    [ASSIGN_CYCLES] = "cycles", [ASSIGN_ROUNDROBIN] = "roundrobin", [ASSIGN_GROUP] = "group",
};

void
poll_settings_init(struct poll_settings *s)
{
    *s = (struct poll_settings) { .isolates = true, .auto_lb_minutes = 1, .auto_lb_load = 95,
                                  .auto_lb_improvement = 25 };
}

void
poll_settings_uninit(struct poll_settings *s)
{
    free(s->cpu_mask);
    free(s->sleeps);
}

/* The settings as they stand in the database. */
struct texts {
    const char *cpu_mask, *how, *isolates, *auto_lb, *minutes, *load, *improvement, *sleep, *old_sleep, *tx_flush,
        *perf;
};

static const char *
find(const char *key, const char *const *keys, const char *const *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(keys[i], key)) {
            return values[i];
        }
    }
    return NULL;
}

/* The mask. */

bool
poll_mask_has(const char *mask, unsigned int core)
{
    const char *digits = !strncmp(mask, "0x", 2) || !strncmp(mask, "0X", 2) ? mask + 2 : mask;
    size_t n = strlen(digits), at = core / 4;
    char text[2] = { at < n ? digits[n - 1 - at] : '0', '\0' };

    return strtoul(text, NULL, 16) >> core % 4 & 1;
}

static void
complain_about_mask(const char *mask)
{
    const char *digits = !strncmp(mask, "0x", 2) || !strncmp(mask, "0X", 2) ? mask + 2 : mask;

    for (size_t i = strlen(digits); i; i--) {
        if (!isxdigit((unsigned char) digits[i - 1])) {
            log_warn("Invalid cpu mask: %c", digits[i - 1]);
        }
    }
}

static bool
read_mask(struct poll_settings *s, const char *text)
{
    if (text && !text[0]) {
        text = NULL;
    }
    if (!text || !s->cpu_mask ? text == s->cpu_mask : !strcmp(text, s->cpu_mask)) {
        return false;
    }
    free(s->cpu_mask);
    s->cpu_mask = xstrdup(text);
    if (text) {
        complain_about_mask(text);
    }
    return true;
}

/* How queues are dealt out. */

static enum assign_how
parse_how(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(assign_names); i++) {
        if (text && !strcmp(text, assign_names[i])) {
            return i;
        }
    }
    if (text) {
        log_warn("Unsupported rx queue to PMD assignment mode in pmd-rxq-assign. Defaulting to 'cycles'.");
    }
    return ASSIGN_CYCLES;
}

static bool
read_how(struct poll_settings *s, const char *text)
{
    enum assign_how how = parse_how(text);
    bool changed = how != s->how;

    if (changed) {
        log_info("Rxq to PMD assignment mode changed to: '%s'.", assign_names[how]);
    }
    s->how = how;
    return changed;
}

static bool
read_isolates(struct poll_settings *s, const char *text)
{
    bool isolates = !text || strcmp(text, "false"), changed;

    if (!isolates && s->how != ASSIGN_GROUP) {
        log_warn("pmd-rxq-isolate can only be set false when using pmd-rxq-assign=group");
        isolates = true;
    }
    changed = isolates != s->isolates;
    if (changed) {
        log_info("pmd-rxq-affinity %s PMD core", isolates ? "isolates" : "does not isolate");
    }
    s->isolates = isolates;
    return changed;
}

/* Balancing by itself. */

/* The number; 'def' where there is none, or one that is too large. */
static unsigned int
number(const char *text, unsigned int max, unsigned int def)
{
    uint32_t n;

    return text && num_parse_u32(text, 10, &n) && n <= max ? n : def;
}

static void
read_auto_lb(struct poll_settings *s, const struct texts *t)
{
    unsigned int minutes = number(t->minutes, 20000, 1), load = number(t->load, 100, 95);
    unsigned int improvement = number(t->improvement, 100, 25);
    bool on = t->auto_lb && !strcmp(t->auto_lb, "true");

    minutes = minutes ? minutes : 1;
    if (minutes != s->auto_lb_minutes) {
        log_info("PMD auto load balance interval set to %u mins", minutes);
    }
    if (improvement != s->auto_lb_improvement) {
        log_info("PMD auto load balance improvement threshold set to %u%%", improvement);
    }
    if (load != s->auto_lb_load) {
        log_info("PMD auto load balance load threshold set to %u%%", load);
    }
    if (on && (!s->auto_lb || minutes != s->auto_lb_minutes || improvement != s->auto_lb_improvement ||
               load != s->auto_lb_load)) {
        log_info("PMD auto load balance is enabled, interval %u mins, pmd load threshold %u%%, "
                 "improvement threshold %u%%.", minutes, load, improvement);
    } else if (!on && s->auto_lb) {
        log_info("PMD auto load balance is disabled.");
    }
    s->auto_lb = on;
    s->auto_lb_minutes = minutes;
    s->auto_lb_load = load;
    s->auto_lb_improvement = improvement;
}

/* Sleeps. */

/* "USECS" or "CORE:USECS"; what is neither is passed over. */
static void
read_sleep(struct poll_settings *s, char *element, size_t *capacity)
{
    char *colon = strchr(element, ':');
    uint32_t core, us;

    if (!num_parse_u32(colon ? colon + 1 : element, 10, &us)) {
        return;
    }
    us = MIN(us, (uint32_t) POLL_SLEEP_MAX_US);
    if (!colon) {
        s->sleep_us = us;
        return;
    }
    *colon = '\0';
    if (num_parse_u32(element, 10, &core)) {
        if (s->n_sleeps >= *capacity) {
            s->sleeps = x2nrealloc(s->sleeps, capacity, sizeof *s->sleeps);
        }
        s->sleeps[s->n_sleeps++] = (struct poll_sleep) { core, us };
    }
}

static void
read_sleeps(struct poll_settings *s, const char *text, const char *old_text)
{
    char *copy = xstrdup(text ? text : old_text ? old_text : "0"), *rest = copy, *element;
    unsigned int before = s->sleep_us;
    size_t capacity = 0;

    free(s->sleeps);
    s->sleeps = NULL;
    s->n_sleeps = 0;
    s->sleep_us = 0;
    while ((element = strsep(&rest, ",")) != NULL) {
        read_sleep(s, element, &capacity);
    }
    free(copy);
    if (s->sleep_us != before) {
        if (!text && old_text) {
            log_warn("pmd-maxsleep is deprecated; use pmd-sleep-max instead");
        }
        log_info("PMD max sleep request is %u usecs.", s->sleep_us);
        log_info("PMD load based sleeps are %s.", s->sleep_us ? "enabled" : "disabled");
    }
}

unsigned int
poll_settings_sleep(const struct poll_settings *s, unsigned int core)
{
    for (size_t i = s->n_sleeps; i; i--) {
        if (s->sleeps[i - 1].core == core) {
            return s->sleeps[i - 1].us;
        }
    }
    return s->sleep_us;
}

static void
read_tx_flush(struct poll_settings *s, const char *text)
{
    unsigned int us = number(text, 1000000, 0);

    if (us != s->tx_flush_us) {
        log_info("Flushing interval for tx queues set to %u us", us);
    }
    s->tx_flush_us = us;
}

static void
read_perf(struct poll_settings *s, const char *text)
{
    bool on = text && !strcmp(text, "true");

    if (on != s->measures) {
        log_info("PMD performance metrics collection %s", on ? "enabled" : "disabled");
    }
    s->measures = on;
}

bool
poll_settings_read(struct poll_settings *s, const char *const *keys, const char *const *values, size_t n)
{
    const struct texts t = {
        .cpu_mask = find("pmd-cpu-mask", keys, values, n),
        .how = find("pmd-rxq-assign", keys, values, n),
        .isolates = find("pmd-rxq-isolate", keys, values, n),
        .auto_lb = find("pmd-auto-lb", keys, values, n),
        .minutes = find("pmd-auto-lb-rebal-interval", keys, values, n),
        .load = find("pmd-auto-lb-load-threshold", keys, values, n),
        .improvement = find("pmd-auto-lb-improvement-threshold", keys, values, n),
        .sleep = find("pmd-sleep-max", keys, values, n),
        .old_sleep = find("pmd-maxsleep", keys, values, n),
        .perf = find("pmd-perf-metrics", keys, values, n),
        .tx_flush = find("tx-flush-interval", keys, values, n),
    };
    bool changed = read_mask(s, t.cpu_mask);

    changed |= read_how(s, t.how);
    changed |= read_isolates(s, t.isolates);
    read_auto_lb(s, &t);
    read_sleeps(s, t.sleep, t.old_sleep);
    read_tx_flush(s, t.tx_flush);
    read_perf(s, t.perf);
    return changed;
}
