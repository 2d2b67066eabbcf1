/* NumPy's C API, imported once in view.c. */
#ifndef TRACEPACT_NUMPY_API_H
#define TRACEPACT_NUMPY_API_H

#define PY_ARRAY_UNIQUE_SYMBOL tracepact_array_api
#ifndef TP_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#endif
