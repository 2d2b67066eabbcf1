/* Passes: walk broadcast arrays once, in strips, and keep what the sinks of the pass want. */
#include "program.h"

#include <math.h>
#include <string.h>

/* As core/python.py: what shapes that differ may grow to. */
enum { MAX_SMALL = 1 << 24, MAX_GROWTH = 64 };

/* An array as the pass walks it: the axes of the pass, those that can be walked as one joined. */
typedef struct {
    const char *data;
    tp_dtype dtype;
    int ndim;
    uint8_t node;
    bool in_place; /* float64 one after the other: used where they lie */
    Py_ssize_t shape[TP_MAX_DIMS], strides[TP_MAX_DIMS];
} input;

typedef struct {
    const tp_pass *pass;
    tp_run *run;
    const tp_sink *sinks; /* of those that run together */
    int sink_count;
    int ndim; /* of all arrays together */
    Py_ssize_t shape[TP_MAX_DIMS];
    Py_ssize_t size, width;
    int input_count, order_count;
    input inputs[TP_MAX_VALUES];
    uint8_t order[TP_MAX_NODES];       /* nodes that differ from element to element */
    bool is_vector[TP_MAX_NODES];
    double scalars[TP_MAX_NODES];      /* the others */
    const double *at[TP_MAX_NODES];
    double *rows[TP_MAX_SINKS];
    tp_stats stats[TP_MAX_SINKS];
} walk;

double *tp_label_make(tp_run *run, int label, int ndim, const Py_ssize_t *shape)
{
    tp_value *value = &run->values[label];
    tp_view *view = &value->view;
    Py_ssize_t size = 1;
    for (int axis = ndim - 1; axis >= 0; axis--) {
        view->shape[axis] = shape[axis];
        view->strides[axis] = size * 8;
        size *= shape[axis];
    }
    double *data;
    if (size <= (Py_ssize_t)(sizeof run->arena / 8) - run->arena_used) {
        data = run->arena + run->arena_used;
        run->arena_used += (int)size;
    } else {
        data = PyMem_RawMalloc((size_t)size * 8); /* needs no GIL */
        if (data == NULL) return NULL;
        run->allocated[run->allocated_count++] = data;
    }
    value->is_scalar = false;
    view->data = (const char *)data;
    view->size = size;
    view->ndim = ndim;
    view->itemsize = 8;
    view->dtype = TP_F64;
    view->contiguous = true;
    view->buffer = NULL;
    return data;
}

void tp_give(const tp_given *given, int count, const tp_stats *stats, double *slots)
{
    double contagion = tp_stats_contagion(stats);
    int64_t infinite = stats->posinf_count + stats->neginf_count;
    int64_t finite = stats->count - stats->nan_count - infinite;
    for (int i = 0; i < count; i++) {
        double value = NAN;
        switch ((tp_attribute)given[i].attribute) {
        case TP_COUNT: value = (double)stats->count; break;
        case TP_NAN_COUNT: value = (double)stats->nan_count; break;
        case TP_INF_COUNT: value = (double)infinite; break;
        case TP_NONFINITE_COUNT: value = (double)(stats->nan_count + infinite); break;
        case TP_LOWEST: value = tp_stats_lowest(stats); break;
        case TP_HIGHEST: value = tp_stats_highest(stats); break;
        case TP_TOTAL: value = stats->sum + contagion; break;
        case TP_AVERAGE:
            value = (finite || !stats->count ? stats->mean : 0.0) + contagion;
            break;
        case TP_SPREAD:
            if (finite && finite == stats->count) value = sqrt(stats->m2 / (double)finite);
            break;
        case TP_NORM:
            if (!stats->nan_count) value = infinite ? INFINITY : stats->l2;
            break;
        case TP_ARGMIN: value = (double)stats->argmin; break;
        case TP_ARGMAX: value = (double)stats->argmax; break;
        case TP_ATTRIBUTES: break;
        }
        slots[given[i].slot] = value;
    }
}

static inline bool has(const uint64_t bits[2], int i) { return bits[i / 64] >> (i % 64) & 1; }

