/* Keys and rules for TLS, shared by all ssl: and pssl: streams of the process.
 *
 * The files are read at the first use and again when they have changed, at most once a second; a file that cannot be
 * read is logged, and streams fail with -ENOPROTOOPT until key, certificate and CA are there.  Protocols are TLS 1.2
 * and 1.3.
 *
 * Threads: main thread. */
#ifndef SYS_TLS_H
#define SYS_TLS_H 1

#include "base/error.h"

/* Each sets one of the options of the same name; null unsets it. */
void tls_set_private_key(const char *file);
void tls_set_certificate(const char *file);
/* "none" turns verification off.  With 'bootstrap' the certificate is taken from the first peer if there is no file. */
void tls_set_ca_cert(const char *file, bool bootstrap);
void tls_set_peer_ca_cert(const char *file);
/* An error if OpenSSL can make nothing of the list. */
struct error *tls_set_ciphers(const char *list) MUST_CHECK;
struct error *tls_set_ciphersuites(const char *list) MUST_CHECK;
void tls_set_server_name(const char *name);
/* "TLSv1.2,TLSv1.3", "TLSv1.2-TLSv1.3", "TLSv1.2+". */
struct error *tls_set_protocols(const char *spec) MUST_CHECK;

/* Settings given as "db:..." have their value somewhere else: asks 'look_up' for each (a string that is taken over,
 * null if there is none), now and whenever the caller knows that it may have changed. */
void tls_resolve(char *(*look_up)(const char *where, void *aux), void *aux);

/* Whether key, certificate and CA have been named. */
bool tls_is_configured(void);

#endif
