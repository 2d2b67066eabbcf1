/* What can be known of the steps of a plan before it runs. */
#include "plan.h"

#include <stddef.h>

#include <math.h>

static bool program_reads(const tp_program *program, uint8_t slot)
{
    for (int i = 0; i < program->count; i++)
        if (program->nodes[i].op == TP_OP_SLOT && program->nodes[i].operands[0] == slot)
            return true;
    return false;
}

/* Whether a lowest element is only ever compared with numbers that are not above 0. */
static bool only_sign_counts(const tp_plan *plan, uint8_t slot)
{
    if (program_reads(&plan->tests, slot)) return false;
    for (int i = 0; i < plan->step_count; i++) {
        const tp_step *step = &plan->steps[i];
        if (step->kind == TP_STEP_PASS && program_reads(&step->pass->program, slot)) return false;
    }
    for (int i = 0; i < plan->interval_count; i++) {
        const tp_interval *it = &plan->intervals[i];
        if (it->slot == slot && !(it->low <= 0 && it->high == INFINITY)) return false;
    }
    return true;
}

/* Whether all that it gives is what the sum and the extremes of finite elements say; then where
   that goes. */
static bool reads_range(tp_step *step)
{
    uint8_t *const places[TP_ATTRIBUTES] = {
        [TP_COUNT] = &step->count_slot, [TP_LOWEST] = &step->lowest_slot,
        [TP_HIGHEST] = &step->highest_slot, [TP_TOTAL] = &step->total_slot,
    };
    if (!step->has_label && !(step->wanted & ~TP_COUNTS)) return false;
    for (int i = 0; i <= TP_TOTAL; i++)
        if (places[i] != NULL) *places[i] = TP_UNREAD_SLOT;
    for (int i = 0; i < step->given_count; i++) {
        const tp_given given = step->given[i];
        if (given.attribute > TP_TOTAL) return false;
        if (places[given.attribute] == NULL) {
            step->given[i] = step->given[step->zero_count];
            step->given[step->zero_count++] = given;
        } else if (*places[given.attribute] == TP_UNREAD_SLOT) {
            *places[given.attribute] = given.slot;
        } else {
            return false;
        }
    }
    return true;
}

static bool reads_norm(const tp_step *step)
{
    if (step->has_label || !(step->wanted & TP_MOMENTS)) return false;
    for (int i = 0; i < step->given_count; i++) {
        const uint8_t attribute = step->given[i].attribute;
        if (attribute > TP_NONFINITE_COUNT && attribute != TP_NORM) return false;
    }
    return true;
}

static bool reads_sign(const tp_plan *plan, const tp_step *step)
{
    for (int i = 0; i < step->given_count; i++)
        if (step->given[i].attribute == TP_LOWEST && !only_sign_counts(plan, step->given[i].slot))
            return false;
    return true;
}

static bool reads_value(const tp_step *step, uint8_t value)
{
    switch ((tp_step_kind)step->kind) {
    case TP_STEP_MEASURE:
    case TP_STEP_ROWS:
    case TP_STEP_MOMENTS: return step->value == value;
    case TP_STEP_COUNTS: return step->value == value || step->label == value;
    case TP_STEP_PASS:
        for (int i = 0; i < step->pass->program.count; i++) {
            const tp_node *node = &step->pass->program.nodes[i];
            if (node->op == TP_OP_VALUE && node->operands[0] == value) return true;
        }
        return false;
    default: return false; /* they ask for fields */
    }
}

/* Rows of a step whose range is what the next one wants, and perhaps nobody else. */
static void join_rows(const tp_plan *plan, tp_step *step)
{
    const tp_step *next = step + 1, *end = plan->steps + plan->step_count;
    if (!step->only_range || !step->has_label || next == end || next->kind != TP_STEP_MEASURE
        || !next->only_range || next->has_label || next->value != step->label)
        return;
    step->rows_follow = step->rows_are_private = true;
    for (const tp_step *other = plan->steps; other < end; other++)
        if (other != next && reads_value(other, step->label)) step->rows_are_private = false;
}

void tp_steps_prepare(tp_plan *plan)
{
    for (int i = 0; i < plan->step_count; i++) {
        tp_step *step = &plan->steps[i];
        for (int dtype = 0; dtype <= TP_BF16; dtype++)
            step->of_one_term[dtype] = step->base + plan->roundoff[dtype] + plan->underflow[dtype];
        if (step->kind != TP_STEP_MEASURE) continue;
        step->only_range = reads_range(step);
        step->only_norm = reads_norm(step);
        step->only_sign = reads_sign(plan, step);
    }
    for (int i = 0; i < plan->step_count; i++) join_rows(plan, &plan->steps[i]);
}

static void add_pass(tp_ahead *ahead, const tp_pass *pass)
{
    const size_t sinks = (size_t)pass->sink_count * sizeof *pass->sinks;
    tp_ahead_add(ahead, pass, offsetof(tp_pass, sinks) + sinks);
    tp_ahead_add(ahead, pass->program.nodes,
                 (size_t)pass->program.count * sizeof *pass->program.nodes);
}

void tp_plan_ahead(const tp_plan *plan, tp_ahead *ahead)
{
    tp_ahead_add(ahead, &plan->field_count, offsetof(tp_plan, is_measured)
                                                - offsetof(tp_plan, field_count));
    tp_ahead_add(ahead, plan->steps, (size_t)plan->step_count * sizeof *plan->steps);
    tp_ahead_add(ahead, &plan->steps, offsetof(tp_plan, roundoff) - offsetof(tp_plan, steps));
    tp_ahead_add(ahead, plan->intervals, (size_t)plan->interval_count * sizeof *plan->intervals);
    for (int i = 0; i < plan->step_count; i++)
        if (plan->steps[i].kind == TP_STEP_PASS) add_pass(ahead, plan->steps[i].pass);
    tp_ahead_add(ahead, plan->limits, (size_t)plan->limit_count * sizeof *plan->limits);
    tp_ahead_add(ahead, plan->outcomes, (size_t)plan->outcome_count * sizeof *plan->outcomes);
    tp_ahead_add(ahead, &plan->roundoff[TP_F32], sizeof(double));
    tp_ahead_add(ahead, &plan->underflow[TP_F32], sizeof(double));
    tp_ahead_add(ahead, plan->tests.nodes,
                 (size_t)plan->tests.count * sizeof *plan->tests.nodes);
}

void tp_plan_fetch(PyObject *plan) { tp_ahead_fetch(&((const tp_plan *)plan)->ahead); }
