/* Preloaded by tests: counts what a training step may not do. The trainer tells the steps' begins and ends through
 * penstock_step_probe; counted are the steps from PENSTOCK_COUNT_FROM on, apart for the training thread and all others.
 * PENSTOCK_POISON fills the runtime's memory that is not to be zeros (buffer.cpp) with a byte, for programs that read what nobody wrote.
 * At exit the counts go to the file PENSTOCK_COUNT_CALLS, one "name training others" a line. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

enum { allocations, mappings, locks, kinds };
static const char *const names[kinds] = {"allocations", "mappings", "locks"};
static atomic_long counts[kinds][2];
static atomic_int counting;
static _Thread_local int trains __attribute__((tls_model("initial-exec")));
static long from, steps, poison;

static void count(int kind) {
  if (atomic_load_explicit(&counting, memory_order_relaxed)) {
    atomic_fetch_add_explicit(&counts[kind][trains ? 0 : 1], 1, memory_order_relaxed);
  }
}

__attribute__((visibility("default"))) void penstock_step_probe(int64_t step, int begin) {
  trains = 1;
  const int on = begin && step >= from;
  steps += on;
  atomic_store(&counting, on);
}

void *malloc(size_t size) {
  count(allocations);
  return __libc_malloc(size);
}
void *calloc(size_t n, size_t size) {
  count(allocations);
  return __libc_calloc(n, size);
}
void *realloc(void *old, size_t size) {
  count(allocations);
  return __libc_realloc(old, size);
}
void *memalign(size_t alignment, size_t size) {
  count(allocations);
  return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  count(allocations);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void **out, size_t alignment, size_t size) {
  count(allocations);
  *out = __libc_memalign(alignment, size);
  return *out == NULL ? 12 : 0;
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
  static void *(*next)(void *, size_t, int, int, int, off_t);
  if (next == NULL) {
    next = (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
  }
  count(mappings);
  char *memory = next(address, size, protection, flags, file, offset);
  if (poison != 0 && memory != MAP_FAILED && (flags & MAP_NORESERVE) != 0 && (flags & MAP_ANONYMOUS) != 0) {
    const size_t part = (size_t)64 << 20;
    for (size_t i = 0; i < (size < part ? size : part); ++i) {
      memory[i] = (char)poison;
    }
  }
  return memory;
}

#define FORWARD(kind, name, parameters, arguments)                                                                                         \
  int name parameters {                                                                                                                    \
    static int(*next) parameters;                                                                                                          \
    if (next == NULL) {                                                                                                                    \
      next = (int(*) parameters)dlsym(RTLD_NEXT, #name);                                                                                   \
    }                                                                                                                                      \
    count(kind);                                                                                                                           \
    return next arguments;                                                                                                                 \
  }

FORWARD(locks, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex))
FORWARD(locks, pthread_mutex_trylock, (pthread_mutex_t * mutex), (mutex))

__attribute__((constructor)) static void begin(void) {
  const char *text = getenv("PENSTOCK_COUNT_FROM");
  from = text == NULL ? 0 : atol(text);
  text = getenv("PENSTOCK_POISON");
  poison = text == NULL ? 0 : atol(text);
}

__attribute__((destructor)) static void end(void) {
  atomic_store(&counting, 0);
  const char *path = getenv("PENSTOCK_COUNT_CALLS");
  FILE *file = path == NULL || steps == 0 ? NULL : fopen(path, "w");
  if (file == NULL) {
    return;
  }
  fprintf(file, "steps %ld 0\n", steps);
  for (int i = 0; i < kinds; ++i) {
    fprintf(file, "%s %ld %ld\n", names[i], atomic_load(&counts[i][0]), atomic_load(&counts[i][1]));
  }
  fclose(file);
}
