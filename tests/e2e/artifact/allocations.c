// Calls an artifact as a program of C would, and counts the memory that it takes after calls of as many records were made.
//
//   cc -DNAME=words '-DHEADER="words.h"' '-DFILL=record->text = text' allocations.c libwords.so
//
// FILL makes `record` number `i` of the texts `text` and `other`. Writes "N records, N errors, N allocations".
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include HEADER

#define PASTE(a, b) a##_##b
#define JOIN(a, b) PASTE(a, b)
#define OF(what) JOIN(NAME, what)

// What glibc has behind its own functions, which these take the place of.
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

static int counts;
static long allocations;

static void count(void) { allocations += counts; }
void *malloc(size_t size) { return count(), __libc_malloc(size); }
void *calloc(size_t number, size_t size) { return count(), __libc_calloc(number, size); }
void *realloc(void *memory, size_t size) { return count(), __libc_realloc(memory, size); }
void *memalign(size_t alignment, size_t size) { return count(), __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return count(), __libc_memalign(alignment, size); }
int posix_memalign(void **memory, size_t alignment, size_t size) {
  *memory = memalign(alignment, size);
  return *memory == NULL ? ENOMEM : 0;
}

enum { most = 150, words = 7 };
static const char *const texts[] = {"pump leaks oil",
                                    "replace the filter at once, it is the third time this week that the hose bursts",
                                    "",
                                    "motor hums",
                                    "x",
                                    "\xc3\xb6l 100% ok?! don't \xe6\xbc\xa2\xe5\xad\x97 stop e\xcc\x81"};
static OF(text) lists[most][words];
static OF(record) records[most];
static OF(answer) answers[most];

static OF(text) textOf(int i) {
  OF(text) made = {texts[i % 6], strlen(texts[i % 6])};
  return made;
}

int main(void) {
  OF(model) * model;
  OF(session) * session;
  OF(error) error;
  if (OF(open)(NULL, &model, &error) || OF(session_open)(model, 2, &session, &error)) {
    puts(error.text);
    return 1;
  }
  for (int i = 0; i < most; ++i) {
    OF(record) *const record = &records[i];
    const OF(text) text = textOf(i), other = textOf(i + 1);
    for (int word = 0; word < words; ++word) {
      lists[i][word] = textOf(i + word);
    }
    (void)text, (void)other, (void)record;
    FILL;
  }
  long calls = 0;
  for (int round = 0; round < 4; ++round) {
    counts = round > 1;
    for (size_t number = 1; number <= most; number += 1 + number / 2) {
      if (OF(predict)(session, records + (most - number) / 2, number, answers, &error)) {
        puts(error.text);
        return 1;
      }
      calls += (long)number;
    }
  }
  counts = 0;
  long errors = 0;
  if (OF(predict)(session, records, most, answers, &error)) {
    puts(error.text);
    return 1;
  }
  for (int i = 0; i < most; ++i) {
    errors += answers[i].error != NULL;
  }
  OF(session_close)(session);
  OF(close)(model);
  printf("%ld records, %ld errors, %ld allocations\n", calls, errors, allocations);
  return 0;
}
