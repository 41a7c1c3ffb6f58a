/* The part of becoming a daemon that changes who the process is. */
#ifndef SYS_DAEMON_PRIVATE_H
#define SYS_DAEMON_PRIVATE_H 1

/* Becomes the user and group of --user and keeps the capabilities that a daemon needs.  Exits with a message
 * on errors. */
void daemon_become_user(void);

#endif
