/* What a value is: rows, width, element type. Plain C, standard headers only. docs/design/value_descriptor.md says why.
 *
 * A value has some rows, one after another, without gaps; each has `width` elements of one type. What the rows are is one of four:
 * one row for the whole batch, the records of the batch, the rows of an axis, or a fixed number (parameters).
 *
 * An axis lies in its parent: the records, or another axis. Each row of the parent owns some rows of the axis, one after another, in
 * the parent's order: as many as its offsets say (a ragged axis), or always the product of its extents (a static one). The batch has
 * offsets for every axis, static ones too, so code that does not know extents serves both.
 *
 * Both structs begin with their size and may grow at the end. A reader looks at a member only where the size covers it, and steps
 * through an array of them by the size of the first. A size is that of the module that wrote the struct.
 */
#ifndef PENSTOCK_VALUE_TYPE_H
#define PENSTOCK_VALUE_TYPE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 0 is no element type, so that a struct of zeros is not taken for a value. */
enum PenstockElement {
  PENSTOCK_F32 = 1,  /* computed with, as are the next two */
  PENSTOCK_I32 = 2,  /* an index, or a count */
  PENSTOCK_U8 = 3,   /* a pixel */
  PENSTOCK_BF16 = 4, /* only stored, as an operand of a contraction, as is the next */
  PENSTOCK_I8 = 5
};

enum PenstockRows {
  PENSTOCK_ROWS_ONE = 0,     /* one row for the whole batch: a loss, a bias, a sum over rows */
  PENSTOCK_ROWS_RECORDS = 1, /* a row a record */
  PENSTOCK_ROWS_AXIS = 2,    /* a row a row of `axis` */
  PENSTOCK_ROWS_FIXED = 3    /* `fixed_rows` rows, whatever the batch is: a matrix of weights, a table */
};

/* `parent` of an axis that lies in the records. */
#define PENSTOCK_RECORDS (-1)

/* One axis of a program or batch. Axes stand in an array, each behind its parent. */
typedef struct PenstockAxis {
  uint32_t struct_size;
  int32_t parent; /* index of an axis that stands before this one, or PENSTOCK_RECORDS */
  const char *name;
  int32_t extent_count; /* 0: ragged, else static */
  const int64_t *extents;
} PenstockAxis;

typedef struct PenstockValueType {
  uint32_t struct_size;
  int32_t rows;       /* PenstockRows */
  int32_t axis;       /* index of the axis of PENSTOCK_ROWS_AXIS, else -1 */
  int32_t element;    /* PenstockElement */
  int64_t fixed_rows; /* of PENSTOCK_ROWS_FIXED, else 0 */
  int64_t width;      /* elements a row */
} PenstockValueType;

/* Bytes of one element; 0 of what is no element type. */
static inline int64_t penstock_element_bytes(int32_t element) {
  switch (element) {
  case PENSTOCK_F32:
  case PENSTOCK_I32:
    return 4;
  case PENSTOCK_BF16:
    return 2;
  case PENSTOCK_U8:
  case PENSTOCK_I8:
    return 1;
  default:
    return 0;
  }
}

#ifdef __cplusplus
}
#endif
#endif
