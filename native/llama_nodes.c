/* The nodes of graphs of llama.cpp: known again by what they are called, and after which. */
#include "llama.h"

#include <string.h>

/* Nearly all that are compared are the same, so there is no use in stopping early. */
static inline bool is_same(const tp_llama_node *node, const char *name, int op)
{
    uint64_t difference = (uint32_t)(node->op ^ op);
    int at = 0;
    for (; at + 8 <= node->length; at += 8) {
        uint64_t a, b;
        memcpy(&a, node->name + at, 8);
        memcpy(&b, name + at, 8);
        difference |= a ^ b;
    }
    for (; at < node->length; at++) difference |= (uint8_t)(node->name[at] ^ name[at]);
    return difference == 0;
}

int tp_llama_find(const tp_llama_nodes *nodes, int after, const char *name, int op)
{
    if (TP_UNLIKELY(nodes->count == 0)) return 0;
    int at = nodes->all[after].child;
    while (at != 0 && !is_same(&nodes->all[at], name, op)) at = nodes->all[at].sibling;
    return at;
}

static bool grow(tp_llama_nodes *nodes)
{
    int room = nodes->room ? 2 * nodes->room : 1024;
    tp_llama_node *all = PyMem_RawRealloc(nodes->all, (size_t)room * sizeof *all);
    if (all == NULL) return false;
    if (nodes->count == 0) {
        memset(all, 0, sizeof *all);
        nodes->count = 1;
    }
    nodes->all = all;
    nodes->room = room;
    return true;
}

int tp_llama_add(tp_llama_nodes *nodes, int after, const char *name, int op)
{
    if (nodes->count == TP_LLAMA_MOST_NODES) return -1;
    if (nodes->count == nodes->room && !grow(nodes)) return -1;
    const int at = nodes->count++;
    tp_llama_node *node = &nodes->all[at];
    const size_t length = strnlen(name, TP_LLAMA_NAME);
    memset(node, 0, sizeof *node);
    memcpy(node->name, name, length);
    node->length = (uint8_t)(length < TP_LLAMA_NAME ? length + 1 : length);
    node->op = op;
    node->rule = TP_LLAMA_UNWANTED;
    node->slot = -1;
    node->sibling = nodes->all[after].child; /* the newest graph is looked at first */
    nodes->all[after].child = at;
    return at;
}

void tp_llama_forget(tp_llama_nodes *nodes)
{
    PyMem_RawFree(nodes->all);
    *nodes = (tp_llama_nodes){0};
}
