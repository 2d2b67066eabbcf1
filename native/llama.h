/* What the files share that watch the graphs of llama.cpp. Nothing here needs the GIL unless it
   says so: the engine's thread runs without it. */
#ifndef TRACEPACT_LLAMA_H
#define TRACEPACT_LLAMA_H

#include "plan.h"

enum { TP_LLAMA_NAME = 64, TP_LLAMA_DIMS = 4, TP_LLAMA_STEPS = 3 };

/* Buffers that are known to lie in memory of the host. */
typedef struct {
    const void *buffers[4];
    unsigned next;
} tp_llama_hosts;

/* Where the library in use keeps what, in bytes; found by Python, never assumed. */
typedef struct {
    Py_ssize_t type, buffer, ne, nb, op, op_params, src, view_src, data, name;
    int sources;                  /* tensors that an operation may take */
    int f32, f16, bf16, i64, i32; /* its numbers of these types; -1 where it has none */
    size_t (*nbytes)(const void *tensor);
    bool (*is_host)(const void *buffer);
    tp_llama_hosts *hosts;
} tp_llama_layout;

/* llama_tensor.c */
/* As Python has written it down; -1 with an error set where it cannot be. Needs the GIL. */
int tp_llama_layout_of(PyObject *parts, tp_llama_layout *layout);
/* Whether a tensor reaches as far as the library itself says; asked once for each node. */
bool tp_llama_is_sound(const tp_llama_layout *layout, const char *tensor);
/* What is reached from `tensor` by a source of it, a source of that and so on; NULL where there is
   none, or where what was computed since may lie over it. */
const char *tp_llama_source(const tp_llama_layout *layout, const char *tensor, const int8_t *path,
                            int steps);
/* The elements of a tensor in C order, its last `ndim` axes; false unless they lie in memory that
   can be read and are of a type that is measured. */
bool tp_llama_value(const tp_llama_layout *layout, const char *tensor, int ndim, tp_value *value);
static inline const char *tp_llama_name(const tp_llama_layout *layout, const char *tensor)
{
    return tensor + layout->name;
}
static inline int tp_llama_op(const tp_llama_layout *layout, const char *tensor)
{
    int32_t op;
    memcpy(&op, tensor + layout->op, sizeof op);
    return op;
}

/* llama_nodes.c: the nodes of all graphs that were seen, as a tree. A node is known by its own name
   and operation and by those of all before it, each compared in full; but one that nobody wants,
   that nothing else was ever found instead of, and that lies where it lay, by its operation. */
enum { TP_LLAMA_UNWANTED = -1, TP_LLAMA_MOST_NODES = 1 << 16 };

/* Names lie elsewhere, so that a pass that needs few of them reads little. */
typedef struct {
    const char *tensor; /* it was found as, in the last pass; NULL: compare its name */
    int op;
    int rule; /* or TP_LLAMA_UNWANTED */
    int slot; /* of the cache that it writes into, or -1 */
    int child, sibling; /* 0 is none */
} tp_llama_node;

typedef struct {
    char name[TP_LLAMA_NAME]; /* ends with 0, unless it is as long as that */
    uint8_t length;           /* of the name with its end */
} tp_llama_label;

typedef struct {
    tp_llama_node *all; /* the first is the root */
    tp_llama_label *labels;
    int count, room;
    bool is_strict; /* every name is compared */
} tp_llama_nodes;

/* The node that follows `after` in a graph, or 0. */
int tp_llama_find(tp_llama_nodes *nodes, int after, const char *tensor, const char *name, int op);
/* A new one; -1 without memory, and where there are too many. */
int tp_llama_add(tp_llama_nodes *nodes, int after, const char *name, int op);
void tp_llama_forget(tp_llama_nodes *nodes);

/* llama_cache.c: where one operation of one layer writes keys or values. */
typedef struct {
    int layer;
    bool by_rows;       /* it sets rows that are named by their index; else it fills a piece */
    bool is_transposed; /* a cell's numbers lie far from each other */
    Py_ssize_t cells, width;                  /* of the cache; numbers of a cell */
    Py_ssize_t itemsize, stride, cell_stride; /* bytes */
    uint32_t exponent;                        /* all its bits are set in NaN and Inf */
    const char *base;                         /* of the first cell; NULL: not known yet */
    uint32_t *marks;                          /* of cells that were written */
    Py_ssize_t room, used, next;
    int64_t nonfinite, changed;
} tp_llama_slot;

typedef struct {
    tp_llama_slot *all;
    int count;
    unsigned turn;
} tp_llama_slots;

/* Looks at what `tensor` has written. */
void tp_llama_look_at_write(const tp_llama_layout *layout, tp_llama_slot *slot, const char *tensor);
/* Whether some of the cells of one slot are what they were when they were written. */
void tp_llama_look_back(tp_llama_slots *slots, Py_ssize_t most);
/* Somebody has changed the cache as he may. */
void tp_llama_slots_forget(tp_llama_slots *slots);
void tp_llama_slots_free(tp_llama_slots *slots);
/* These need the GIL. */
PyObject *tp_llama_learn_slot(tp_llama_slots *slots, PyObject *arguments);
PyObject *tp_llama_take_found(tp_llama_slots *slots);

/* llama_rule.c: what is done with a node that is wanted. */
enum { TP_LLAMA_MOST_EVENTS = 2, TP_LLAMA_COUNTERS = 3 };

/* Where a field of a plan comes from: a number, or the node or what it was computed from. */
typedef struct {
    bool is_number;
    int8_t path[TP_LLAMA_STEPS];
    int steps, ndim;
    double number;
} tp_llama_field;

typedef struct {
    int kind, layer;
    uint8_t field;
    bool keeps;
} tp_llama_event_of;

/* One of the things that are checked at a node; its rule is the number of the first of them. */
typedef struct {
    PyObject *plan;        /* NULL: nothing is checked natively */
    int next;              /* thing, or -1 */
    int less, turn;        /* the rule that serves instead, or -1, where it is not its turn */
    int event_count;
    bool in_python, measures;
    bool only_finite;      /* is all that is asked of its one field, of which it then measures */
    unsigned wanted;       /* these */
    uint64_t conditions[TP_LLAMA_COUNTERS];
    tp_llama_event_of events[TP_LLAMA_MOST_EVENTS];
    int field_count;
    tp_llama_field fields[TP_MAX_FIELDS];
} tp_llama_rule;

typedef struct {
    tp_llama_rule *all;
    int count;
} tp_llama_rules;

/* The rule that serves on this turn (-1: everybody's). */
static inline const tp_llama_rule *tp_llama_serving(const tp_llama_rules *rules, int number,
                                                    int turn)
{
    const tp_llama_rule *it = &rules->all[number];
    return turn < 0 || it->less < 0 || it->turn == turn ? it : &rules->all[it->less];
}

/* watch(plan or None, fields, conditions, events, in_python, the rule that it belongs to or -1, the
   rule that serves instead or -1, its turn): its number. Needs the GIL. */
PyObject *tp_llama_learn(tp_llama_rules *rules, PyObject *arguments);
void tp_llama_unlearn(tp_llama_rules *rules);
/* Whether everything that is asked of a node holds for sure; its events are then in the log (unless
   that is NULL), and the conditions counted. With a turn of -1 it is everybody's. */
bool tp_llama_holds(const tp_llama_layout *layout, const tp_llama_rules *rules, int number,
                    int turn, const char *tensor, PyObject *log, uint64_t *counted);

#endif
