#include "sys/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/address.h"
#include "sys/clock.h"
#include "sys/dirs.h"
#include "sys/log.h"
#include "sys/stream_private.h"

LOG_MODULE(stream_ssl)

/* One of the files, as it was when last read. */
struct tls_file {
    char *name;
    struct timespec mtime;
    bool read;
};

static struct tls_file private_key, certificate, ca_cert, peer_ca_cert;
static bool bootstrap, no_verify;
static char *ciphers, *ciphersuites, *server_name;
static int min_version = TLS1_2_VERSION, max_version = TLS1_3_VERSION;
static SSL_CTX *ctx;         /* By the settings and files that were last found good; null if there are none. */
static bool stale = true;    /* Something has changed since: 'ctx' is to be made anew. */
static int64_t last_check;   /* ms, of the files' times. */
/* Whoever connects can make the next messages appear. */
static struct log_limit limit = LOG_LIMIT_INIT(10, 25);

struct tls_session {
    SSL *ssl;
    bool server, bootstrap;
    char *peer_id;
    bool is_up;          /* The handshake is done. */
};

static void
set_text(char **where, const char *value)
{
    if (!*where != !value || (value && strcmp(*where, value))) {
        free(*where);
        *where = xstrdup(value);
        stale = true;
    }
}

/* The settings that are texts, in the order of tls.h; each may be a name whose value is somewhere else. */
enum { PRIVATE_KEY, CERTIFICATE, CA_CERT, PEER_CA_CERT, CIPHERS, CIPHERSUITES, SERVER_NAME, N_SETTINGS };
static char **const settings[N_SETTINGS] = {
    &private_key.name, &certificate.name, &ca_cert.name, &peer_ca_cert.name, &ciphers, &ciphersuites, &server_name,
};
static char *elsewhere[N_SETTINGS]; /* "db:..." as it was given; null if the value was given itself. */

static void
set(int setting, const char *value)
{
    bool is_elsewhere = value && !strncmp(value, "db:", 3);

    bool is_file = setting <= PEER_CA_CERT && value && strcmp(value, "none");
    char *path = is_file && !is_elsewhere ? dirs_absolute(value) : NULL;

    free(elsewhere[setting]);
    elsewhere[setting] = is_elsewhere ? xstrdup(value) : NULL;
    set_text(settings[setting], is_elsewhere ? NULL : path ? path : value);
    free(path);
}

static void
set_verification(const char *ca)
{
    bool off = ca && !strcmp(ca, "none");

    if (off && !no_verify) {
        log_warn("Peer certificate validation disabled (this is a security risk)");
    }
    no_verify = off;
}

void
tls_resolve(char *(*look_up)(const char *where, void *aux), void *aux)
{
    for (int i = 0; i < N_SETTINGS; i++) {
        if (elsewhere[i]) {
            char *value = look_up(elsewhere[i], aux);

            set_text(settings[i], value);
            free(value);
        }
    }
    set_verification(ca_cert.name);
}

void
tls_set_private_key(const char *file)
{
    set(PRIVATE_KEY, file);
}

void
tls_set_certificate(const char *file)
{
    set(CERTIFICATE, file);
}

void
tls_set_ca_cert(const char *file, bool bootstrap_)
{
    set_verification(file);
    bootstrap = bootstrap_;
    set(CA_CERT, file);
}

void
tls_set_peer_ca_cert(const char *file)
{
    set(PEER_CA_CERT, file);
}

void
tls_set_server_name(const char *name)
{
    set(SERVER_NAME, name);
}

bool
tls_is_configured(void)
{
    return private_key.name && certificate.name && ca_cert.name;
}

static int
find_version(const char *name, size_t n)
{
    if (n == 7 && !strncmp(name, "TLSv1.2", n)) {
        return TLS1_2_VERSION;
    }
    return n == 7 && !strncmp(name, "TLSv1.3", n) ? TLS1_3_VERSION : 0;
}

