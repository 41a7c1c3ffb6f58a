/* Runs a fuzz target without a fuzzer: DRIVER DIRECTORY [ROUNDS [SEED]] gives it every file of the directory, each of
 * them cut at every length, and ROUNDS (2000) random changes of them, the same ones each time unless there is another
 * SEED. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SEEDS = 1000, MAX_SIZE = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    uint8_t *data;
    size_t size;
} seeds[MAX_SEEDS];
static size_t n_seeds;
static uint64_t state = 88172645463325252;

static uint64_t
next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void
run_exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void
read_seed(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(MAX_SIZE);

    if (f) {
        seeds[n_seeds].data = data;
        seeds[n_seeds++].size = fread(data, 1, MAX_SIZE, f);
        fclose(f);
    } else {
        free(data);
    }
}

static void
read_seeds(const char *directory)
{
    DIR *d = opendir(directory);
    struct dirent *e;

    while (d && (e = readdir(d)) && n_seeds < MAX_SEEDS) {
        char path[4096];

        if (e->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
            read_seed(path);
        }
    }
    if (d) {
        closedir(d);
    }
}

/* A seed with a few bytes changed, removed or doubled, and sometimes the tail of another. */
static void
run_changed(void)
{
    size_t pick = next_random() % n_seeds, size = seeds[pick].size;
    uint8_t *copy = malloc(2 * size + 16);
    int changes = 1 + next_random() % 4;

    memcpy(copy, seeds[pick].data, size);
    while (changes-- && size) {
        size_t at = next_random() % size;

        switch (next_random() % 4) {
        case 0: copy[at] = next_random(); break;
        case 1: copy[at] ^= 1 << next_random() % 8; break;
        case 2: memmove(copy + at, copy + at + 1, --size - at); break;
        case 3:
            if (size < 2 * seeds[pick].size) {
                memmove(copy + at + 1, copy + at, size++ - at);
            }
            break;
        }
    }
    run_exact(copy, size);
    free(copy);
}

int
main(int argc, char *argv[])
{
    int rounds = argc > 2 ? atoi(argv[2]) : 2000;

    if (argc < 2) {
        fprintf(stderr, "usage: %s DIRECTORY [ROUNDS [SEED]]\n", argv[0]);
        return 1;
    }
    if (argc > 3) {
        state ^= strtoull(argv[3], NULL, 0) << 1 | 1; /* Odd, and so never 0. */
    }
    read_seeds(argv[1]);
    if (!n_seeds) {
        fprintf(stderr, "%s: no seeds\n", argv[1]);
        return 1;
    }
    for (size_t i = 0; i < n_seeds; i++) {
        for (size_t n = 0; n <= seeds[i].size && n <= 4096; n++) {
            run_exact(seeds[i].data, n);
        }
        run_exact(seeds[i].data, seeds[i].size);
    }
    for (int i = 0; i < rounds; i++) {
        run_changed();
    }
    for (size_t i = 0; i < n_seeds; i++) {
        free(seeds[i].data);
    }
    printf("%zu seeds, %d changes\n", n_seeds, rounds);
    return 0;
}
