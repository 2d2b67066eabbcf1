/* The tests over what a plan has measured. */
#include "plan.h"

#include <math.h>

void tp_tests_compute(const tp_plan *plan, const double *slots, double *results)
{
    for (int i = 0; i < plan->tests.count; i++) {
        const tp_node *node = &plan->tests.nodes[i];
        const uint8_t *of = node->operands;
        results[i] = node->op == TP_OP_SLOT       ? slots[of[0]]
                     : node->op == TP_OP_CONSTANT ? node->constant
                                                  : tp_apply(node->op, results[of[0]],
                                                             results[of[1]], results[of[2]]);
    }
}

static bool is_slot(const tp_node *node, uint8_t *slot)
{
    *slot = node->operands[0];
    return node->op == TP_OP_SLOT;
}

static bool is_constant(const tp_node *node, double *constant)
{
    *constant = node->constant;
    return node->op == TP_OP_CONSTANT;
}

/* slot, |slot| or |slot - constant| */
static bool read_side(const tp_node *nodes, const tp_node *side, tp_limit *it)
{
    const tp_node *left = &nodes[side->operands[0]], *right = &nodes[side->operands[1]];
    if (is_slot(side, &it->slot)) return true;
    it->is_distance = true;
    if (side->op == TP_OP_ABS) return is_slot(left, &it->slot);
    return side->op == TP_OP_ABS_SUBTRACT
           && ((is_slot(left, &it->slot) && is_constant(right, &it->centre))
               || (is_constant(left, &it->centre) && is_slot(right, &it->slot)));
}

/* constant, slot, or their sum */
static bool read_margin(const tp_node *nodes, const tp_node *side, tp_limit *it)
{
    const tp_node *left = &nodes[side->operands[0]], *right = &nodes[side->operands[1]];
    it->limit = TP_NO_SLOT;
    if (is_constant(side, &it->margin)) return true;
    it->margin = 0;
    if (is_slot(side, &it->limit)) return true;
    return side->op == TP_OP_ADD
           && ((is_slot(left, &it->limit) && is_constant(right, &it->margin))
               || (is_constant(left, &it->margin) && is_slot(right, &it->limit)));
}

int tp_tests_prepare(tp_plan *plan)
{
    const tp_node *nodes = plan->tests.nodes;
    plan->limits = PyMem_Calloc((size_t)plan->outcome_count + 1, sizeof *plan->limits);
    if (plan->limits == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int i = 0; i < plan->outcome_count; i++) {
        const tp_outcome outcome = plan->outcomes[i];
        const tp_node *node = &nodes[outcome.node];
        tp_limit limit = {.may_be_vacuous = outcome.may_be_vacuous, .vacuous = outcome.vacuous};
        if (node->op == TP_OP_LE && read_side(nodes, &nodes[node->operands[0]], &limit)
            && read_margin(nodes, &nodes[node->operands[1]], &limit)) {
            plan->limits[plan->limit_count++] = limit;
            continue;
        }
        plan->outcomes[i] = plan->outcomes[plan->open_count];
        plan->outcomes[plan->open_count++] = outcome;
    }
    return 0;
}

static bool run_program(const tp_plan *plan, const double *slots)
{
    double results[TP_MAX_NODES];
    tp_tests_compute(plan, slots, results);
    for (int i = 0; i < plan->open_count; i++) {
        const tp_outcome *it = &plan->outcomes[i];
        if (results[it->node] != 0) continue;
        if (!it->may_be_vacuous || slots[it->vacuous] != 0) return false;
    }
    return true;
}

int tp_tests_run(const tp_plan *plan, const double *slots)
{
    const tp_interval *intervals_end = plan->intervals + plan->interval_count;
    for (const tp_interval *it = plan->intervals; it < intervals_end; it++) {
        double value = slots[it->slot];
        if (TP_LIKELY(value >= it->low && value <= it->high)) continue;
        if (!it->may_be_vacuous || slots[it->vacuous] != 0) return TP_FAILS;
    }
    const tp_limit *limits_end = plan->limits + plan->limit_count;
    for (const tp_limit *it = plan->limits; it < limits_end; it++) {
        double value = slots[it->slot], limit = it->margin + slots[it->limit];
        if (it->is_distance) value = fabs(value - it->centre);
        if (TP_LIKELY(value <= limit)) continue;
        if (!it->may_be_vacuous || slots[it->vacuous] != 0) return TP_FAILS;
    }
    return plan->open_count == 0 || run_program(plan, slots) ? TP_HOLDS : TP_FAILS;
}

const tp_bounds *tp_plan_bounds(PyObject *self)
{
    const tp_plan *plan = (const tp_plan *)self;
    return plan->is_interval ? plan->scalars : NULL;
}
