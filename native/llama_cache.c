/* What the graphs of llama.cpp write into its KV cache: looked at as it is written, and now and
   then later, to see whether it is still the same. Needs no GIL unless it says so. */
#include "llama.h"

#include <string.h>

enum { MOST_CELLS = 1 << 20, MOST_MARKS = 32 };

/* Counts NaN and Inf among the numbers of one cell, and sums their bits up, each with another odd
   factor: whichever number changes, the sum does. Written so that a compiler can use vectors. */
#define LOOK_AT(bits_type, bytes)                                                                  \
    for (uint32_t i = 0; i < width; i++) {                                                         \
        bits_type bits;                                                                            \
        memcpy(&bits, cell + i * (bytes), sizeof bits);                                            \
        strange += (bits & exponent) == exponent;                                                  \
        sum += bits * (2 * i + 1);                                                                 \
    }

static uint32_t look_at_cell(const tp_llama_slot *slot, const char *cell, int64_t *nonfinite)
{
    const uint32_t width = (uint32_t)slot->width, exponent = slot->exponent;
    const Py_ssize_t stride = slot->stride;
    uint32_t sum = 1, strange = 0;
    if (slot->itemsize == 2) {
        if (stride == 2) LOOK_AT(uint16_t, 2)
        else LOOK_AT(uint16_t, stride)
    } else {
        if (stride == 4) LOOK_AT(uint32_t, 4)
        else LOOK_AT(uint32_t, stride)
    }
    *nonfinite += strange;
    return sum ? sum : 1; /* 0 is a cell that was never looked at */
}

static bool has_room(tp_llama_slot *slot, Py_ssize_t cell)
{
    if (cell < slot->room) return true;
    if (cell >= MOST_CELLS) return false;
    Py_ssize_t room = slot->room ? slot->room : 256;
    while (room <= cell) room *= 2;
    uint32_t *marks = PyMem_RawRealloc(slot->marks, (size_t)room * sizeof *marks);
    if (marks == NULL) return false;
    memset(marks + slot->room, 0, (size_t)(room - slot->room) * sizeof *marks);
    slot->marks = marks;
    slot->room = room;
    return true;
}

static void wrote(tp_llama_slot *slot, Py_ssize_t cell)
{
    if (cell < 0 || cell >= slot->cells) return;
    const uint32_t mark =
        look_at_cell(slot, slot->base + cell * slot->cell_stride, &slot->nonfinite);
    if (has_room(slot, cell)) {
        slot->marks[cell] = mark;
        if (cell >= slot->used) slot->used = cell + 1;
    }
}

static const void *pointer_at(const char *tensor, Py_ssize_t at)
{
    const void *pointer;
    memcpy(&pointer, tensor + at, sizeof pointer);
    return pointer;
}

static void found_base(tp_llama_slot *slot, const char *base)
{
    if (slot->base == base) return;
    slot->base = base;
    slot->used = slot->next = 0;
    if (slot->room) memset(slot->marks, 0, (size_t)slot->room * sizeof *slot->marks);
}

/* The rows of `tensor` that its indices name were set. */
static void look_at_rows(const tp_llama_layout *layout, tp_llama_slot *slot, const char *tensor)
{
    static const int8_t second[] = {1};
    tp_value value;
    const char *indices = tp_llama_source(layout, tensor, second, 1);
    const char *base = pointer_at(tensor, layout->data);
    int32_t type = -1;
    int64_t count;
    if (indices == NULL || base == NULL) return;
    memcpy(&type, indices + layout->type, sizeof type);
    memcpy(&count, indices + layout->ne, sizeof count);
    const char *data = pointer_at(indices, layout->data);
    if (type != layout->i64 || data == NULL || (size_t)count * 8 != layout->nbytes(indices)) return;
    if (!tp_llama_value(layout, tensor, TP_LLAMA_DIMS, &value)) return; /* not in this memory */
    found_base(slot, base);
    Py_ssize_t last = -1;
    for (int64_t i = 0; i < count; i++) {
        int64_t row;
        memcpy(&row, data + 8 * i, sizeof row);
        const Py_ssize_t cell = slot->is_transposed ? row % slot->cells : row;
        if (cell != last) wrote(slot, cell);
        last = cell;
    }
}

/* `tensor` is a piece of the cache that was copied into. */
static void look_at_piece(const tp_llama_layout *layout, tp_llama_slot *slot, const char *tensor)
{
    tp_value value;
    const char *whole = pointer_at(tensor, layout->view_src);
    if (whole == NULL || !tp_llama_value(layout, tensor, TP_LLAMA_DIMS, &value)) return;
    const char *base = pointer_at(whole, layout->data);
    if (base == NULL || value.view.data < base) return;
    found_base(slot, base);
    const Py_ssize_t first = (value.view.data - base) / slot->cell_stride;
    for (Py_ssize_t i = 0; i < value.view.size / slot->width; i++) wrote(slot, first + i);
}

void tp_llama_look_at_write(const tp_llama_layout *layout, tp_llama_slot *slot, const char *tensor)
{
    if (slot->by_rows) look_at_rows(layout, slot, tensor);
    else look_at_piece(layout, slot, tensor);
}

