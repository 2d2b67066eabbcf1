/* Row sums and extremes of float32, with the extremes taken from the bit patterns: more units of a
   processor compare integers than compare floats.

   Among patterns without sign the order is that of the numbers; among those with sign it is the
   reverse, and as unsigned integers they are above all others. */

typedef struct {
    VBITS low, high, high_signed;
} f32_extremes;

static inline __attribute__((always_inline)) void f32_extend(f32_extremes *it, VF v, bool lowest,
                                                             bool negative)
{
    if (lowest) it->low = MIN_U((VBITS)v, it->low);
    it->high = MAX_U((VBITS)v, it->high);
    if (negative) it->high_signed = MAX_I((VBITS)v, it->high_signed);
}

static inline __attribute__((always_inline)) float f32_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Whether that was right: without `negative` it is if no element has a sign. Without `lowest` the
   lowest is 0. With `align` no vector crosses a line of the cache. */
static inline __attribute__((always_inline)) bool f32_bits(
    const char *bytes, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t stride, double *row_sums,
    tp_range *out, bool lowest, bool negative, bool align, bool ahead)
{
    f32_extremes all = {(VBITS)(~(VUINT){0}), (VBITS)(VUINT){0}, (VBITS)((VUINT){0} + 0x80000000u)};
    double total = 0;
    for (Py_ssize_t row = 0; row < rows; row++) {
        const float *x = (const float *)(bytes + row * stride);
        VD lower = {0}, upper = {0};
        Py_ssize_t n = width;
        if (align && n >= 128 * LANES_F && (uintptr_t)x % 4 == 0 && (uintptr_t)x % BYTES != 0) {
            /* Those that do take twice as long. */
            Py_ssize_t head = (BYTES - (Py_ssize_t)((uintptr_t)x % BYTES)) / 4;
            VF sum = TAIL_F(x, head, (VF){0});
            f32_extend(&all, TAIL_F(x, head, f32_all(*(const float_any *)x)), lowest, negative);
            WIDE_ADD(lower, upper, sum);
            n -= head;
            x += head;
        }
        while (n >= 8 * LANES_F) {
            VF sum = {0};
            Py_ssize_t end = n > TREES * 8 * LANES_F ? n - TREES * 8 * LANES_F : 0;
            for (; n >= end + 8 * LANES_F; n -= 8 * LANES_F, x += 8 * LANES_F) {
                if (ahead) fetch_ahead(x);
                VF a = f32_load(x), b = f32_load(x + LANES_F);
                VF c = f32_load(x + 2 * LANES_F), d = f32_load(x + 3 * LANES_F);
                VF e = f32_load(x + 4 * LANES_F), f = f32_load(x + 5 * LANES_F);
                VF g = f32_load(x + 6 * LANES_F), h = f32_load(x + 7 * LANES_F);
                sum += ((a + b) + (c + d)) + ((e + f) + (g + h));
#define TREE(join)                                                                                 \
    join(join(join((VBITS)a, (VBITS)b), join((VBITS)c, (VBITS)d)),                                 \
         join(join((VBITS)e, (VBITS)f), join((VBITS)g, (VBITS)h)))
                if (lowest) all.low = MIN_U(all.low, TREE(MIN_U));
                all.high = MAX_U(all.high, TREE(MAX_U));
                if (negative) all.high_signed = MAX_I(all.high_signed, TREE(MAX_I));
#undef TREE
            }
            WIDE_ADD(lower, upper, sum);
        }
        if (n > 0) {
            VF sum = {0};
            for (; n >= LANES_F; n -= LANES_F, x += LANES_F) {
                VF a = f32_load(x);
                sum += a;
                f32_extend(&all, a, lowest, negative);
            }
            if (n > 0) {
                sum += TAIL_F(x, n, (VF){0});
                f32_extend(&all, TAIL_F(x, n, f32_all(*(const float_any *)x)), lowest, negative);
            }
            WIDE_ADD(lower, upper, sum);
        }
        double sum = SUM_D(lower + upper);
        row_sums[row] = sum;
        total += sum;
    }
    uint32_t low = MOST_U(all.high), high = low;
    const bool has_sign = low >> 31;
    if (!has_sign || negative) {
        uint32_t least = lowest ? LEAST_U(all.low) : 0;
        if (!has_sign) low = least;
        if (negative) {
            int32_t highest = MOST_I(all.high_signed);
            high = highest < 0 ? least : (uint32_t)highest;
        }
    }
    out->min = f32_of_bits(low);
    out->max = f32_of_bits(high);
    out->sum = total;
    return negative || !has_sign;
}

static void f32_rows(const char *x, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t stride,
                     double *row_sums, tp_range *out)
{
    /* Probabilities, and whatever else has no sign, need one comparison less. */
    const bool guess = rows > 0 && width > 0 && *(const float_any *)x >= 0;
    if (guess && f32_bits(x, rows, width, stride, row_sums, out, true, false, false, true))
        return;
    f32_bits(x, rows, width, stride, row_sums, out, true, true, false, true);
}

static bool f32_unsigned(const char *x, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t stride,
                         double *row_sums, tp_range *out)
{
    enum { CACHE = 1 << 15 }; /* bytes, that the first-level cache may hold: nothing to fetch */
    if (rows * stride <= CACHE)
        return f32_bits(x, rows, width, stride, row_sums, out, false, false, true, false);
    return f32_bits(x, rows, width, stride, row_sums, out, false, false, true, true);
}
