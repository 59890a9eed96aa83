/* The command of an artifact: starts the library beside it, which does the work. It is linked with nothing, so it runs wherever the library
 * does; `penstock build` writes the library's name into a copy of it. */
#include <elf.h>
#include <stddef.h>

enum { mostPath = 4096, readLink = 89, execute = 59, writeBytes = 1, leave = 60 };

/* What `penstock build` looks for. */
static const volatile char library[256] = "@PENSTOCK-ARTIFACT-LIBRARY@";

static long systemCall(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

static size_t lengthOf(const char *text) {
  size_t length = 0;
  while (text[length] != '\0') {
    ++length;
  }
  return length;
}

static void say(const char *text) { systemCall(writeBytes, 2, (long)text, (long)lengthOf(text)); }

/* The length of the folder's name in a path, with the slash. */
static size_t folderIn(const char *path) {
  size_t end = 0;
  for (size_t i = 0; path[i] != '\0'; ++i) {
    end = path[i] == '/' ? i + 1 : end;
  }
  return end;
}

static void copyBytes(char *to, const volatile char *from, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    to[i] = from[i];
  }
}

static _Noreturn void failWith(const char *path, const char *why) {
  say(path);
  say(why);
  for (;;) {
    systemCall(leave, 4, 0, 0);
  }
}

__attribute__((used, noreturn)) void launch(long *stack) {
  char **const arguments = (char **)(stack + 1), **const environment = arguments + stack[0] + 1;
  char **after = environment;
  while (*after != NULL) {
    ++after;
  }
  const char *started = arguments[0] == NULL ? "" : arguments[0];
  for (const Elf64_auxv_t *one = (const Elf64_auxv_t *)(after + 1); one->a_type != AT_NULL; ++one) {
    started = one->a_type == AT_EXECFN ? (const char *)one->a_un.a_val : started;
  }
  static char path[mostPath], target[mostPath];
  size_t length = lengthOf(started);
  if (length + sizeof library >= mostPath) {
    failWith(started, ": the path is too long\n");
  }
  copyBytes(path, started, length + 1);
  for (int links = 0; links < 40; ++links) { /* the library lies beside the file, not beside a link to it */
    const long size = systemCall(readLink, (long)path, (long)target, mostPath - 1);
    if (size <= 0) {
      break;
    }
    const size_t folder = target[0] == '/' ? 0 : folderIn(path);
    if (folder + (size_t)size + sizeof library >= mostPath) {
      failWith(path, ": the path is too long\n");
    }
    copyBytes(path + folder, target, (size_t)size);
    path[folder + (size_t)size] = '\0';
  }
  copyBytes(path + folderIn(path), library, sizeof library);
  systemCall(execute, (long)path, (long)arguments, (long)environment);
  failWith(path, ": the library of this artifact is not there, or this machine cannot run it\n");
}

__asm__(".globl _start\n"
        ".type _start, @function\n"
        "_start:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rsp, %rdi\n"
        "  and $-16, %rsp\n"
        "  call launch\n");
