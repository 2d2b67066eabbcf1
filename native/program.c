/* Instructions over strips of float64, by the rules of NumPy's float64 arithmetic. */
#include "program.h"

#include <math.h>
#include <string.h>

#if defined(__clang__)
#define CONTRACTED
#else
#define CONTRACTED __attribute__((optimize("fp-contract=fast")))
#endif

/* Each clone needs its own. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

ALWAYS_INLINE double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* `then` or `otherwise` without a branch, in a form that every compiler turns into vectors. */
ALWAYS_INLINE double pick(bool condition, double then, double otherwise)
{
    const uint64_t mask = -(uint64_t)condition;
    return double_of((bits_of(then) & mask) | (bits_of(otherwise) & ~mask));
}

/* exp without a branch: x = n ln 2 + r with |r| <= ln 2 / 2, a Taylor polynomial of degree 13 in r
   (its rest is below 2^-57), and 2^n in two factors, so that subnormal results and the largest are
   reached. */
ALWAYS_INLINE double exp_of(double x)
{
    const double shift = 0x1.8p52; /* adding it leaves the nearest integer in the low bits */
    double y = pick(x > 711.0, 711.0, x);
    y = pick(y < -747.0, -747.0, y);
    double n = (y * 1.4426950408889634 + shift) - shift;
    double r = (y - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
    double half = n * 0.5 + shift;
    double rest = (n - (half - shift)) + shift;
    double r2 = r * r, r4 = r2 * r2;
    double low = (1.0 / 2 + r * (1.0 / 6)) + r2 * (1.0 / 24 + r * (1.0 / 120));
    double high = (1.0 / 720 + r * (1.0 / 5040)) + r2 * (1.0 / 40320 + r * (1.0 / 362880));
    double top = (1.0 / 3628800 + r * (1.0 / 39916800))
                 + r2 * (1.0 / 479001600 + r * (1.0 / 6227020800));
    double p = 1.0 + (r + r2 * (low + r4 * (high + r4 * top)));
    return p * double_of((bits_of(half) << 52) + (1023ULL << 52))
           * double_of((bits_of(rest) << 52) + (1023ULL << 52));
}

static double modulo(double a, double b)
{
    double rest = fmod(a, b);
    if (b == 0.0) return rest;
    if (rest == 0.0) return copysign(0.0, b);
    return (b < 0) != (rest < 0) ? rest + b : rest;
}

static double floor_divide(double a, double b)
{
    if (b == 0.0) return a / b;
    double rest = fmod(a, b);
    double quotient = (a - rest) / b;
    if (rest != 0.0 && (b < 0) != (rest < 0)) quotient -= 1.0;
    if (quotient == 0.0) return copysign(0.0, a / b);
    double whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1.0 : whole;
}

ALWAYS_INLINE double sign_of(double x)
{
    return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x == 0.0 ? 0.0 : x;
}

/* NaN where one of them is. */
ALWAYS_INLINE double smaller(double a, double b)
{
    double least = a < b ? a : b; /* b where either is NaN */
    return a != a ? a : least;
}

ALWAYS_INLINE double larger(double a, double b)
{
    double most = a > b ? a : b;
    return a != a ? a : most;
}

double tp_apply(tp_op op, double a, double b, double c)
{
    switch (op) {
    case TP_OP_NEGATE: return -a;
    case TP_OP_ABS: return fabs(a);
    case TP_OP_SQRT: return sqrt(a);
    case TP_OP_SQUARE: return a * a;
    case TP_OP_EXP: return exp(a);
    case TP_OP_LOG: return log(a);
    case TP_OP_FLOOR: return floor(a);
    case TP_OP_CEIL: return ceil(a);
    case TP_OP_ROUND: return rint(a);
    case TP_OP_SIGN: return sign_of(a);
    case TP_OP_NOT: return a == 0.0;
    case TP_OP_ISFINITE: return isfinite(a) != 0;
    case TP_OP_ISNAN: return a != a;
    case TP_OP_ISINF: return fabs(a) == INFINITY;
    case TP_OP_ADD: return a + b;
    case TP_OP_SUBTRACT: return a - b;
    case TP_OP_ABS_ADD: return fabs(a) + fabs(b);
    case TP_OP_ABS_SUBTRACT: return fabs(a - b);
    case TP_OP_MULTIPLY: return a * b;
    case TP_OP_DIVIDE: return a / b;
    case TP_OP_FLOOR_DIVIDE: return floor_divide(a, b);
    case TP_OP_MODULO: return modulo(a, b);
    case TP_OP_POWER: return pow(a, b);
    case TP_OP_MIN: return smaller(a, b);
    case TP_OP_MAX: return larger(a, b);
    case TP_OP_EQ: return a == b;
    case TP_OP_NE: return a != b;
    case TP_OP_LT: return a < b;
    case TP_OP_LE: return a <= b;
    case TP_OP_AND: return a * b;
    case TP_OP_OR: return larger(a, b);
    case TP_OP_WHERE: return a != 0.0 ? b : c;
    default: return NAN; /* leaves have their numbers already */
    }
}

#if defined(__clang__)
#define INDEPENDENT /* it looks for itself, and warns of what is no loop for vectors */
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* The buffer of a result is never that of an operand. */
#define LOOP(expression) \
    INDEPENDENT for (Py_ssize_t i = 0; i < n; i++) to[i] = (expression)
#define ONE(expression) \
    { \
        LOOP(expression); \
        break; \
    }
/* An operand that is one number stays in a register. */
#define TWO(function) \
    { \
        if (!is_vector[node->operands[0]]) { \
            const double left = *a; \
            LOOP(function(left, b[i])); \
        } else if (!is_vector[node->operands[1]]) { \
            const double right = *b; \
            LOOP(function(a[i], right)); \
        } else { \
            LOOP(function(a[i], b[i])); \
        } \
        break; \
    }
#define ADD(x, y) ((x) + (y))
#define SUBTRACT(x, y) ((x) - (y))
#define ABS_ADD(x, y) (fabs(x) + fabs(y))
#define ABS_SUBTRACT(x, y) (fabs((x) - (y)))
#define MULTIPLY(x, y) ((x) * (y))
#define DIVIDE(x, y) ((x) / (y))
#define EQUAL(x, y) ((x) == (y) ? 1.0 : 0.0)
#define UNEQUAL(x, y) ((x) != (y) ? 1.0 : 0.0)
#define LESS(x, y) ((x) < (y) ? 1.0 : 0.0)
#define AT_MOST(x, y) ((x) <= (y) ? 1.0 : 0.0)

/* Apart from the others because here alone a product and a sum may round once. */
TP_CLONES CONTRACTED static void exp_strip(const double *a, double *to, Py_ssize_t n)
{
    LOOP(exp_of(a[i]));
}

ALWAYS_INLINE void choose(const uint8_t *of, const bool *is_vector, const double *a,
                          const double *b, const double *c, double *to, Py_ssize_t n)
{
    const double yes = *b, no = *c;
    if (!is_vector[of[0]]) {
        const double *from = *a != 0.0 ? b : c;
        if (is_vector[of[*a != 0.0 ? 1 : 2]]) {
            LOOP(from[i]);
        } else {
            LOOP(*from);
        }
    } else if (is_vector[of[1]] && is_vector[of[2]]) {
        LOOP(a[i] != 0.0 ? b[i] : c[i]);
    } else if (is_vector[of[1]]) {
        LOOP(a[i] != 0.0 ? b[i] : no);
    } else if (is_vector[of[2]]) {
        LOOP(a[i] != 0.0 ? yes : c[i]);
    } else {
        LOOP(a[i] != 0.0 ? yes : no);
    }
}

TP_CLONES
void tp_strip_run(const tp_node *nodes, const uint8_t *order, int count, const bool *is_vector,
                  const double **at, double *buffers, Py_ssize_t n)
{
    for (int k = 0; k < count; k++) {
        const tp_node *node = &nodes[order[k]];
        double *to = buffers + (size_t)node->buffer * TP_STRIP;
        if (node->is_tested) continue;
        const double *a = at[node->operands[0]];
        const double *b = at[node->operands[1]];
        const double *c = at[node->operands[2]];
        switch ((tp_op)node->op) {
        case TP_OP_NEGATE: ONE(-a[i])
        case TP_OP_ABS: ONE(fabs(a[i]))
        case TP_OP_SQRT: ONE(sqrt(a[i]))
        case TP_OP_SQUARE: ONE(a[i] * a[i])
        case TP_OP_EXP: exp_strip(a, to, n); break;
        case TP_OP_LOG: ONE(log(a[i]))
        case TP_OP_FLOOR: ONE(floor(a[i]))
        case TP_OP_CEIL: ONE(ceil(a[i]))
        case TP_OP_ROUND: ONE(rint(a[i]))
        case TP_OP_SIGN: ONE(sign_of(a[i]))
        case TP_OP_NOT: ONE(a[i] == 0.0 ? 1.0 : 0.0)
        case TP_OP_ISFINITE: ONE(fabs(a[i]) < INFINITY ? 1.0 : 0.0)
        case TP_OP_ISNAN: ONE(a[i] != a[i] ? 1.0 : 0.0)
        case TP_OP_ISINF: ONE(fabs(a[i]) == INFINITY ? 1.0 : 0.0)
        case TP_OP_ADD: TWO(ADD)
        case TP_OP_SUBTRACT: TWO(SUBTRACT)
        case TP_OP_ABS_ADD: TWO(ABS_ADD)
        case TP_OP_ABS_SUBTRACT: TWO(ABS_SUBTRACT)
        case TP_OP_AND:
        case TP_OP_MULTIPLY: TWO(MULTIPLY)
        case TP_OP_DIVIDE: TWO(DIVIDE)
        case TP_OP_FLOOR_DIVIDE: TWO(floor_divide)
        case TP_OP_MODULO: TWO(modulo)
        case TP_OP_POWER: TWO(pow)
        case TP_OP_MIN: TWO(smaller)
        case TP_OP_OR:
        case TP_OP_MAX: TWO(larger)
        case TP_OP_EQ: TWO(EQUAL)
        case TP_OP_NE: TWO(UNEQUAL)
        case TP_OP_LT: TWO(LESS)
        case TP_OP_LE: TWO(AT_MOST)
        case TP_OP_WHERE: choose(node->operands, is_vector, a, b, c, to, n); break;
        default: continue;
        }
        at[order[k]] = to;
    }
}

TP_CLONES
void tp_strip_fill(double value, double *to, Py_ssize_t n)
{
    LOOP(value);
}

#define ALL(compared) \
    for (Py_ssize_t i = 0; i < n; i++) broken |= ~-(uint64_t)(compared)
#define ALL_OF(symbol) \
    if (!a_is_vector) { \
        ALL(left symbol b[i]); \
    } else if (!b_is_vector) { \
        ALL(a[i] symbol right); \
    } else { \
        ALL(a[i] symbol b[i]); \
    } \
    break

TP_CLONES
bool tp_strip_holds(tp_op op, const double *a, bool a_is_vector, const double *b, bool b_is_vector,
                    Py_ssize_t n)
{
    const double left = *a, right = *b;
    uint64_t broken = 0;
    switch (op) {
    case TP_OP_EQ: ALL_OF(==);
    case TP_OP_NE: ALL_OF(!=);
    case TP_OP_LT: ALL_OF(<);
    default: ALL_OF(<=);
    }
    return broken == 0;
}

TP_CLONES
bool tp_strip_all(const double *x, Py_ssize_t n)
{
    uint64_t zeros = 0;
    for (Py_ssize_t i = 0; i < n; i++) zeros |= x[i] == 0.0;
    return zeros == 0;
}

static void find_needs(const tp_program *program, tp_sink *sink)
{
    uint64_t *needs = sink->needs;
    for (int k = 0; k < 2; k++) needs[sink->nodes[k] / 64] |= 1ULL << (sink->nodes[k] % 64);
    for (int i = program->count - 1; i >= 0; i--) { /* operands come before what uses them */
        const tp_node *node = &program->nodes[i];
        if (!(needs[i / 64] >> (i % 64) & 1) || node->op <= TP_OP_CONSTANT) continue;
        for (int k = 0; k < 3; k++)
            needs[node->operands[k] / 64] |= 1ULL << (node->operands[k] % 64);
    }
}

bool tp_pass_prepare(tp_pass *pass)
{
    tp_program *program = &pass->program;
    int last_use[TP_MAX_NODES], owner[TP_MAX_BUFFERS];
    bool is_operand[TP_MAX_NODES] = {false};
    for (int i = 0; i < program->count; i++) {
        last_use[i] = i;
        for (int k = 0; program->nodes[i].op > TP_OP_CONSTANT && k < 3; k++)
            last_use[program->nodes[i].operands[k]] = i;
        for (int k = 0; program->nodes[i].op > TP_OP_CONSTANT && k < 3; k++)
            is_operand[program->nodes[i].operands[k]] = true;
    }
    for (int s = 0; s < pass->sink_count; s++) {
        find_needs(program, &pass->sinks[s]);
        for (int k = 0; k < 2; k++) last_use[pass->sinks[s].nodes[k]] = TP_MAX_NODES;
    }
    for (int s = 0; s < pass->sink_count; s++) {
        const tp_sink *sink = &pass->sinks[s];
        for (int k = 0; sink->kind != TP_SINK_TEST && k < 2; k++) is_operand[sink->nodes[k]] = true;
    }
    /* A comparison that is tested keeps no result, but its operands until then. */
    for (int s = 0; s < pass->sink_count; s++) {
        tp_node *node = &program->nodes[pass->sinks[s].nodes[0]];
        bool compares = node->op >= TP_OP_EQ && node->op <= TP_OP_LE;
        if (!compares || is_operand[pass->sinks[s].nodes[0]]) continue;
        node->is_tested = true;
        for (int k = 0; k < 2; k++) last_use[node->operands[k]] = TP_MAX_NODES;
    }
    for (int b = 0; b < TP_MAX_BUFFERS; b++) owner[b] = -1;
    /* Values are loaded before anything is computed, so they take their buffers first. A buffer is
       free again after the last use of what lies in it. */
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < program->count; i++) {
            tp_node *node = &program->nodes[i];
            if (turn == 0 ? node->op != TP_OP_VALUE : node->op <= TP_OP_CONSTANT) continue;
            int b = 0;
            while (b < TP_MAX_BUFFERS && owner[b] >= 0 && (turn == 0 || last_use[owner[b]] >= i))
                b++;
            if (b == TP_MAX_BUFFERS) return false;
            owner[b] = i;
            node->buffer = (uint8_t)b;
            if (b >= program->buffers) program->buffers = b + 1;
        }
    }
    return true;
}
