/* Command lines: options every program has, groups of options, sub-commands.
 *
 * What it is
 * ----------
 * A program gives cmdline_init() the table of its own options and the groups it takes (CMDLINE_*); cmdline_next() then
 * returns the ids of its own options one by one, with 'arg', and handles the rest itself: -h/--help (prints the usage
 * and exits), -V/--version, -v/--verbose, --log-file, --syslog-method, --syslog-target, and with CMDLINE_DAEMON those
 * of sys/daemon.h, with CMDLINE_TLS those of sys/tls.h.  A bad option prints the documented message and exits with
 * status 1.
 *
 *     static const struct cmdline_option options[] = {
 *         { "target", 't', CMDLINE_ARG, OPT_TARGET },
 *     };
 *     cmdline_init(&cl, argc, argv, CMDLINE_TLS, options, ARRAY_SIZE(options), print_usage);
 *     while ((id = cmdline_next(&cl)) != CMDLINE_END) { switch (id) { case OPT_TARGET: target = cl.arg; ... } }
 *     cmdline_run(&cl, commands, ARRAY_SIZE(commands), aux);
 *
 * Options may stand anywhere unless CMDLINE_STOP_AT_ARG.  Long options may be abbreviated.
 *
 * Threads: main thread, once per process. */
#ifndef SYS_CMDLINE_H
#define SYS_CMDLINE_H 1

#include "base/error.h"

enum { CMDLINE_NO_ARG = 0, CMDLINE_ARG = 1, CMDLINE_OPTIONAL_ARG = 2 };
enum { CMDLINE_END = -1 };
enum {
    CMDLINE_DAEMON = 1,      /* --detach and its like. */
    CMDLINE_TLS = 2,         /* -p -c -C and the --ssl options, but for --peer-ca-cert and --bootstrap-ca-cert. */
    CMDLINE_TLS_PEER_CA = 4, /* --peer-ca-cert. */
    CMDLINE_TLS_BOOTSTRAP = 8,
    CMDLINE_STOP_AT_ARG = 16,
};

/* Appends the words that an option or argument may be, as far as they can be told beforehand, a blank behind each; a
 * word that goes on ends in ':'. */
struct str;
typedef void cmdline_words(struct str *);

struct cmdline_option {
    const char *name;   /* Long name, or null. */
    int letter;         /* Short name, or 0. */
    int arg;            /* CMDLINE_NO_ARG, CMDLINE_ARG, CMDLINE_OPTIONAL_ARG. */
    int id;             /* What cmdline_next() returns: 0 or more, and the program's own. */
    cmdline_words *words; /* For completion, of the option's argument; may be null. */
};

struct cmdline {
    int argc;           /* After the last option: the arguments, argv[argc] is null. */
    char **argv;
    const char *arg;    /* Argument of the present option, or null. */
    const char *option; /* Its long name without hyphens, or null if it was given by its letter. */
    struct cmdline_impl *impl;
};

/* Prepares; also sets the program's name for the log, ignores SIGPIPE.  'usage' prints the help text to stdout. */
void cmdline_init(struct cmdline *, int argc, char *argv[], int flags, const struct cmdline_option *, size_t n,
                  void (*usage)(void));

/* The id of the next option of the program's own, or CMDLINE_END, when 'argc' and 'argv' hold what is left. */
int cmdline_next(struct cmdline *);

/* For the shell's completion (utilities/completion.bash): where the environment has WEFT_DESCRIBE, the first
 * cmdline_next() prints the tables that it would go by, and exits:
 *
 *     option --name         or "--name=", "--name=?" (may have an argument), "-x", "-x=", "-x=?"
 *     words --name WORD...                what the option's argument may be
 *     command NAME,OPTIONS,ARGUMENTS      by cmdline_describe_command(), which 'commands' calls for each
 *     words PLACEHOLDER WORD...           by cmdline_describe_words()
 *
 * OPTIONS are the command's own, ARGUMENTS as in its usage: "switch [port]", "!BRIDGE ?PORT".  A PLACEHOLDER is one of
 * those names, in capitals; "ARGUMENT" is what stands where others have a command.  To be called before
 * cmdline_next(); 'commands' gets 'aux'. */
void cmdline_set_describe(void (*commands)(const void *aux), const void *aux);
void cmdline_describe_command(const char *name, const char *options, const char *arguments);
void cmdline_describe_words(const char *placeholder, cmdline_words *);

/* A further line for --version, for instance "OpenFlow versions 0x1:0x6"; call before cmdline_next(). */
void cmdline_set_version_note(const char *line);
/* Prints "PROGRAM (Open vSwitch) VERSION" and the note. */
void cmdline_print_version(void);
/* "PROGRAM (Open vSwitch) VERSION\n", to be released with free(). */
char *cmdline_version_text(void) MUST_CHECK;

/* Parts of a help text, as every program prints them. */
void cmdline_usage_targets(const char *what, bool active, bool passive, int tls_flags);
void cmdline_usage_daemon(void);
void cmdline_usage_log(void);

struct cmdline_ctx {
    int argc;           /* argv[0] is the command's name. */
    char **argv;
    void *aux;
};

struct cmdline_command {
    const char *name;
    const char *usage;  /* Its arguments, for help texts. */
    int min_args, max_args; /* INT_MAX: any number. */
    void (*run)(struct cmdline_ctx *);
};

/* Calls cmdline_describe_command() for each. */
void cmdline_describe_commands(const struct cmdline_command *, size_t n);

/* Runs the command named by argv[0] of what is left, or says what is wrong and exits with status 1. */
void cmdline_run(const struct cmdline *, const struct cmdline_command *, size_t n, void *aux);

/* Prints "PROGRAM: TEXT" or "PROGRAM: TEXT (strerror)" for a negative errno value, on stderr, and exits with status 1.
 * error_fatal() does so for an error (null: returns), which it prints as it is. */
void cmdline_fatal(int error, const char *format, ...) PRINTF_FORMAT(2, 3) NORETURN;
void cmdline_fatal_error(struct error *);
/* The same line without the exit: a complaint. */
void cmdline_complain(int error, const char *format, ...) PRINTF_FORMAT(2, 3);

/* Reads the argument of -T/-t/--timeout ("value x on -T or --timeout is invalid") and arms the alarm that ends the
 * process with SIGALRM; 0 means never. */
void cmdline_timeout(const char *arg, const char *option_names);

#endif
