/* The library of an artifact is a program as well: the system can start it, where its command (launcher.c) asks for that. So both are one
 * file, and no search for libraries is needed, which asks for /proc. */
#include <stddef.h>

int penstock_artifact_main(int argc, char **argv);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(int, char **, char **), void (*end)(void),
                      void (*atEnd)(void), void *stack);

typedef void (*Constructor)(int, char **, char **);
extern const Constructor __init_array_start[] __attribute__((visibility("hidden")));
extern const Constructor __init_array_end[] __attribute__((visibility("hidden")));

__attribute__((used, retain, section(".interp"))) static const char interpreter[] = "/lib64/ld-linux-x86-64.so.2";

static int run(int argc, char **argv, char **environment) {
  (void)environment;
  return penstock_artifact_main(argc, argv);
}

/* Who is started runs its own constructors; who is loaded has them run. */
static void construct(int argc, char **argv, char **environment) {
  for (const Constructor *one = __init_array_start; one != __init_array_end; ++one) {
    (*one)(argc, argv, environment);
  }
}

__attribute__((visibility("hidden"), noreturn, used)) void penstock_artifact_begin(long *stack, void (*atEnd)(void)) {
  __libc_start_main(run, (int)stack[0], (char **)(stack + 1), construct, NULL, atEnd, stack);
  __builtin_trap();
}

/* System V ABI, AMD64: at the start the stack holds argc and argv, and rdx what is to be registered with atexit. */
__asm__(".globl penstock_artifact_start\n"
        ".hidden penstock_artifact_start\n"
        ".type penstock_artifact_start, @function\n"
        "penstock_artifact_start:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rsp, %rdi\n"
        "  mov %rdx, %rsi\n"
        "  and $-16, %rsp\n"
        "  call penstock_artifact_begin\n");
