/* Two threads for large arrays. They live for one call: nothing to clean up, nothing to fork. */
#include "measure.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

_Thread_local bool tp_is_without_gil;

static bool single; /* OMP_NUM_THREADS=1 when the core was loaded */
static int forced;  /* number of threads set by hand, or 0 */
static Py_ssize_t smallest = TP_THREAD_BYTES;

void tp_threads_init(void)
{
    const char *threads = getenv("OMP_NUM_THREADS");
    single = threads != NULL && strcmp(threads, "1") == 0;
}

void tp_threads_set(int threads, Py_ssize_t from_bytes)
{
    forced = threads;
    smallest = from_bytes;
}

int tp_threads_for(Py_ssize_t bytes)
{
    if (bytes < smallest) return 1;
    if (forced) return forced;
    if (single) return 1;
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) < 2) return 1;
#endif
    return 2;
}

typedef struct {
    void (*work)(void *);
    void *argument;
} task;

static void *run_task(void *argument)
{
    task *it = argument;
    it->work(it->argument);
    return NULL;
}

void tp_run_both(void (*work)(void *), void *first, void *second)
{
    task other = {work, second};
    pthread_t thread;
    bool started = pthread_create(&thread, NULL, run_task, &other) == 0;
    work(first);
    if (started)
        pthread_join(thread, NULL);
    else
        work(second);
}
