/* Expressions over strips of float64, and the passes that feed them from arrays. */
#ifndef TRACEPACT_PROGRAM_H
#define TRACEPACT_PROGRAM_H

#include "measure.h"

enum {
    TP_STRIP = 256,       /* elements that one instruction works on at a time */
    TP_MAX_NODES = 128,   /* of one program */
    TP_MAX_BUFFERS = 28,  /* of TP_STRIP numbers each */
    TP_MAX_SINKS = 16,    /* of one pass */
    TP_MAX_FIELDS = 16,
    TP_MAX_VALUES = 32,   /* fields and labels */
    TP_MAX_SLOTS = 64,
    TP_NO_SLOT = TP_MAX_SLOTS, /* is always 0 */
    TP_UNREAD_SLOT,       /* takes what nobody reads */
    TP_MAX_GIVEN = 8,     /* slots that one measuring fills */
};

/* name in C, name in Python, number of operands. Truth values are 1.0 and 0.0. */
#define TP_OPERATIONS(X) \
    X(VALUE, "value", 0) X(SLOT, "slot", 0) X(CONSTANT, "constant", 0) \
    X(NEGATE, "negate", 1) X(ABS, "abs", 1) X(SQRT, "sqrt", 1) X(SQUARE, "square", 1) \
    X(EXP, "exp", 1) X(LOG, "log", 1) X(FLOOR, "floor", 1) X(CEIL, "ceil", 1) \
    X(ROUND, "round", 1) X(SIGN, "sign", 1) X(NOT, "not", 1) \
    X(ISFINITE, "isfinite", 1) X(ISNAN, "isnan", 1) X(ISINF, "isinf", 1) \
    X(ADD, "+", 2) X(ABS_ADD, "abs+abs", 2) \
    X(ABS_SUBTRACT, "abs-", 2) X(SUBTRACT, "-", 2) X(MULTIPLY, "*", 2) \
    X(DIVIDE, "/", 2) \
    X(FLOOR_DIVIDE, "//", 2) X(MODULO, "%", 2) X(POWER, "**", 2) \
    X(MIN, "min", 2) X(MAX, "max", 2) X(EQ, "==", 2) X(NE, "!=", 2) X(LT, "<", 2) \
    X(LE, "<=", 2) X(AND, "and", 2) X(OR, "or", 2) X(WHERE, "where", 3)

#define TP_OPERATION_CODE(code, name, operands) TP_OP_##code,
typedef enum { TP_OPERATIONS(TP_OPERATION_CODE) TP_OPS } tp_op;
#undef TP_OPERATION_CODE

typedef struct {
    double constant;
    uint8_t op;
    uint8_t operands[3]; /* earlier nodes; of VALUE and SLOT the first is the index of that */
    bool is_tested;      /* a comparison that is only ever tested: nobody keeps its result */
    uint8_t buffer;      /* that takes its strip; no two values that live together share one */
} tp_node;

typedef struct {
    tp_node *nodes;
    int count;
    int buffers;
} tp_program;

/* What is kept of an expression; the rows stand first, in the order of tp_row_function. */
typedef enum {
    TP_SINK_ROW_SUMS, TP_SINK_ROW_NORMS, TP_SINK_ROW_MIN, TP_SINK_ROW_MAX,
    TP_SINK_ROW_DOTS, TP_SINK_STATS, TP_SINK_TEST,
    TP_SINKS
} tp_sink_kind;

/* Attributes of tracepact.core.TensorStats. */
#define TP_ATTRIBUTE_NAMES(X) \
    X(COUNT, "count") X(NAN_COUNT, "nan_count") X(INF_COUNT, "inf_count") \
    X(NONFINITE_COUNT, "nonfinite_count") X(LOWEST, "lowest") X(HIGHEST, "highest") \
    X(TOTAL, "total") X(AVERAGE, "average") X(SPREAD, "spread") X(NORM, "norm") \
    X(ARGMIN, "argmin") X(ARGMAX, "argmax")

#define TP_ATTRIBUTE_CODE(code, name) TP_##code,
typedef enum { TP_ATTRIBUTE_NAMES(TP_ATTRIBUTE_CODE) TP_ATTRIBUTES } tp_attribute;
#undef TP_ATTRIBUTE_CODE

/* One of them and the slot that takes it. */
typedef struct {
    uint8_t attribute;
    uint8_t slot;
} tp_given;

typedef struct {
    uint8_t kind;
    uint8_t nodes[2];
    uint8_t label;  /* the value that takes the rows */
    uint8_t wanted; /* statistics */
    uint8_t given_count;
    tp_given given[TP_MAX_GIVEN];
    uint64_t needs[2]; /* nodes below it, as bits */
} tp_sink;

typedef struct {
    tp_program program;
    int sink_count;
    tp_sink sinks[TP_MAX_SINKS];
} tp_pass;

/* A field or a label while a plan runs. */
typedef struct {
    bool is_scalar;
    double number; /* of a scalar */
    tp_view view;  /* of anything else */
} tp_value;

typedef struct {
    double slots[TP_UNREAD_SLOT + 1];
    tp_value values[TP_MAX_VALUES];
    bool is_exact; /* sums are those of any other way to measure */
    void *allocated[2 * TP_MAX_VALUES]; /* rows are made again where the fast way fails */
    int allocated_count;
    int arena_used;
    double arena[512]; /* short labels */
} tp_run;

/* program.c; nothing there needs the GIL. */
/* Finds what each sink needs, and buffers; false if there are too few. */
bool tp_pass_prepare(tp_pass *pass);
double tp_apply(tp_op op, double a, double b, double c);
/* One instruction after the other over n numbers; `at` has where the numbers of each node lie, n of
   them or, where it is no vector, one. */
void tp_strip_run(const tp_node *nodes, const uint8_t *order, int count, const bool *is_vector,
                  const double **at, double *buffers, Py_ssize_t n);
void tp_strip_fill(double value, double *to, Py_ssize_t n);
/* Whether the comparison holds for all of them. */
bool tp_strip_holds(tp_op op, const double *a, bool a_is_vector, const double *b, bool b_is_vector,
                    Py_ssize_t n);
bool tp_strip_all(const double *x, Py_ssize_t n); /* none of them is zero */

/* passes.c: TP_HOLDS unless a test fails (TP_FAILS) or Python has to look (TP_UNKNOWN). */
int tp_pass_run(const tp_pass *pass, tp_run *run);
/* Room for the rows of a label, and its shape; NULL without memory. */
double *tp_label_make(tp_run *run, int label, int ndim, const Py_ssize_t *shape);
void tp_give(const tp_given *given, int count, const tp_stats *stats, double *slots);


/* row_moments.c: either may be NULL. */
void tp_row_moments(const tp_view *view, double *sums, double *norms);

#endif
