/* What the files of the log share. */
#ifndef SYS_LOG_PRIVATE_H
#define SYS_LOG_PRIVATE_H 1

#include <pthread.h>

#include "sys/log.h"

extern pthread_mutex_t log_mutex;  /* Guards the patterns, the file, the syslog and the sequence number. */
/* Sorted by name; several of one name are allowed.  Only the main thread walks it. */
extern struct list log_modules;
extern const char *const log_level_names[LOG_N_LEVELS];
extern const char *const log_destination_names[LOG_N_DESTINATIONS];

/* One message on its way to the destinations. */
struct log_message {
    const struct log_module *module;
    enum log_level level;
    unsigned int sequence;
    const char *text;
};

/* The pattern of a destination; set with log_mutex held. */
const char *log_pattern(enum log_destination);
void log_set_pattern(enum log_destination, const char *pattern);

/* Appends 'm' as 'pattern' says.  Under log_mutex. */
void log_format(struct str *, const char *pattern, const struct log_message *m, int facility);

/* Syslog.  log_syslog_write() is called with log_mutex held. */
void log_syslog_write(const struct log_message *);
const char *log_syslog_prefix(void);
bool log_set_facility(const char *name);

/* Whether a file is open, for the levels that count; recomputes every module's 'max'. */
bool log_file_is_open(void);
void log_update_max(void);
const char *log_thread_name(void);

#endif