struct error *
tls_set_protocols(const char *spec)
{
    size_t n = strcspn(spec, "-+, \t");
    int low = find_version(spec, n), high = low;

    if (spec[n] == '+' && !spec[n + 1]) {
        high = TLS1_3_VERSION;
    } else if (spec[n] == '-') {
        high = find_version(spec + n + 1, strlen(spec + n + 1));
    } else {
        for (const char *p = spec + n; low && *(p += strspn(p, ", \t")); p += n) {
            int v;

            n = strcspn(p, ", \t");
            v = find_version(p, n);
            low = v ? MIN(low, v) : 0;
            high = MAX(high, v);
        }
    }
    if (!low || !high || low > high) {
        return error_new("%s: invalid SSL/TLS protocols", spec);
    }
    min_version = low;
    max_version = high;
    stale = true;
    return NULL;
}

/* Files. */

static bool
file_changed(struct tls_file *f)
{
    struct stat s;

    if (!f->name || stat(f->name, &s)) {
        return false;
    }
    if (f->read && s.st_mtim.tv_sec == f->mtime.tv_sec && s.st_mtim.tv_nsec == f->mtime.tv_nsec) {
        return false;
    }
    f->mtime = s.st_mtim;
    f->read = true;
    return true;
}

static const char *
ssl_error_text(void)
{
    static char text[256];
    unsigned long e = ERR_get_error();

    ERR_clear_error();
    if (!e) {
        return "unknown error";
    }
    ERR_error_string_n(e, text, sizeof text);
    return text;
}

static bool
load_ca(SSL_CTX *new)
{
    if (no_verify) {
        SSL_CTX_set_verify(new, SSL_VERIFY_NONE, NULL);
    } else if (bootstrap && access(ca_cert.name, F_OK)) {
        SSL_CTX_set_verify(new, SSL_VERIFY_NONE, NULL);
    } else {
        SSL_CTX_set_verify(new, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        if (SSL_CTX_load_verify_locations(new, ca_cert.name, NULL) != 1) {
            log_err_rl(&limit, "failed to load CA certificate from %s: %s", ca_cert.name, ssl_error_text());
            return false;
        }
        SSL_CTX_set_client_CA_list(new, SSL_load_client_CA_file(ca_cert.name));
    }
    return true;
}

/* Further certificates to send with ours. */
static void
load_peer_ca(SSL_CTX *new)
{
    BIO *bio = BIO_new_file(peer_ca_cert.name, "r");
    X509 *x;

    if (!bio) {
        log_err_rl(&limit, "failed to open %s: %s", peer_ca_cert.name, ssl_error_text());
        return;
    }
    while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        if (SSL_CTX_add_extra_chain_cert(new, x) != 1) {
            X509_free(x);
        }
    }
    ERR_clear_error();
    BIO_free(bio);
}

static bool
load_own(SSL_CTX *new)
{
    if (SSL_CTX_use_certificate_chain_file(new, certificate.name) != 1) {
        log_err_rl(&limit, "SSL_use_certificate_file: %s: %s", certificate.name, ssl_error_text());
    } else if (SSL_CTX_use_PrivateKey_file(new, private_key.name, SSL_FILETYPE_PEM) != 1) {
        log_err_rl(&limit, "SSL_use_PrivateKey_file: %s: %s", private_key.name, ssl_error_text());
    } else {
        return true;
    }
    return false;
}

