/* What a probe keeps of each brick of each layer: side by side in the order in which a model runs
   them, because its weights drive all of this out of the caches between two of them. */
#ifndef TRACEPACT_PLACES_H
#define TRACEPACT_PLACES_H

#include "tracepact.h"

struct tp_brick;

typedef struct {
    struct tp_brick *brick; /* of the timer; NULL until it is known */
    PyObject *cost;         /* NULL until it is known */
} tp_place;

typedef struct {
    tp_place *all;
    Py_ssize_t layers;
    PyObject *timer; /* whose bricks these are */
} tp_places;

enum { TP_PLACES_A_LAYER = 32 };

tp_place *tp_places_grow(tp_places *places, Py_ssize_t layer, int brick);

/* The place of a brick, valid until the next call; layer -1 is outside of the layers. NULL with
   MemoryError. */
static inline tp_place *tp_place_of(tp_places *places, Py_ssize_t layer, int brick)
{
    if (TP_UNLIKELY(layer + 1 >= places->layers)) return tp_places_grow(places, layer, brick);
    return &places->all[(layer + 1) * TP_PLACES_A_LAYER + brick];
}

/* Forgets the bricks of another timer; NULL is none. */
void tp_places_use(tp_places *places, PyObject *timer);
int tp_places_traverse(tp_places *places, visitproc visit, void *arg);
void tp_places_clear(tp_places *places);

#endif