/* The shape that the arrays below some nodes have together; false if they do not fit. */
static bool broadcast(const walk *it, const uint64_t needs[2], int *ndim, Py_ssize_t *shape)
{
    *ndim = 0;
    for (int i = 0; i < it->input_count; i++) {
        const tp_node *node = &it->pass->program.nodes[it->inputs[i].node];
        const tp_view *view = &it->run->values[node->operands[0]].view;
        if (!has(needs, it->inputs[i].node)) continue;
        while (*ndim < view->ndim) {
            memmove(shape + 1, shape, (size_t)*ndim * sizeof *shape);
            shape[0] = 1;
            ++*ndim;
        }
        for (int axis = 0; axis < view->ndim; axis++) {
            Py_ssize_t *length = &shape[*ndim - view->ndim + axis];
            if (view->shape[axis] == 1 || view->shape[axis] == *length) continue;
            if (*length != 1) return false;
            *length = view->shape[axis];
        }
    }
    return true;
}

/* Small arrays must not become a huge one. */
static bool is_reasonable(const walk *it)
{
    Py_ssize_t given = 0;
    for (int i = 0; i < it->input_count; i++) {
        const tp_node *node = &it->pass->program.nodes[it->inputs[i].node];
        given += it->run->values[node->operands[0]].view.size;
    }
    double elements = 1; /* a product that may leave the range of integers */
    for (int axis = 0; axis < it->ndim; axis++) elements *= (double)it->shape[axis];
    return elements <= MAX_SMALL || elements <= (double)MAX_GROWTH * (double)given;
}

static void join_axes(const walk *it, const tp_view *view, input *to)
{
    const int missing = it->ndim - view->ndim;
    to->ndim = 0;
    for (int axis = it->ndim - 1; axis >= 0; axis--) {
        Py_ssize_t length = it->shape[axis], stride = 0;
        if (axis >= missing && view->shape[axis - missing] != 1)
            stride = view->strides[axis - missing];
        if (length == 1) continue;
        int last = to->ndim - 1;
        if (last >= 0 && stride == to->strides[last] * to->shape[last]) {
            to->shape[last] *= length;
        } else {
            to->shape[to->ndim] = length; /* innermost first */
            to->strides[to->ndim++] = stride;
        }
    }
    if (to->ndim == 0) {
        to->ndim = 1;
        to->shape[0] = 1;
        to->strides[0] = view->itemsize;
    }
    to->data = view->data;
    to->dtype = view->dtype;
    to->in_place = view->dtype == TP_F64 && to->ndim == 1 && to->strides[0] == 8
                   && (uintptr_t)view->data % 8 == 0;
}

static void load_run(tp_dtype dtype, const char *from, Py_ssize_t stride, Py_ssize_t n, double *to)
{
    if (stride != 0) {
        tp_load(dtype, from, stride, n, to);
        return;
    }
    double value;
    tp_load(dtype, from, 1, 1, &value);
    tp_strip_fill(value, to, n);
}

/* n elements from the place `start` on, in C order of the pass. */
static void load(const input *from, Py_ssize_t start, Py_ssize_t n, double *to)
{
    const Py_ssize_t inner = from->shape[0];
    if (from->ndim == 1) {
        load_run(from->dtype, from->data + start * from->strides[0], from->strides[0], n, to);
        return;
    }
    Py_ssize_t row = start / inner, at = start % inner;
    while (n > 0) {
        const char *data = from->data + at * from->strides[0];
        Py_ssize_t rest = row, part = inner - at < n ? inner - at : n;
        for (int axis = 1; axis < from->ndim; axis++) {
            data += rest % from->shape[axis] * from->strides[axis];
            rest /= from->shape[axis];
        }
        load_run(from->dtype, data, from->strides[0], part, to);
        to += part;
        n -= part;
        at = 0;
        row++;
    }
}

