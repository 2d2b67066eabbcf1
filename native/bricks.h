/* What a timer knows of bricks: which (brick, layer) are the same, what they cost, their totals. */
#ifndef TRACEPACT_BRICKS_H
#define TRACEPACT_BRICKS_H

#include "tracepact.h"

/* In the order of tracepact.profiling.Phase. */
enum { TP_DECODE, TP_PREFILL, TP_PHASES };

/* As tracepact.profiling.samples.WINDOW: the calls that medians look back on. */
enum { TP_WINDOW = 512 };

typedef struct {
    double bytes_moved, flops, launches; /* all NaN, or none of them */
} tp_cost;

/* What a call reads of a brick, and what counting it writes, fill a cache line each: a model's
   weights drive all of this out of the caches between two calls. */
enum { TP_CACHE_LINE = 64 };

typedef struct {
    _Alignas(TP_CACHE_LINE) int64_t calls;
    int64_t elapsed, own, covered; /* ticks */
    double bytes_moved;
    struct tp_recent *recent; /* a ring once it has TP_WINDOW places, NULL before the first call */
    uint32_t room, next;
} tp_figures;

/* A cost object that was read once, kept alive so that its address stays its own. */
typedef struct {
    _Alignas(TP_CACHE_LINE) PyObject *object;
    tp_cost base, step;
} tp_known_cost;

typedef struct tp_brick {
    tp_known_cost costs[2]; /* two, because one brick may work on two shapes in turn */
    tp_figures figures[TP_PHASES];
    PyObject *key;          /* (layer, name), as in `samples` */
    uint8_t oldest_cost;
} tp_brick;

typedef struct {
    tp_brick *brick;
    int64_t elapsed, own; /* ticks */
    tp_cost cost;
} tp_call;

/* Bricks are looked up by the addresses of their name and layer, which a place here keeps alive;
   equal ones at other addresses lead to the same brick. */
typedef struct {
    PyObject *name, *layer;
    tp_brick *brick;
} tp_alias;

typedef struct {
    tp_brick **bricks;
    Py_ssize_t count, room;
} tp_brick_list;

typedef struct {
    tp_alias *aliases; /* open addressing, at most half full */
    size_t mask, alias_count;
    uint64_t resets;   /* how often names and layers may have been let go */
    PyObject *indices; /* key -> index into `all` */
    tp_brick_list all;
    tp_brick_list counted[TP_PHASES]; /* in the order in which they were first counted */
} tp_bricks;

int tp_bricks_init(tp_bricks *bricks);
int tp_bricks_traverse(tp_bricks *bricks, visitproc visit, void *arg);
/* Drops what could be part of a cycle; bricks stay valid. */
void tp_bricks_clear(tp_bricks *bricks);
void tp_bricks_free(tp_bricks *bricks);

/* The brick, valid as long as `bricks`; NULL with an error set. */
tp_brick *tp_bricks_resolve(tp_bricks *bricks, PyObject *name, PyObject *layer);

static inline size_t tp_alias_hash(PyObject *name, PyObject *layer)
{
    uint64_t mixed = ((uint64_t)(uintptr_t)name ^ ((uint64_t)(uintptr_t)layer << 20))
                     * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(mixed >> 32);
}

static inline tp_brick *tp_bricks_find(tp_bricks *bricks, PyObject *name, PyObject *layer)
{
    for (size_t i = tp_alias_hash(name, layer);; i++) {
        const tp_alias *alias = &bricks->aliases[i & bricks->mask];
        if (TP_LIKELY(alias->name == name && alias->layer == layer)) return alias->brick;
        if (alias->brick == NULL) return tp_bricks_resolve(bricks, name, layer);
    }
}

/* The cost of one call; `object` is a BrickCost, a GrowingCost, a function that returns one, None
   or NULL. Only an object that the brick did not have lately is read by way of Python. */
int tp_brick_cost(tp_brick *brick, PyObject *object, int64_t size, tp_cost *out);

/* Adds calls to the totals; -1 with an error set if memory runs out. Runs no Python code. */
int tp_bricks_count(tp_bricks *bricks, const tp_call *calls, Py_ssize_t n, int phase, bool in_pass);

/* A list of (key, (calls, elapsed ns, own ns, covered ns, bytes, recent calls)). */
PyObject *tp_bricks_counted(const tp_bricks *bricks, int phase, double ns_per_tick);

/* Whole nanoseconds, rounded down, so that parts never add up to more than the whole. */
PyObject *tp_ns_of(int64_t ticks, double ns_per_tick);

#endif
