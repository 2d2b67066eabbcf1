/* A table that grows by layers. */
#include "places.h"

#include <string.h>

tp_place *tp_places_grow(tp_places *places, Py_ssize_t layer, int brick)
{
    Py_ssize_t layers = 2 * (layer + 2);
    const size_t row = TP_PLACES_A_LAYER * sizeof(tp_place);
    tp_place *all = PyMem_Realloc(places->all, (size_t)layers * row);
    if (all == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    memset(all + places->layers * TP_PLACES_A_LAYER, 0, (size_t)(layers - places->layers) * row);
    places->all = all;
    places->layers = layers;
    return tp_place_of(places, layer, brick);
}

void tp_places_use(tp_places *places, PyObject *timer)
{
    if (places->timer == timer) return;
    for (Py_ssize_t i = 0; i < places->layers * TP_PLACES_A_LAYER; i++)
        places->all[i].brick = NULL;
    Py_XSETREF(places->timer, Py_XNewRef(timer));
}

int tp_places_traverse(tp_places *places, visitproc visit, void *arg)
{
    for (Py_ssize_t i = 0; i < places->layers * TP_PLACES_A_LAYER; i++)
        Py_VISIT(places->all[i].cost);
    Py_VISIT(places->timer);
    return 0;
}

void tp_places_clear(tp_places *places)
{
    tp_place *all = places->all;
    const Py_ssize_t count = places->layers * TP_PLACES_A_LAYER;
    places->all = NULL;
    places->layers = 0;
    for (Py_ssize_t i = 0; i < count; i++) Py_XDECREF(all[i].cost);
    PyMem_Free(all);
    Py_CLEAR(places->timer);
}