/* Sorts the nodes that the sinks need: what is one number is computed at once. */
static void prepare(walk *it, const uint64_t needs[2])
{
    const tp_program *program = &it->pass->program;
    it->input_count = it->order_count = 0;
    for (int i = 0; i < program->count; i++) {
        const tp_node *node = &program->nodes[i];
        if (!has(needs, i)) continue;
        it->is_vector[i] = false;
        it->at[i] = &it->scalars[i];
        switch (node->op) {
        case TP_OP_VALUE: {
            const tp_value *value = &it->run->values[node->operands[0]];
            it->is_vector[i] = !value->is_scalar;
            if (value->is_scalar)
                it->scalars[i] = value->number;
            else
                it->inputs[it->input_count++].node = (uint8_t)i;
            break;
        }
        case TP_OP_SLOT: it->scalars[i] = it->run->slots[node->operands[0]]; break;
        case TP_OP_CONSTANT: it->scalars[i] = node->constant; break;
        default: {
            const uint8_t *of = node->operands; /* unused ones repeat the first */
            if (it->is_vector[of[0]] || it->is_vector[of[1]] || it->is_vector[of[2]]) {
                it->is_vector[i] = true;
                it->order[it->order_count++] = (uint8_t)i;
            } else {
                it->scalars[i] = tp_apply(node->op, it->scalars[of[0]], it->scalars[of[1]],
                                          it->scalars[of[2]]);
            }
        }
        }
    }
}

/* Where all arrays together have one element, every node is one number. */
static void collapse(walk *it)
{
    for (int i = 0; i < it->input_count; i++) {
        uint8_t node = it->inputs[i].node;
        const tp_view *view = &it->run->values[it->pass->program.nodes[node].operands[0]].view;
        tp_load(view->dtype, view->data, view->itemsize, 1, &it->scalars[node]);
        it->is_vector[node] = false;
    }
    for (int k = 0; k < it->order_count; k++) {
        const tp_node *node = &it->pass->program.nodes[it->order[k]];
        it->scalars[it->order[k]] =
            tp_apply(node->op, it->scalars[node->operands[0]], it->scalars[node->operands[1]],
                     it->scalars[node->operands[2]]);
        it->is_vector[it->order[k]] = false;
    }
    it->input_count = it->order_count = 0;
}

/* What a sink takes must be a vector: one number is spread over a strip. */
static bool spread_sinks(walk *it, double *buffers, Py_ssize_t n)
{
    int used = it->pass->program.buffers;
    for (int s = 0; s < it->sink_count; s++) {
        for (int k = 0; k < 2; k++) {
            int node = it->sinks[s].nodes[k];
            if (it->is_vector[node]) continue;
            if (used == TP_MAX_BUFFERS) return false;
            double *to = buffers + (size_t)used++ * TP_STRIP;
            tp_strip_fill(it->scalars[node], to, n);
            it->at[node] = to;
        }
    }
    return true;
}

/* The rows of a strip that begins at element `at` of `row`. False if Python has to look. */
static bool keep_rows(walk *it, int s, Py_ssize_t row, Py_ssize_t at, Py_ssize_t n)
{
    const tp_sink *sink = &it->sinks[s];
    const tp_kernels *kernels = tp_kernels_in_use;
    const Py_ssize_t width = it->width;
    for (Py_ssize_t done = 0; done < n;) {
        Py_ssize_t part = width - at < n - done ? width - at : n - done;
        const double *x = it->at[sink->nodes[0]] + done, *y = it->at[sink->nodes[1]] + done;
        double *result = it->rows[s] + row, value, sum, moments[2];
        tp_range range;
        switch ((tp_sink_kind)sink->kind) {
        case TP_SINK_ROW_NORMS:
        case TP_SINK_ROW_DOTS:
            value = kernels->f64_dot((const char *)x, (const char *)y, part);
            /* Squares that left float64's range: the Python core scales such rows. */
            if (sink->kind == TP_SINK_ROW_NORMS && !(value > 1e-280 && value < INFINITY)) {
                if (value == INFINITY) return false;
                for (Py_ssize_t i = 0; i < part; i++)
                    if (x[i] != 0.0 && x[i] == x[i]) return false;
            }
            *result = at == 0 ? value : *result + value;
            if (sink->kind == TP_SINK_ROW_NORMS && at + part == width) *result = sqrt(*result);
            break;
        case TP_SINK_ROW_SUMS:
            kernels->f64_moments((const char *)x, part, 0.0, moments);
            *result = at == 0 ? moments[0] : *result + moments[0];
            break;
        default:
            kernels->f64_rows((const char *)x, 1, part, 0, &sum, &range);
            value = sink->kind == TP_SINK_ROW_MIN ? range.min : range.max;
            if (!isfinite(sum)) {
                for (Py_ssize_t i = 0; i < part; i++)
                    if (x[i] != x[i]) value = NAN;
            }
            if (at == 0 || value != value
                || (sink->kind == TP_SINK_ROW_MIN ? value < *result : value > *result))
                *result = value;
        }
        done += part;
        at += part;
        if (at == width) {
            at = 0;
            row++;
        }
    }
    return true;
}

