/* How structs of a boundary grow. Plain C, standard headers only.
 *
 * A struct that may grow begins with its size, or stands in a PenstockTable, which has the size of one of its rows. Inside of another
 * struct it stands by pointer alone. A reader looks at a member where the writer's size covers it, and compares sizes with what a
 * minor version had, never with its own `sizeof`, which grows with the header of whoever asks.
 */
#ifndef PENSTOCK_TABLE_H
#define PENSTOCK_TABLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Some rows of one struct, `stride` bytes from one to the next, in the writer's version. */
typedef struct PenstockTable {
  int32_t count;
  uint32_t stride;
  const void *first; /* NULL of no rows */
} PenstockTable;

static inline const void *penstock_table_row(const PenstockTable *table, int32_t index) {
  return (const char *)table->first + (size_t)index * table->stride;
}

/* The bytes that `Struct` has up to and with `member`: what a struct or a row must have for it to be there. */
#define PENSTOCK_SIZE_WITH(Struct, member) (offsetof(Struct, member) + sizeof(((const Struct *)0)->member))

/* Whether what came over the boundary, of type `Struct`, is long enough to have `member`. */
#define PENSTOCK_HAS(pointer, Struct, member) ((pointer)->struct_size >= PENSTOCK_SIZE_WITH(Struct, member))

#ifdef __cplusplus
}
#endif
#endif