/* Marks of cells that lie side by side, number by number: a line of memory has all of theirs. */
#define MARK_ALL(bits_type)                                                                        \
    for (uint32_t i = 0; i < width; i++, row += slot->stride) {                                    \
        bits_type bits[MOST_MARKS];                                                                \
        memcpy(bits, row, (size_t)count * sizeof *bits);                                           \
        for (Py_ssize_t c = 0; c < count; c++) marks[c] += bits[c] * (2 * i + 1);                  \
    }

static void mark_columns(const tp_llama_slot *slot, const char *row, Py_ssize_t count,
                         uint32_t *marks)
{
    const uint32_t width = (uint32_t)slot->width;
    for (Py_ssize_t c = 0; c < count; c++) marks[c] = 1;
    if (slot->itemsize == 2) MARK_ALL(uint16_t)
    else MARK_ALL(uint32_t)
    for (Py_ssize_t c = 0; c < count; c++) marks[c] = marks[c] ? marks[c] : 1;
}

static void mark(const tp_llama_slot *slot, const char *cell, Py_ssize_t count, uint32_t *marks)
{
    int64_t ignored = 0;
    if (slot->cell_stride == slot->itemsize) mark_columns(slot, cell, count, marks);
    else
        for (Py_ssize_t c = 0; c < count; c++)
            marks[c] = look_at_cell(slot, cell + c * slot->cell_stride, &ignored);
}

/* Of some cells that were written earlier, how many are no longer what they were. */
static int64_t count_changed(tp_llama_slot *slot, Py_ssize_t most)
{
    int64_t changed = 0;
    uint32_t now[MOST_MARKS];
    if (slot->next >= slot->used) slot->next = 0;
    const Py_ssize_t end = slot->next + most < slot->used ? slot->next + most : slot->used;
    while (slot->next < end) {
        const Py_ssize_t left = end - slot->next, count = left < MOST_MARKS ? left : MOST_MARKS;
        uint32_t *marks = slot->marks + slot->next;
        mark(slot, slot->base + slot->next * slot->cell_stride, count, now);
        for (Py_ssize_t c = 0; c < count; c++) {
            if (marks[c] == 0 || now[c] == marks[c]) continue;
            marks[c] = now[c];
            changed++;
        }
        slot->next += count;
    }
    return changed;
}

void tp_llama_look_back(tp_llama_slots *slots, Py_ssize_t most)
{
    if (slots->count == 0) return;
    tp_llama_slot *slot = &slots->all[slots->turn++ % slots->count];
    if (slot->is_transposed) most /= 2; /* each number of a cell in another line */
    if (slot->base != NULL) slot->changed += count_changed(slot, most);
}

void tp_llama_slots_forget(tp_llama_slots *slots)
{
    for (int i = 0; i < slots->count; i++) slots->all[i].base = NULL;
}

void tp_llama_slots_free(tp_llama_slots *slots)
{
    for (int i = 0; i < slots->count; i++) PyMem_RawFree(slots->all[i].marks);
    PyMem_RawFree(slots->all);
    *slots = (tp_llama_slots){0};
}

/* -- what Python says of it; needs the GIL ----------------------------------------------------- */

PyObject *tp_llama_learn_slot(tp_llama_slots *slots, PyObject *arguments)
{
    tp_llama_slot new = {0};
    int by_rows, is_transposed;
    if (!PyArg_ParseTuple(arguments, "ippnnnnnI", &new.layer, &by_rows, &is_transposed,
                          &new.cells, &new.width, &new.itemsize, &new.stride, &new.cell_stride,
                          &new.exponent))
        return NULL;
    if (new.layer < 0 || new.cells < 1 || new.width < 1 || new.stride < new.itemsize
        || new.cell_stride < new.itemsize || (new.itemsize != 2 && new.itemsize != 4)) {
        PyErr_SetString(PyExc_ValueError, "no cache has such cells");
        return NULL;
    }
    new.by_rows = by_rows;
    new.is_transposed = is_transposed;
    tp_llama_slot *all = PyMem_RawRealloc(slots->all, (size_t)(slots->count + 1) * sizeof *all);
    if (all == NULL) return PyErr_NoMemory();
    slots->all = all;
    all[slots->count] = new;
    return PyLong_FromLong(slots->count++);
}

/* [(layer, NaN and Inf that were written, cells that have changed)] of those where there are any,
   which are then forgotten. */
PyObject *tp_llama_take_found(tp_llama_slots *slots)
{
    PyObject *found = PyList_New(0);
    for (int i = 0; found != NULL && i < slots->count; i++) {
        tp_llama_slot *slot = &slots->all[i];
        if (slot->nonfinite == 0 && slot->changed == 0) continue;
        PyObject *entry = Py_BuildValue("(iLL)", slot->layer, (long long)slot->nonfinite,
                                        (long long)slot->changed);
        if (entry == NULL || PyList_Append(found, entry) < 0) Py_CLEAR(found);
        Py_XDECREF(entry);
        slot->nonfinite = slot->changed = 0;
    }
    return found;
}