static bool
set_rules(SSL_CTX *new)
{
    SSL_CTX_set_options(new, SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(new, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(new, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_min_proto_version(new, min_version);
    SSL_CTX_set_max_proto_version(new, max_version);
    if (SSL_CTX_set_cipher_list(new, ciphers ? ciphers : "DEFAULT:@SECLEVEL=2") != 1) {
        log_err_rl(&limit, "SSL_CTX_set_cipher_list: %s", ssl_error_text());
        return false;
    }
    if (ciphersuites && SSL_CTX_set_ciphersuites(new, ciphersuites) != 1) {
        log_err_rl(&limit, "SSL_CTX_set_ciphersuites: %s", ssl_error_text());
        return false;
    }
    return true;
}

/* Whether OpenSSL takes the list; what is in the database is seen when it is used. */
static struct error *
set_list(int setting, const char *list, int (*check)(SSL_CTX *, const char *))
{
    SSL_CTX *try = list && strncmp(list, "db:", 3) ? SSL_CTX_new(TLS_method()) : NULL;
    struct error *error = NULL;

    if (try && check(try, list) != 1) {
        error = error_new("%s: %s", list, ssl_error_text());
    } else {
        set(setting, list);
    }
    SSL_CTX_free(try);
    return error;
}

struct error *
tls_set_ciphers(const char *list)
{
    return set_list(CIPHERS, list, SSL_CTX_set_cipher_list);
}

struct error *
tls_set_ciphersuites(const char *list)
{
    return set_list(CIPHERSUITES, list, SSL_CTX_set_ciphersuites);
}

/* Replaces 'ctx'.  If the files are not good, which may be because they are being replaced one after the other, what
 * was there stays in use. */
static void
make_ctx(void)
{
    SSL_CTX *new = SSL_CTX_new(TLS_method());

    if (!new) {
        log_err_rl(&limit, "SSL_CTX_new: %s", ssl_error_text());
        return;
    }
    if (!set_rules(new) || !load_own(new) || !load_ca(new)) {
        SSL_CTX_free(new);
        return;
    }
    if (peer_ca_cert.name) {
        load_peer_ca(new);
    }
    SSL_CTX_free(ctx);
    ctx = new;
    stale = false;
}

static void
log_what_is_missing(void)
{
    if (!private_key.name) {
        log_err_rl(&limit, "Private key must be configured to use SSL");
    }
    if (!certificate.name) {
        log_err_rl(&limit, "Certificate must be configured to use SSL");
    }
    if (!ca_cert.name) {
        log_err_rl(&limit, "CA certificate must be configured to use SSL");
    }
}

static int
refresh_ctx(void)
{
    int64_t now = clock_now_ms();

    if (!tls_is_configured()) {
        log_what_is_missing();
        return -ENOPROTOOPT;
    }
    if (!ctx || now >= last_check + 1000) {
        stale |= file_changed(&private_key);
        stale |= file_changed(&certificate);
        stale |= file_changed(&ca_cert);
        stale |= file_changed(&peer_ca_cert);
        last_check = now;
    }
    if (stale) {
        make_ctx();
    }
    return ctx ? 0 : -ENOPROTOOPT;
}

/* Sessions. */

int
tls_session_create(bool server, const char *host, struct tls_session **session)
{
    int error = refresh_ctx();
    struct tls_session *t;
    struct address a;

    *session = NULL;
    if (error) {
        return error;
    }
    t = xzalloc(sizeof *t);
    t->server = server;
    t->bootstrap = !server && bootstrap && access(ca_cert.name, F_OK);
    t->ssl = SSL_new(ctx);
    if (!t->ssl) {
        log_err("SSL_new: %s", ssl_error_text());
        free(t);
        return -ENOPROTOOPT;
    }
    if (server && !no_verify) {
        /* Only a peer that we have chosen may bring the CA certificate: clients wait until there is one. */
        SSL_set_verify(t->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (server_name) {
        SSL_set_tlsext_host_name(t->ssl, server_name);
    } else if (host && !address_parse_active(host, 1, &a) && a.sa.ss_family == AF_UNSPEC) {
        SSL_set_tlsext_host_name(t->ssl, host);
    }
    *session = t;
    return 0;
}

void
tls_session_attach(struct tls_session *t, int fd)
{
    if (SSL_set_fd(t->ssl, fd) != 1) {
        out_of_memory();
    }
}

/* The error of a failed call, as a negative errno; sets '*needs' for -EAGAIN. */
static int
call_error(struct tls_session *t, int result, const char *what, const char *name, int *needs)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *needs = LOOP_READ;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        *needs = LOOP_WRITE;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        return errno ? -errno : -ECONNRESET;
    default:
        log_warn_rl(&limit, "%s%s%s: %s", name ? name : "", name ? ": " : "", what, ssl_error_text());
        return t->is_up ? -EIO : -EPROTO;
    }
}

/* Saves the peer's CA certificate, the last of its chain, if that has signed itself. */
static int
bootstrap_ca(struct tls_session *t)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(t->ssl);
    X509 *ca = chain && sk_X509_num(chain) ? sk_X509_value(chain, sk_X509_num(chain) - 1) : NULL;
    FILE *file;
    bool ok;

    if (!ca || X509_check_issued(ca, ca) != X509_V_OK) {
        log_err("could not bootstrap CA cert: the peer did not send a self-signed CA certificate");
        return -EPROTO;
    }
    file = fopen(ca_cert.name, "wx");
    if (!file) {
        log_err("could not bootstrap CA cert: creating %s failed: %s", ca_cert.name, strerror(errno));
        return -errno;
    }
    ok = PEM_write_X509(file, ca) == 1;
    ok &= !fclose(file);
    if (!ok) {
        log_err("could not bootstrap CA cert: writing %s failed", ca_cert.name);
        unlink(ca_cert.name);
        return -EIO;
    }
    log_info("successfully bootstrapped CA cert to %s", ca_cert.name);
    stale = true;
    return -EPROTO; /* Connect again, with verification. */
}

static void
remember_peer(struct tls_session *t)
{
    X509 *cert = SSL_get1_peer_certificate(t->ssl);
    X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;
    int at = subject ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
    unsigned char *text = NULL;

    if (at >= 0 && ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))) >= 0) {
        t->peer_id = xstrdup((char *) text);
        OPENSSL_free(text);
    }
    X509_free(cert);
}

