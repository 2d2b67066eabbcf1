/* Known bricks: found by address, their costs read once, their calls summed up. */
#include "bricks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ALIASES = 256, MOST_ALIASES = 16384 }; /* places, powers of two */
enum { FIRST_RECENT = 8, AHEAD = 4 };

struct tp_recent {
    double elapsed; /* ticks */
    tp_cost cost;
};

/* Appends a brick; 0, or -1 with MemoryError. */
static int append(tp_brick_list *list, tp_brick *brick)
{
    if (list->count == list->room) {
        Py_ssize_t room = list->room ? 2 * list->room : 16;
        tp_brick **bricks = PyMem_Realloc(list->bricks, (size_t)room * sizeof *bricks);
        if (bricks == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        list->bricks = bricks;
        list->room = room;
    }
    list->bricks[list->count++] = brick;
    return 0;
}

/* -- which bricks are the same ------------------------------------------------------------- */

static int reset_aliases(tp_bricks *bricks, size_t places)
{
    tp_alias *old = bricks->aliases;
    size_t old_places = old ? bricks->mask + 1 : 0;
    tp_alias *fresh = PyMem_Calloc(places, sizeof *fresh);
    if (fresh == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    bricks->aliases = fresh;
    bricks->mask = places - 1;
    bricks->alias_count = 0;
    bricks->resets++;
    bool keep = places > old_places;
    for (size_t i = 0; keep && i < old_places; i++) {
        if (old[i].brick == NULL) continue;
        size_t at = tp_alias_hash(old[i].name, old[i].layer);
        while (fresh[at & bricks->mask].brick != NULL) at++;
        fresh[at & bricks->mask] = old[i];
        bricks->alias_count++;
    }
    /* Last, because this may run a finaliser that comes back here. */
    for (size_t i = 0; !keep && i < old_places; i++) {
        Py_XDECREF(old[i].name);
        Py_XDECREF(old[i].layer);
    }
    PyMem_Free(old);
    return 0;
}

static int add_alias(tp_bricks *bricks, PyObject *name, PyObject *layer, tp_brick *brick)
{
    size_t places = bricks->mask + 1;
    if (2 * (bricks->alias_count + 1) > places) {
        /* A producer that makes its names anew for each call must not fill the memory. */
        size_t wanted = places < MOST_ALIASES ? 2 * places : FIRST_ALIASES;
        if (reset_aliases(bricks, wanted) < 0) return -1;
    }
    size_t at = tp_alias_hash(name, layer);
    while (bricks->aliases[at & bricks->mask].brick != NULL) at++;
    bricks->aliases[at & bricks->mask] = (tp_alias){Py_NewRef(name), Py_NewRef(layer), brick};
    bricks->alias_count++;
    return 0;
}

static tp_brick *add_brick(tp_bricks *bricks, PyObject *key)
{
    tp_brick *brick = aligned_alloc(TP_CACHE_LINE, sizeof *brick);
    if (brick == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    memset(brick, 0, sizeof *brick);
    PyObject *index = PyLong_FromSsize_t(bricks->all.count);
    if (index == NULL || append(&bricks->all, brick) < 0) {
        free(brick);
        brick = NULL;
    } else {
        brick->key = Py_NewRef(key);
        if (PyDict_SetItem(bricks->indices, key, index) < 0) brick = NULL;
    }
    Py_XDECREF(index);
    return brick;
}

tp_brick *tp_bricks_resolve(tp_bricks *bricks, PyObject *name, PyObject *layer)
{
    PyObject *text = PyObject_Str(name);
    if (text == NULL) return NULL;
    PyObject *key = PyTuple_Pack(2, layer, text);
    Py_DECREF(text);
    if (key == NULL) return NULL;
    tp_brick *brick = NULL;
    PyObject *index = PyDict_GetItemWithError(bricks->indices, key);
    if (index != NULL) brick = bricks->all.bricks[PyLong_AsSsize_t(index)];
    else if (!PyErr_Occurred()) brick = add_brick(bricks, key);
    Py_DECREF(key);
    if (brick != NULL && add_alias(bricks, name, layer, brick) < 0) return NULL;
    return brick;
}

/* -- costs --------------------------------------------------------------------------------- */

static const tp_cost NO_COST = {NAN, NAN, NAN};

/* Attributes of BrickCost and GrowingCost. */
enum { BYTES_MOVED, FLOPS, LAUNCHES, BASE, STEP, NAMES };
static const char *const NAME_TEXTS[] = {"bytes_moved", "flops", "launches", "base", "step"};
static PyObject *names[NAMES];

static int read_number(PyObject *object, int name, double *out)
{
    PyObject *number = PyObject_GetAttr(object, names[name]);
    if (number == NULL) return -1;
    *out = PyFloat_AsDouble(number);
    Py_DECREF(number);
    return *out == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static int read_brick_cost(PyObject *object, tp_cost *out)
{
    if (read_number(object, BYTES_MOVED, &out->bytes_moved) < 0) return -1;
    if (read_number(object, FLOPS, &out->flops) < 0) return -1;
    return read_number(object, LAUNCHES, &out->launches);
}

static int read_part(PyObject *object, int name, tp_cost *out)
{
    PyObject *part = PyObject_GetAttr(object, names[name]);
    if (part == NULL) return -1;
    int status = read_brick_cost(part, out);
    Py_DECREF(part);
    return status;
}

static int read_cost(PyObject *object, tp_known_cost *out)
{
    *out = (tp_known_cost){object};
    if (object == Py_None) {
        out->base = NO_COST;
        return 0;
    }
    if (read_brick_cost(object, &out->base) == 0) return 0;
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
    PyErr_Clear();
    if (read_part(object, BASE, &out->base) < 0) return -1;
    return read_part(object, STEP, &out->step);
}

static inline tp_cost cost_at(const tp_known_cost *cost, int64_t size)
{
    double units = (double)size;
    return (tp_cost){
        cost->base.bytes_moved + cost->step.bytes_moved * units,
        cost->base.flops + cost->step.flops * units,
        cost->base.launches + cost->step.launches * units,
    };
}

int tp_brick_cost(tp_brick *brick, PyObject *object, int64_t size, tp_cost *out)
{
    if (object == NULL || object == Py_None) {
        *out = NO_COST;
        return 0;
    }
    for (int i = 0; i < 2; i++) {
        if (brick->costs[i].object != object) continue;
        *out = cost_at(&brick->costs[i], size);
        return 0;
    }
    tp_known_cost cost;
    if (PyCallable_Check(object)) {
        PyObject *said = PyObject_CallNoArgs(object);
        if (said == NULL) return -1;
        int status = read_cost(said, &cost);
        Py_DECREF(said);
        if (status < 0) return -1;
    } else {
        if (read_cost(object, &cost) < 0) return -1;
        tp_known_cost *place = &brick->costs[brick->oldest_cost];
        brick->oldest_cost ^= 1;
        PyObject *old = place->object;
        *place = cost;
        Py_INCREF(object);
        Py_XDECREF(old);
    }
    *out = cost_at(&cost, size);
    return 0;
}

/* -- totals -------------------------------------------------------------------------------- */

static int grow_recent(tp_figures *figures)
{
    uint32_t room = figures->room ? 4 * figures->room : FIRST_RECENT;
    if (room > TP_WINDOW) room = TP_WINDOW;
    void *recent = PyMem_Realloc(figures->recent, room * sizeof *figures->recent);
    if (recent == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    figures->recent = recent;
    figures->room = room;
    return 0;
}

static int count_call(tp_bricks *bricks, const tp_call *call, int phase, bool in_pass)
{
    tp_figures *figures = &call->brick->figures[phase];
    if (TP_UNLIKELY(figures->next == figures->room)) {
        if (figures->room == TP_WINDOW) figures->next = 0;
        else if (grow_recent(figures) < 0) return -1;
    }
    if (TP_UNLIKELY(figures->calls == 0) && append(&bricks->counted[phase], call->brick) < 0)
        return -1;
    figures->calls++;
    figures->elapsed += call->elapsed;
    figures->own += call->own;
    if (in_pass) figures->covered += call->own;
    if (!isnan(call->cost.launches)) figures->bytes_moved += call->cost.bytes_moved;
    figures->recent[figures->next++] = (struct tp_recent){(double)call->elapsed, call->cost};
    return 0;
}

int tp_bricks_count(tp_bricks *bricks, const tp_call *calls, Py_ssize_t n, int phase, bool in_pass)
{
    /* A model's weights have driven all of this out of the caches, so it is fetched in two steps
       ahead of its turn: the figures, then the place in the ring that they lead to. */
    for (Py_ssize_t i = 0; i < n; i++) {
        if (i + 2 * AHEAD < n) __builtin_prefetch(&calls[i + 2 * AHEAD].brick->figures[phase], 1);
        if (i + AHEAD < n) {
            const tp_figures *next = &calls[i + AHEAD].brick->figures[phase];
            if (next->recent != NULL) __builtin_prefetch(next->recent + next->next, 1);
        }
        if (TP_UNLIKELY(count_call(bricks, &calls[i], phase, in_pass) < 0)) return -1;
    }
    return 0;
}

PyObject *tp_ns_of(int64_t ticks, double ns_per_tick)
{
    return PyLong_FromLongLong(
        ns_per_tick == 1.0 ? ticks : (long long)floor((double)ticks * ns_per_tick));
}

static PyObject *recent_calls(const tp_figures *figures, double ns_per_tick)
{
    uint32_t n = figures->calls < TP_WINDOW ? (uint32_t)figures->calls : TP_WINDOW;
    uint32_t first = figures->calls < TP_WINDOW ? 0 : figures->next % TP_WINDOW;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(n * sizeof *figures->recent));
    if (bytes == NULL) return NULL;
    char *to = PyBytes_AS_STRING(bytes);
    for (uint32_t i = 0; i < n; i++, to += sizeof *figures->recent) {
        struct tp_recent recent = figures->recent[(first + i) % TP_WINDOW];
        recent.elapsed *= ns_per_tick;
        memcpy(to, &recent, sizeof recent);
    }
    return bytes;
}

static PyObject *counted_entry(const tp_brick *brick, int phase, double ns_per_tick)
{
    const tp_figures *figures = &brick->figures[phase];
    /* "N" takes over references and passes on an error in making them. */
    return Py_BuildValue("O(LNNNdN)", brick->key, (long long)figures->calls,
                         tp_ns_of(figures->elapsed, ns_per_tick),
                         tp_ns_of(figures->own, ns_per_tick),
                         tp_ns_of(figures->covered, ns_per_tick), figures->bytes_moved,
                         recent_calls(figures, ns_per_tick));
}

PyObject *tp_bricks_counted(const tp_bricks *bricks, int phase, double ns_per_tick)
{
    PyObject *list = PyList_New(0);
    if (list == NULL) return NULL;
    for (Py_ssize_t i = 0; i < bricks->counted[phase].count; i++) {
        PyObject *entry = counted_entry(bricks->counted[phase].bricks[i], phase, ns_per_tick);
        int status = entry == NULL ? -1 : PyList_Append(list, entry);
        Py_XDECREF(entry);
        if (status < 0) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

/* -- life ---------------------------------------------------------------------------------- */

int tp_bricks_init(tp_bricks *bricks)
{
    memset(bricks, 0, sizeof *bricks);
    for (int i = 0; i < NAMES; i++)
        if (names[i] == NULL && (names[i] = PyUnicode_InternFromString(NAME_TEXTS[i])) == NULL)
            return -1;
    bricks->indices = PyDict_New();
    return bricks->indices == NULL ? -1 : reset_aliases(bricks, FIRST_ALIASES);
}

int tp_bricks_traverse(tp_bricks *bricks, visitproc visit, void *arg)
{
    Py_VISIT(bricks->indices);
    for (size_t i = 0; bricks->aliases != NULL && i <= bricks->mask; i++) {
        Py_VISIT(bricks->aliases[i].name);
        Py_VISIT(bricks->aliases[i].layer);
    }
    for (Py_ssize_t i = 0; i < bricks->all.count; i++) {
        Py_VISIT(bricks->all.bricks[i]->key);
        Py_VISIT(bricks->all.bricks[i]->costs[0].object);
        Py_VISIT(bricks->all.bricks[i]->costs[1].object);
    }
    return 0;
}

void tp_bricks_clear(tp_bricks *bricks)
{
    for (Py_ssize_t i = 0; i < bricks->all.count; i++) {
        Py_CLEAR(bricks->all.bricks[i]->costs[0].object);
        Py_CLEAR(bricks->all.bricks[i]->costs[1].object);
    }
}

void tp_bricks_free(tp_bricks *bricks)
{
    tp_bricks_clear(bricks);
    for (size_t i = 0; bricks->aliases != NULL && i <= bricks->mask; i++) {
        Py_XDECREF(bricks->aliases[i].name);
        Py_XDECREF(bricks->aliases[i].layer);
    }
    PyMem_Free(bricks->aliases);
    Py_XDECREF(bricks->indices);
    for (Py_ssize_t i = 0; i < bricks->all.count; i++) {
        tp_brick *brick = bricks->all.bricks[i];
        Py_DECREF(brick->key);
        for (int phase = 0; phase < TP_PHASES; phase++) PyMem_Free(brick->figures[phase].recent);
        free(brick);
    }
    PyMem_Free(bricks->all.bricks);
    for (int phase = 0; phase < TP_PHASES; phase++) PyMem_Free(bricks->counted[phase].bricks);
}
