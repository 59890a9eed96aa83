/* DRAFT, beside program_abi.h and plugin_abi.h of this folder: how structs of a boundary grow.
 *
 * A struct that may grow begins with its size, or stands in a PenstockTable, which has the size of one of its rows. Inside of another
 * struct it stands by pointer alone. A reader looks at a member where the writer's size covers it, and compares sizes with what a minor
 * version had, never with its own `sizeof`.
 */
#ifndef PENSTOCK_NEXT_TABLE_H
#define PENSTOCK_NEXT_TABLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Some rows of one struct, `stride` bytes from one to the next, in the writer's version. */
typedef struct PenstockTable {
  int32_t count;
  uint32_t stride;
  const void *first;
} PenstockTable;

static inline const void *penstock_table_row(const PenstockTable *table, int32_t index) {
  return (const char *)table->first + (size_t)index * table->stride;
}

/* Whether a struct of `size` bytes has `member`. */
#define PENSTOCK_NEXT_HAS(type, size, member) ((size) >= offsetof(type, member) + sizeof(((type *)0)->member))

#ifdef __cplusplus
}
#endif
#endif