int
tls_session_handshake(struct tls_session *t, const char *name, int *needs)
{
    int result, error;

    ERR_clear_error();
    errno = 0;
    result = t->server ? SSL_accept(t->ssl) : SSL_connect(t->ssl);
    if (result == 1) {
        t->is_up = true;
        remember_peer(t);
        return t->bootstrap ? bootstrap_ca(t) : 0;
    }
    error = call_error(t, result, t->server ? "SSL_accept" : "SSL_connect", name, needs);
    return error ? error : -EPROTO;
}

ssize_t
tls_session_read(struct tls_session *t, void *p, size_t n, int *needs)
{
    int result;

    ERR_clear_error();
    errno = 0;
    result = SSL_read(t->ssl, p, MIN(n, INT32_MAX));
    return result > 0 ? result : call_error(t, result, "SSL_read", NULL, needs);
}

ssize_t
tls_session_write(struct tls_session *t, const void *p, size_t n, int *needs)
{
    int result, error;

    ERR_clear_error();
    errno = 0;
    result = SSL_write(t->ssl, p, MIN(n, INT32_MAX));
    if (result > 0) {
        return result;
    }
    error = call_error(t, result, "SSL_write", NULL, needs);
    return error ? error : -EPIPE;
}

bool
tls_session_has_pending(const struct tls_session *t)
{
    return SSL_pending(t->ssl) > 0;
}

const char *
tls_session_peer_id(struct tls_session *t)
{
    return t->peer_id;
}

void
tls_session_destroy(struct tls_session *t)
{
    if (t) {
        ERR_clear_error();
        if (SSL_is_init_finished(t->ssl)) {
            SSL_shutdown(t->ssl);
        }
        SSL_free(t->ssl);
        ERR_clear_error();
        free(t->peer_id);
        free(t);
    }
}
