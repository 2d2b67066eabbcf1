/* The nodes of graphs of llama.cpp: known again by what they are called, and after which. */
#include "llama.h"

#include <string.h>

/* Nearly all that are compared are the same, so there is no use in stopping early. */
static inline bool is_same(const tp_llama_nodes *nodes, int at, const char *name, int op)
{
    const tp_llama_label *label = &nodes->labels[at];
    uint64_t difference = (uint32_t)(nodes->all[at].op ^ op);
    int i = 0;
    for (; i + 8 <= label->length; i += 8) {
        uint64_t a, b;
        memcpy(&a, label->name + i, 8);
        memcpy(&b, name + i, 8);
        difference |= a ^ b;
    }
    for (; i < label->length; i++) difference |= (uint8_t)(label->name[i] ^ name[i]);
    return difference == 0;
}

int tp_llama_find(tp_llama_nodes *nodes, int after, const char *tensor, const char *name, int op)
{
    if (TP_UNLIKELY(nodes->count == 0)) return 0;
    int at = nodes->all[after].child;
    tp_llama_node *only = &nodes->all[at];
    if (TP_LIKELY(only->tensor == tensor && only->op == op && !nodes->is_strict)) return at;
    while (at != 0 && !is_same(nodes, at, name, op)) at = nodes->all[at].sibling;
    if (at == 0) return 0;
    tp_llama_node *found = &nodes->all[at];
    const bool is_wanted = found->rule != TP_LLAMA_UNWANTED || found->slot >= 0;
    const bool is_alone = found->sibling == 0 && nodes->all[after].child == at;
    found->tensor = is_alone && !is_wanted ? tensor : NULL;
    return at;
}

static bool grow(tp_llama_nodes *nodes)
{
    int room = nodes->room ? 2 * nodes->room : 1024;
    tp_llama_node *all = PyMem_RawRealloc(nodes->all, (size_t)room * sizeof *all);
    if (all == NULL) return false;
    nodes->all = all;
    tp_llama_label *labels = PyMem_RawRealloc(nodes->labels, (size_t)room * sizeof *labels);
    if (labels == NULL) return false;
    nodes->labels = labels;
    if (nodes->count == 0) {
        memset(all, 0, sizeof *all);
        memset(labels, 0, sizeof *labels);
        nodes->count = 1;
    }
    nodes->room = room;
    return true;
}

int tp_llama_add(tp_llama_nodes *nodes, int after, const char *name, int op)
{
    if (nodes->count == TP_LLAMA_MOST_NODES) return -1;
    if (nodes->count == nodes->room && !grow(nodes)) return -1;
    const int at = nodes->count++;
    tp_llama_node *node = &nodes->all[at];
    tp_llama_label *label = &nodes->labels[at];
    const size_t length = strnlen(name, TP_LLAMA_NAME);
    memset(node, 0, sizeof *node);
    memset(label, 0, sizeof *label);
    memcpy(label->name, name, length);
    label->length = (uint8_t)(length < TP_LLAMA_NAME ? length + 1 : length);
    node->op = op;
    node->rule = TP_LLAMA_UNWANTED;
    node->slot = -1;
    node->sibling = nodes->all[after].child; /* the newest graph is looked at first */
    if (node->sibling != 0) nodes->all[node->sibling].tensor = NULL;
    nodes->all[after].child = at;
    return at;
}

void tp_llama_forget(tp_llama_nodes *nodes)
{
    PyMem_RawFree(nodes->all);
    PyMem_RawFree(nodes->labels);
    *nodes = (tp_llama_nodes){0};
}
