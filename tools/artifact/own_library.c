/* What a library brings itself that is linked without the start files and the static part of a C library: the mark by which its destructors
 * are known, and the functions that register what is to be done at the end. */
void *__dso_handle __attribute__((visibility("hidden"))) = &__dso_handle;

int __cxa_atexit(void (*function)(void *), void *argument, void *library);
int __cxa_at_quick_exit(void (*function)(void *), void *library);
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *library);

int atexit(void (*function)(void)) { return __cxa_atexit((void (*)(void *))function, 0, __dso_handle); }
int at_quick_exit(void (*function)(void)) { return __cxa_at_quick_exit((void (*)(void *))function, __dso_handle); }
int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
  return __register_atfork(prepare, parent, child, __dso_handle);
}

/* What headers of today ask for and a C library of 2018 does not have. */
struct stat;
int __xstat(int version, const char *path, struct stat *into);
int __lxstat(int version, const char *path, struct stat *into);
int __fxstat(int version, int descriptor, struct stat *into);

/* The version of x86-64. */
int stat(const char *path, struct stat *into) { return __xstat(1, path, into); }
int lstat(const char *path, struct stat *into) { return __lxstat(1, path, into); }
int fstat(int descriptor, struct stat *into) { return __fxstat(1, descriptor, into); }

/* 0: there may be threads, so counts of references are atomic. */
char __libc_single_threaded __attribute__((visibility("hidden"))) = 0;
