/* Memory that will be wanted soon, fetched while something else is waited for.

   A model streams its weights through the caches, so what a check needs is always cold when its
   turn comes: a dozen of lines, one after the other, a hundred nanoseconds each. But turns come in
   the same order in every pass. So each learns what the next one needs, and asks for it. */
#ifndef TRACEPACT_AHEAD_H
#define TRACEPACT_AHEAD_H

#include "tracepact.h"

enum { TP_LINE = 64, TP_MOST_LINES = 44 };

/* Addresses are hints: fetching what is no longer there does no harm. */
typedef struct {
    const void *of;   /* whose they are; NULL: nobody's */
    uint32_t version; /* of it */
    uint32_t count;
    const char *lines[TP_MOST_LINES];
} tp_ahead;

static inline void tp_ahead_fetch(const tp_ahead *ahead)
{
    for (uint32_t i = 0; i < ahead->count; i++) __builtin_prefetch(ahead->lines[i]);
}

/* Adds the lines that `size` bytes lie in. */
void tp_ahead_add(tp_ahead *ahead, const void *from, size_t size);
/* Adds what lies in one piece with an object, its head of the garbage collector's included, and
   of an array of NumPy where its shape is. Needs the GIL. */
void tp_ahead_add_object(tp_ahead *ahead, PyObject *object);

/* hook.c: what a hook will want. Needs the GIL. */
void tp_hook_ahead(tp_ahead *ahead, PyObject *hook);

#endif
