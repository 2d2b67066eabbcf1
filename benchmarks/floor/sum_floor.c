/* What reading an array of float32 once takes at least: a plain sum, and the same pass with a look
   at every element. Partial sums in float32 over blocks, the blocks in float64, so that the sum
   means something. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

enum { LANES = 16, VECTORS = 8, STEP = LANES * VECTORS, BLOCK = 32 * STEP };
typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef vector unaligned __attribute__((aligned(4)));
typedef uint32_t bits __attribute__((vector_size(LANES * sizeof(uint32_t))));

/* The bits of 1 + 1e-6: in [0, 1 + 1e-6] the order of floats is that of their bits, and negative
   numbers, NaN and Inf are above it. */
static const uint32_t HIGHEST = 0x3f800008;

static inline bits larger(bits a, bits b)
{
#ifdef __AVX512F__
    return (bits)_mm512_max_epu32((__m512i)a, (__m512i)b);
#else
    bits above = (bits)(a > b);
    return (a & above) | (b & ~above);
#endif
}

/* Constant arguments: the compiler makes two functions of it. */
static inline __attribute__((always_inline)) double sum_block(const float *x, Py_ssize_t n,
                                                              int looking, uint32_t *highest)
{
    vector partial[VECTORS] = {{0}};
    bits top[VECTORS] = {{0}};
    Py_ssize_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int k = 0; k < VECTORS; k++) {
            vector v = *(const unaligned *)(x + i + k * LANES);
#ifdef __AVX512F__
            __asm__("" : "+v"(v)); /* or GCC loads it twice, once for each use */
#endif
            partial[k] += v;
            if (looking)
                top[k] = larger(top[k], (bits)v);
        }
    for (int k = 1; k < VECTORS; k++) {
        partial[0] += partial[k];
        top[0] = larger(top[0], top[k]);
    }
    double sum = 0;
    for (int lane = 0; lane < LANES; lane++) {
        sum += (double)partial[0][lane];
        if (top[0][lane] > *highest)
            *highest = top[0][lane];
    }
    for (; i < n; i++) {
        sum += (double)x[i];
        uint32_t rest;
        memcpy(&rest, x + i, sizeof rest);
        if (rest > *highest)
            *highest = rest;
    }
    return sum;
}

static inline __attribute__((always_inline)) PyObject *pass(PyObject *array, int looking)
{
    Py_buffer buffer;
    if (PyObject_GetBuffer(array, &buffer, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0)
        return NULL;
    if (buffer.itemsize != sizeof(float) || buffer.format[0] != 'f') {
        PyBuffer_Release(&buffer);
        return PyErr_Format(PyExc_TypeError, "float32 only");
    }
    const float *x = buffer.buf;
    Py_ssize_t n = buffer.len / (Py_ssize_t)sizeof(float);
    double sum = 0;
    uint32_t highest = 0;
    for (Py_ssize_t i = 0; i < n; i += BLOCK)
        sum += sum_block(x + i, n - i < BLOCK ? n - i : BLOCK, looking, &highest);
    PyBuffer_Release(&buffer);
    if (looking)
        return PyBool_FromLong(highest <= HIGHEST && fabs(sum - 1) <= 1e-6);
    return PyFloat_FromDouble(sum);
}

static PyObject *sum_float32(PyObject *module, PyObject *array)
{
    (void)module;
    return pass(array, 0);
}

static PyObject *check_float32(PyObject *module, PyObject *array)
{
    (void)module;
    return pass(array, 1);
}

static PyMethodDef methods[] = {{"sum_float32", sum_float32, METH_O, NULL},
                                {"check_float32", check_float32, METH_O, NULL},
                                {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "sum_floor", NULL, -1, methods,
                                        NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_sum_floor(void)
{
    return PyModule_Create(&definition);
}
