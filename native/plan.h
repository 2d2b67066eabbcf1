/* What a plan is made of. */
#ifndef TRACEPACT_PLAN_H
#define TRACEPACT_PLAN_H

#include "ahead.h"
#include "program.h"

typedef enum {
    TP_STEP_MEASURE, TP_STEP_COUNTS, TP_STEP_ROWS, TP_STEP_MOMENTS, TP_STEP_ASK,
    TP_STEP_SAME_SHAPE, TP_STEP_HAS_SHAPE, TP_STEP_TOLERANCE, TP_STEP_PASS
} tp_step_kind;

typedef enum { TP_ASK_SHAPE, TP_ASK_LEN, TP_ASK_SIZE, TP_ASK_NDIM, TP_ASK_ITEMSIZE } tp_question;

typedef struct {
    uint8_t kind;
    uint8_t function; /* tp_row_function or tp_question */
    uint8_t value, other;
    uint8_t slot;
    bool has_label, has_other_label, sums_rows, sums_all;
    bool only_norm;  /* is all that a measuring gives, besides counts */
    bool only_range; /* or nothing but what a sum and the extremes say of finite elements */
    bool only_sign;  /* counts, of the lowest element */
    bool rows_follow;      /* the next step measures them */
    bool rows_are_private; /* and no other reads them */
    uint8_t count_slot, lowest_slot, highest_slot, total_slot; /* with only_range; TP_UNREAD_SLOT */
    uint8_t zero_count; /* with only_range: the first of `given`, which are 0 */
    uint8_t label, other_label;
    uint8_t wanted;
    uint8_t given_count;
    uint8_t count; /* of shape, of fields */
    int axis;
    double base, of_one_term[TP_BF16 + 1]; /* tolerances of floats */
    union {
        tp_given given[TP_MAX_GIVEN];
        Py_ssize_t shape[TP_MAX_DIMS];
        uint8_t fields[TP_MAX_FIELDS];
        tp_pass *pass;
    };
} tp_step;

/* A slot between two numbers; holds in any case where the slot `vacuous` counts no element. */
typedef struct {
    double low, high;
    uint8_t slot;
    bool may_be_vacuous;
    uint8_t vacuous;
} tp_interval;

typedef struct {
    uint8_t node;
    bool may_be_vacuous;
    uint8_t vacuous;
} tp_outcome;

/* An outcome of the form |slot - centre| <= margin + limit, or the same without | |. */
typedef struct {
    double centre, margin;
    uint8_t slot, limit; /* slots; the latter may be TP_NO_SLOT */
    bool is_distance;
    bool may_be_vacuous;
    uint8_t vacuous;
} tp_limit;

typedef struct {
    PyObject_HEAD
    PyObject *fields; /* tuple of interned names */
    int field_count;
    int step_count, interval_count, outcome_count;
    bool is_interval; /* where all fields are numbers, `scalars` decides alone */
    bool is_measured[TP_MAX_FIELDS];
    tp_bounds scalars[TP_MAX_FIELDS];
    tp_step *steps;
    tp_interval *intervals;
    tp_program tests; /* over slots */
    tp_outcome *outcomes;
    tp_limit *limits;
    int limit_count, open_count; /* outcomes that are a limit; the others, which come first */
    double roundoff[TP_DTYPES], underflow[TP_DTYPES], tolerances_per_term;
    tp_ahead ahead; /* what a run of it reads */
} tp_plan;

/* plan_parse.c: fills an empty plan; -1 with an error set where the description is not sound. */
int tp_plan_parse(tp_plan *plan, PyObject *const *parts);
enum { TP_PLAN_PARTS = 6 };

/* plan_prepare.c: finds out what the measuring steps need not do. */
void tp_steps_prepare(tp_plan *plan);

/* Adds what a run of a plan reads. */
void tp_plan_ahead(const tp_plan *plan, tp_ahead *ahead);

/* plan_run.c */
int tp_plan_run_init(void);
/* tp_plan_run of values that somebody has looked up already; needs no GIL where
   tp_is_without_gil says so. */
int tp_plan_run_values(const tp_plan *plan, const tp_value *values, tp_stats *stats);
/* The value of the only outcome instead of a verdict. */
int tp_plan_compute(const tp_plan *plan, PyObject *const *values, double *value);

/* plan_tests.c */
/* Finds the limits among the outcomes; -1 with an error set without memory. */
int tp_tests_prepare(tp_plan *plan);
int tp_tests_run(const tp_plan *plan, const double *slots);
/* The value of each node; `results` has room for TP_MAX_NODES. */
void tp_tests_compute(const tp_plan *plan, const double *slots, double *results);

#endif