static int keep(walk *it, Py_ssize_t row, Py_ssize_t at, Py_ssize_t n)
{
    for (int s = 0; s < it->sink_count; s++) {
        const tp_sink *sink = &it->sinks[s];
        const double *x = it->at[sink->nodes[0]];
        if (sink->kind == TP_SINK_TEST) {
            const tp_node *node = &it->pass->program.nodes[sink->nodes[0]];
            const uint8_t *of = node->operands;
            bool holds = node->is_tested && it->is_vector[sink->nodes[0]]
                             ? tp_strip_holds(node->op, it->at[of[0]], it->is_vector[of[0]],
                                              it->at[of[1]], it->is_vector[of[1]], n)
                             : tp_strip_all(x, n);
            if (!holds) return TP_FAILS;
        } else if (sink->kind == TP_SINK_STATS) {
            tp_stats part;
            tp_measure_doubles(x, n, sink->wanted, &part);
            tp_stats_add(&it->stats[s], &part);
        } else if (!keep_rows(it, s, row, at, n)) {
            return TP_UNKNOWN;
        }
    }
    return TP_HOLDS;
}

static int walk_strips(walk *it)
{
    double buffers[TP_MAX_BUFFERS * TP_STRIP] __attribute__((aligned(64)));
    const tp_program *program = &it->pass->program;
    bool by_row = false;
    for (int s = 0; s < it->sink_count; s++) by_row |= it->sinks[s].kind < TP_SINK_STATS;
    Py_ssize_t strip = TP_STRIP;
    if (by_row && it->width <= TP_STRIP) strip = TP_STRIP / it->width * it->width;
    if (!spread_sinks(it, buffers, it->size < strip ? it->size : strip)) return TP_UNKNOWN;
    int verdict = TP_HOLDS;
    Py_ssize_t row = 0, at = 0;
    for (Py_ssize_t start = 0, n; verdict == TP_HOLDS && start < it->size; start += n) {
        n = it->size - start < strip ? it->size - start : strip;
        if (by_row && it->width > TP_STRIP && n > it->width - at)
            n = it->width - at;
        for (int i = 0; i < it->input_count; i++) {
            const input *from = &it->inputs[i];
            if (from->in_place) {
                it->at[from->node] = (const double *)from->data + start;
            } else {
                double *to = buffers + (size_t)program->nodes[from->node].buffer * TP_STRIP;
                load(from, start, n, to);
                it->at[from->node] = to;
            }
        }
        tp_strip_run(program->nodes, it->order, it->order_count, it->is_vector, it->at,
                     buffers, n);
        verdict = keep(it, row, at, n);
        if (!by_row) continue;
        if (it->width > TP_STRIP) {
            at += n;
            row += at == it->width;
            at = at == it->width ? 0 : at;
        } else {
            row += n / it->width;
        }
    }
    return verdict;
}

/* What rows without elements reduce to. */
static void fill_empty_rows(walk *it)
{
    for (int s = 0; s < it->sink_count; s++) {
        const tp_sink *sink = &it->sinks[s];
        if (sink->kind >= TP_SINK_STATS) continue;
        const tp_view *label = &it->run->values[sink->label].view;
        double value = sink->kind == TP_SINK_ROW_MIN   ? INFINITY
                       : sink->kind == TP_SINK_ROW_MAX ? -INFINITY
                                                       : 0.0;
        for (Py_ssize_t i = 0; i < label->size; i++) it->rows[s][i] = value;
    }
}

