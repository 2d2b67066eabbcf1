/* The loops for one element type; kernels_body.h includes this once for float32, once for float64.

   Given: T, V (a vector of T), LANES, NAME(x), MIN, MAX, TAIL(p, n, fill), and how a vector is
   widened: WIDE_ADD(lower, upper, v) adds v's halves to two vectors of float64 (for float64 itself
   v is added to one of them);
   SUM, LEAST, MOST of a vector; ROWS if NAME(rows) is to be made here. */

/* Pinned to a register: memory operands would be loaded once for each use. */
static inline __attribute__((always_inline)) V NAME(load)(const T *p)
{
    V v = *(const VU *)p;
    PIN(v);
    return v;
}

static inline __attribute__((always_inline)) V NAME(all)(T value) { return value - (V){0}; }

static bool NAME(finite)(const char *bytes, Py_ssize_t n)
{
    /* 0 * x is 0, or NaN where x is NaN or Inf; and NaN stays in a sum. */
    const T *x = (const T *)bytes;
    const V zero = {0};
    V a = zero, b = zero, c = zero, d = zero;
    for (; n >= 4 * LANES; n -= 4 * LANES, x += 4 * LANES) {
        a = MUL_ADD(NAME(load)(x), zero, a);
        b = MUL_ADD(NAME(load)(x + LANES), zero, b);
        c = MUL_ADD(NAME(load)(x + 2 * LANES), zero, c);
        d = MUL_ADD(NAME(load)(x + 3 * LANES), zero, d);
    }
    for (; n >= LANES; n -= LANES, x += LANES) a = MUL_ADD(NAME(load)(x), zero, a);
    if (n > 0) b = MUL_ADD(TAIL(x, n, zero), zero, b);
    a = (a + b) + (c + d);
    return SUM(a) == 0;
}

#ifdef ROWS
static void NAME(rows)(const char *bytes, Py_ssize_t rows, Py_ssize_t width, Py_ssize_t stride,
                       double *row_sums, tp_range *out)
{
    V low = NAME(all)((T)INFINITY), high = -low;
    double total = 0;
    for (Py_ssize_t row = 0; row < rows; row++) {
        const T *x = (const T *)(bytes + row * stride);
        VD lower = {0}, upper = {0};
        Py_ssize_t n = width;
        while (n >= 8 * LANES) {
            V sum = {0};
            Py_ssize_t end = n > TREES * 8 * LANES ? n - TREES * 8 * LANES : 0;
            for (; n >= end + 8 * LANES; n -= 8 * LANES, x += 8 * LANES) {
                fetch_ahead(x);
                V a = NAME(load)(x), b = NAME(load)(x + LANES);
                V c = NAME(load)(x + 2 * LANES), d = NAME(load)(x + 3 * LANES);
                V e = NAME(load)(x + 4 * LANES), f = NAME(load)(x + 5 * LANES);
                V g = NAME(load)(x + 6 * LANES), h = NAME(load)(x + 7 * LANES);
                sum += ((a + b) + (c + d)) + ((e + f) + (g + h));
                low = MIN(MIN(MIN(a, MIN(b, low)), MIN(c, d)), MIN(MIN(e, f), MIN(g, h)));
                high = MAX(MAX(MAX(a, MAX(b, high)), MAX(c, d)), MAX(MAX(e, f), MAX(g, h)));
            }
            WIDE_ADD(lower, upper, sum);
        }
        if (n > 0) {
            V sum = {0};
            for (; n >= LANES; n -= LANES, x += LANES) {
                V a = NAME(load)(x);
                sum += a;
                low = MIN(a, low);
                high = MAX(a, high);
            }
            if (n > 0) {
                sum += TAIL(x, n, (V){0});
                V a = TAIL(x, n, NAME(all)(*(const TU *)x));
                low = MIN(a, low);
                high = MAX(a, high);
            }
            WIDE_ADD(lower, upper, sum);
        }
        double sum = SUM_D(lower + upper);
        row_sums[row] = sum;
        total += sum;
    }
    out->min = LEAST(low);
    out->max = MOST(high);
    out->sum = total;
}
#endif

static void NAME(moments)(const char *bytes, Py_ssize_t n, double shift, double out[2])
{
    const T *x = (const T *)bytes;
    const VD centre = shift - (VD){0};
    VD sum_a = {0}, sum_b = {0}, square_a = {0}, square_b = {0};
    for (; n >= 2 * LANES_D; n -= 2 * LANES_D, x += 2 * LANES_D) {
        VD a = NAME(wide)(x) - centre, b = NAME(wide)(x + LANES_D) - centre;
        sum_a += a;
        sum_b += b;
        square_a = MUL_ADD_D(a, a, square_a);
        square_b = MUL_ADD_D(b, b, square_b);
    }
    out[0] = SUM_D(sum_a + sum_b);
    out[1] = SUM_D(square_a + square_b);
    for (; n > 0; n--, x++) {
        double distance = *(const TU *)x - shift;
        out[0] += distance;
        out[1] += distance * distance;
    }
}

static double NAME(dot)(const char *bytes, const char *other, Py_ssize_t n)
{
    const T *x = (const T *)bytes, *y = (const T *)other;
    VD a = {0}, b = {0}, c = {0}, d = {0};
    for (; n >= 4 * LANES_D; n -= 4 * LANES_D, x += 4 * LANES_D, y += 4 * LANES_D) {
        a = MUL_ADD_D(NAME(wide)(x), NAME(wide)(y), a);
        b = MUL_ADD_D(NAME(wide)(x + LANES_D), NAME(wide)(y + LANES_D), b);
        c = MUL_ADD_D(NAME(wide)(x + 2 * LANES_D), NAME(wide)(y + 2 * LANES_D), c);
        d = MUL_ADD_D(NAME(wide)(x + 3 * LANES_D), NAME(wide)(y + 3 * LANES_D), d);
    }
    double sum = SUM_D((a + b) + (c + d));
    for (; n > 0; n--, x++, y++) sum += (double)*(const TU *)x * (double)*(const TU *)y;
    return sum;
}

static Py_ssize_t NAME(find)(const char *bytes, Py_ssize_t n, double value)
{
    const TU *x = (const TU *)bytes;
    const T wanted = (T)value;
    const bool nan = value != value;
    Py_ssize_t i = 0;
    for (; i + 64 <= n; i += 64) {
        int found = 0;
        if (nan)
            for (int j = 0; j < 64; j++) found |= x[i + j] != x[i + j];
        else
            for (int j = 0; j < 64; j++) found |= x[i + j] == wanted;
        if (found) break;
    }
    for (; i < n; i++) {
        if (nan ? x[i] != x[i] : x[i] == wanted) break;
    }
    return i;
}
