/* Events of a pass of llama.cpp, kept where no Python object can be touched. */
#include "llama.h"
#include "trace_log.h"

#include <string.h>

/* Room for one more event and for so many floats. */
static bool has_room(tp_llama_log *log, Py_ssize_t floats)
{
    if (log->count == log->room) {
        Py_ssize_t room = log->room ? 2 * log->room : 256;
        tp_llama_event *events = PyMem_RawRealloc(log->events, (size_t)room * sizeof *events);
        if (events == NULL) return false;
        log->events = events;
        log->room = room;
    }
    if (floats == 0 || (log->block != NULL && log->used + floats <= log->block->space)) return true;
    const Py_ssize_t space = 2 * (log->used + floats);
    tp_llama_block *block =
        PyMem_RawRealloc(log->block, sizeof *block + (size_t)space * sizeof *block->floats);
    if (block == NULL) return false;
    block->space = space;
    log->block = block;
    return true;
}

static void copy_row(const tp_view *view, const char *row, float *to)
{
    enum { PIECE = 256 };
    const Py_ssize_t width = view->shape[view->ndim - 1], stride = view->strides[view->ndim - 1];
    if (tp_usable_in_place(view->dtype, stride) && view->dtype == TP_F32) {
        memcpy(to, row, (size_t)width * sizeof *to);
        return;
    }
    double piece[PIECE];
    for (Py_ssize_t start = 0; start < width; start += PIECE) {
        Py_ssize_t n = width - start < PIECE ? width - start : PIECE;
        tp_load(view->dtype, row + start * stride, stride, n, piece);
        for (Py_ssize_t i = 0; i < n; i++) to[start + i] = (float)piece[i];
    }
}

bool tp_llama_note(tp_llama_log *log, int kind, int layer, const tp_stats *stats,
                   const tp_view *kept)
{
    tp_view last = {0};
    if (kept != NULL && kept->ndim >= 1 && kept->ndim <= TP_LLAMA_DIMS && kept->size != 0) {
        last = *kept;
        const int axis = last.ndim - 2;
        if (axis >= 0) {
            last.data += (last.shape[axis] - 1) * last.strides[axis];
            last.size /= last.shape[axis];
            last.shape[axis] = 1;
        }
    }
    if (!has_room(log, last.size)) return false;
    tp_llama_event *event = &log->events[log->count++];
    *event = (tp_llama_event){*stats, kind, layer, -1, last.ndim, {0}};
    if (last.size == 0) return true;
    event->kept = log->used;
    memcpy(event->shape, last.shape, (size_t)last.ndim * sizeof *event->shape);
    const Py_ssize_t width = last.shape[last.ndim - 1];
    tp_cursor cursor = tp_cursor_of(&last);
    for (Py_ssize_t row = 0; row < last.size / width; row++) {
        copy_row(&last, cursor.row, log->block->floats + log->used);
        log->used += width;
        tp_cursor_advance(&cursor, 1);
    }
    return true;
}

/* One block that no array shares any more, so that a pass needs no new memory; under the GIL. */
static tp_llama_block *spare;

static void release(PyObject *owner)
{
    tp_llama_block *block = PyCapsule_GetPointer(owner, NULL);
    if (spare == NULL) spare = block;
    else PyMem_RawFree(block);
}

int tp_llama_flush(tp_llama_log *log, PyObject *trace_log)
{
    const Py_ssize_t count = log->count;
    tp_llama_block *block = log->block;
    PyObject *owner = NULL;
    int status = 0;
    if (log->used != 0) {
        owner = PyCapsule_New(block, NULL, release);
        if (owner == NULL) status = -1;
        else {
            log->block = spare;
            spare = NULL;
        }
    }
    for (Py_ssize_t i = 0; status == 0 && i < count; i++) {
        const tp_llama_event *event = &log->events[i];
        if (event->kept < 0) {
            status = tp_trace_log_append(trace_log, event->kind, event->layer, &event->stats, NULL);
            continue;
        }
        tp_kept kept = {block->floats + event->kept, event->ndim, {0}};
        for (int axis = 0; axis < event->ndim; axis++) kept.shape[axis] = event->shape[axis];
        status = tp_trace_log_keep(trace_log, event->kind, event->layer, &event->stats, owner,
                                   &kept);
    }
    Py_XDECREF(owner);
    log->count = log->used = 0;
    return status;
}

void tp_llama_log_free(tp_llama_log *log)
{
    PyMem_RawFree(log->events);
    PyMem_RawFree(log->block);
    *log = (tp_llama_log){0};
}