/* Whether each sink would see the same elements by itself. */
static bool fits(const walk *it)
{
    uint64_t whole[2] = {0, 0}; /* nodes that have the shape of all together by themselves */
    for (int i = 0; i < it->input_count; i++) {
        int node = it->inputs[i].node;
        const tp_view *view = &it->run->values[it->pass->program.nodes[node].operands[0]].view;
        bool same = view->ndim == it->ndim;
        for (int axis = 0; same && axis < it->ndim; axis++)
            same = view->shape[axis] == it->shape[axis];
        if (same) whole[node / 64] |= 1ULL << (node % 64);
    }
    for (int s = 0; s < it->sink_count; s++) {
        const uint64_t *needs = it->sinks[s].needs;
        if ((needs[0] & whole[0]) || (needs[1] & whole[1])) continue;
        if (it->sinks[s].kind == TP_SINK_TEST && it->size > 0) continue;
        int ndim;
        Py_ssize_t shape[TP_MAX_DIMS];
        if (!broadcast(it, needs, &ndim, shape) || ndim != it->ndim) return false;
        for (int axis = 0; axis < ndim; axis++)
            if (shape[axis] != it->shape[axis]) return false;
    }
    return true;
}

static int run_sinks(const tp_pass *pass, const tp_sink *sinks, int sink_count, tp_run *run)
{
    walk it;
    uint64_t needs[2] = {0, 0};
    it.pass = pass;
    it.run = run;
    it.sinks = sinks;
    it.sink_count = sink_count;
    for (int s = 0; s < sink_count; s++) {
        needs[0] |= sinks[s].needs[0];
        needs[1] |= sinks[s].needs[1];
    }
    prepare(&it, needs);
    bool together = broadcast(&it, needs, &it.ndim, it.shape) && is_reasonable(&it);
    it.size = 1;
    for (int axis = 0; together && axis < it.ndim; axis++) it.size *= it.shape[axis];
    if (!together || (sink_count > 1 && !fits(&it))) {
        int verdict = sink_count > 1 ? TP_HOLDS : TP_UNKNOWN;
        for (int s = 0; sink_count > 1 && verdict == TP_HOLDS && s < sink_count; s++)
            verdict = run_sinks(pass, sinks + s, 1, run);
        return verdict;
    }
    it.width = it.ndim ? it.shape[it.ndim - 1] : 1;
    for (int s = 0; s < sink_count; s++) {
        if (sinks[s].kind == TP_SINK_STATS) tp_stats_clear(&it.stats[s], sinks[s].wanted);
        if (sinks[s].kind >= TP_SINK_STATS) continue;
        it.rows[s] = tp_label_make(run, sinks[s].label, it.ndim ? it.ndim - 1 : 0, it.shape);
        if (it.rows[s] == NULL) return TP_UNKNOWN;
    }
    int verdict = TP_HOLDS;
    if (it.size == 0) {
        fill_empty_rows(&it);
    } else if (it.size == 1) {
        collapse(&it);
        verdict = keep(&it, 0, 0, 1);
    } else {
        for (int i = 0; i < it.input_count; i++) {
            const tp_node *node = &pass->program.nodes[it.inputs[i].node];
            join_axes(&it, &run->values[node->operands[0]].view, &it.inputs[i]);
        }
        PyThreadState *state = tp_release_gil(it.size);
        verdict = walk_strips(&it);
        if (state != NULL) PyEval_RestoreThread(state);
    }
    for (int s = 0; s < sink_count; s++) {
        if (sinks[s].kind == TP_SINK_STATS)
            tp_give(sinks[s].given, sinks[s].given_count, &it.stats[s], run->slots);
    }
    return verdict;
}

int tp_pass_run(const tp_pass *pass, tp_run *run)
{
    return run_sinks(pass, pass->sinks, pass->sink_count, run);
}
