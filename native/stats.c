/* Statistics of elements that follow each other are put together. */
#include "measure.h"

#include <math.h>

void tp_stats_clear(tp_stats *stats, unsigned wanted)
{
    *stats = (tp_stats){
        .min = NAN, .max = NAN, .mean = NAN, .argmin = -1, .argmax = -1,
        .measured = wanted | TP_COUNTS,
    };
}

void tp_stats_of_scalar(double value, tp_stats *out)
{
    tp_stats_clear(out, TP_COUNTS | TP_RANGE | TP_SUM | TP_MOMENTS | TP_ARGS);
    out->count = 1;
    out->argmin = out->argmax = 0;
    if (isfinite(value)) {
        out->min = out->max = out->sum = out->mean = value;
        out->l2 = fabs(value);
        return;
    }
    out->nan_count = isnan(value) != 0;
    out->posinf_count = value == INFINITY;
    out->neginf_count = value == -INFINITY;
}

static int64_t finite_count(const tp_stats *stats)
{
    return stats->count - stats->nan_count - stats->posinf_count - stats->neginf_count;
}

double tp_stats_lowest(const tp_stats *stats)
{
    if (stats->nan_count) return NAN;
    if (stats->neginf_count) return -INFINITY;
    return finite_count(stats) ? stats->min : INFINITY;
}

double tp_stats_highest(const tp_stats *stats)
{
    if (stats->nan_count) return NAN;
    if (stats->posinf_count) return INFINITY;
    return finite_count(stats) ? stats->max : -INFINITY;
}

double tp_stats_contagion(const tp_stats *stats)
{
    if (stats->nan_count || (stats->posinf_count && stats->neginf_count)) return NAN;
    return stats->posinf_count ? INFINITY : stats->neginf_count ? -INFINITY : 0.0;
}

/* Whether a later element takes the place of the smallest so far; the first NaN keeps it. */
static bool goes_first(double new, double old)
{
    return !isnan(old) && !(new >= old);
}

bool tp_stats_lower(const tp_stats *into, const tp_stats *other)
{
    return !into->count || goes_first(tp_stats_lowest(other), tp_stats_lowest(into));
}

bool tp_stats_higher(const tp_stats *into, const tp_stats *other)
{
    return !into->count || goes_first(-tp_stats_highest(other), -tp_stats_highest(into));
}

static void add_moments(tp_stats *into, const tp_stats *other, double mine, double theirs)
{
    if (mine == 0) {
        into->mean = other->mean;
        into->m2 = other->m2;
        into->l2 = other->l2;
        return;
    }
    double distance = other->mean - into->mean, share = theirs / (mine + theirs);
    into->mean += distance * share;
    into->m2 += other->m2 + distance * distance * mine * share;
    into->l2 = hypot(into->l2, other->l2);
}

void tp_stats_add(tp_stats *into, const tp_stats *other)
{
    int64_t mine = finite_count(into), theirs = finite_count(other);
    into->measured &= other->measured;
    if (other->count && (into->measured & TP_ARGS)) {
        bool lower = tp_stats_lower(into, other), higher = tp_stats_higher(into, other);
        if (lower) into->argmin = into->count + other->argmin;
        if (higher) into->argmax = into->count + other->argmax;
    }
    if (theirs) {
        if (!mine || other->min < into->min) into->min = other->min;
        if (!mine || other->max > into->max) into->max = other->max;
        into->sum += other->sum;
        if (into->measured & TP_MOMENTS) add_moments(into, other, (double)mine, (double)theirs);
    }
    into->count += other->count;
    into->nan_count += other->nan_count;
    into->posinf_count += other->posinf_count;
    into->neginf_count += other->neginf_count;
}
