/* The compiled tensor program as the runtime sees it. Plain C, standard headers only.
 *
 * A program is one position-independent shared library without dependencies (no libc, no LLVM). It exports
 *
 *     const PenstockProgram *penstock_program(void);
 *
 * and holds no mutable state: everything it reads or writes comes through PenstockCall, so one mapped program
 * serves any number of runs and threads. JIT, compile cache and artifact use this same form.
 *
 * Growth: table.h. The major version must match; a host runs programs of its minor version and of earlier ones.
 *
 * Values are rows, one after another, `width` elements each (value_type.h); there is no padding.
 */
#ifndef PENSTOCK_PROGRAM_ABI_H
#define PENSTOCK_PROGRAM_ABI_H

#include "runtime/abi/table.h"
#include "runtime/abi/value_type.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PENSTOCK_PROGRAM_ABI_MAJOR 6
#define PENSTOCK_PROGRAM_ABI_MINOR 1

/* One axis of a batch. `offsets` has one entry more than the axis's parent has rows, offsets[0] == 0: row p of the parent owns rows
 * [offsets[p], offsets[p + 1]). Row i is the `row_position[i]`-th of row `row_parent[i]` of the parent, and the `row_place[i]`-th of record
 * `row_record[i]`; on an axis over records the two are one. A static axis has them as well.
 * Every record has at least one row (an empty text is one unknown token; see docs/spec/language.md).
 * `row_segment`: which text of a pair row i is of, 0 or 1, always 0 for single texts. `row_word`: row i is the first sub-word of word
 * row_word[i] of its record, else -1; NULL where the axis is not cut from words. Of the rows of a record the words only grow; a word
 * that gave no sub-word, or lies behind the cut, has no row. */
typedef struct PenstockAxisBatch {
  int64_t rows;
  const int32_t *offsets;
  const int32_t *row_parent;
  const int32_t *row_position;
  const int32_t *row_record;
  const int32_t *row_place;
  const int32_t *row_segment;
  const int32_t *row_word;
} PenstockAxisBatch;

/* What a tensor lives for. */
enum PenstockTensorClass {
  PENSTOCK_PARAMETER = 0,  /* has a gradient; saved in model.safetensors */
  PENSTOCK_STATE = 1,      /* written by the step (optimizer moments); saved in checkpoints */
  PENSTOCK_FITTED = 2,     /* constant of a fit pass; saved with the model */
  PENSTOCK_MODEL_STATE = 3 /* written by training, read by all entries; in the buffer of the parameters, behind them */
};

/* The flat buffer in which tensors of a class lie: that of parameters, states or fitted tensors. */
static inline int penstock_buffer_of(int tensor_class) { return tensor_class == PENSTOCK_MODEL_STATE ? PENSTOCK_PARAMETER : tensor_class; }

enum PenstockInitializer {
  PENSTOCK_INIT_ZEROS = 0,
  PENSTOCK_INIT_ONES = 1,
  PENSTOCK_INIT_UNIFORM = 2, /* in [-a, a), a = init_scale */
  PENSTOCK_INIT_NORMAL = 3,  /* mean 0, standard deviation init_scale */
  PENSTOCK_INIT_CONSTANT = 4 /* init_scale everywhere */
};

/* One entry of the table of long-lived tensors. All parameters lie in one flat buffer, all states in another, all fitted
 * tensors in a third: `offset` is in elements from the start of that buffer and a multiple of 64. */
typedef struct PenstockTensorInfo {
  const char *name; /* binding path and ordinal, e.g. "answer.linear_0.weight"; a moment: "adam.m/<parameter>" */
  int32_t tensor_class;
  int32_t rank;
  const int64_t *shape;
  int64_t offset;
  int64_t elements;
  int32_t initializer;
  int32_t decays; /* 1 where weight decay applies */
  double init_scale;
} PenstockTensorInfo;

/* One input of a batch: floats; indices of classes, labels, ids, tags (int32, -1: none of those that train has); or bytes. */
typedef struct PenstockInputInfo {
  const char *name; /* of the feature or column */
  int32_t target;   /* 1 when only the loss reads it: absent (NULL) at predict */
  const PenstockValueType *type;
} PenstockInputInfo;

/* One output of an entry. */
typedef struct PenstockOutputInfo {
  const char *name; /* "loss", "items 0", "answer.probabilities", ... */
  const PenstockValueType *type;
} PenstockOutputInfo;

/* The arena has sections, one behind the other: the constant bytes, one an axis, that of the records, that of the workers.
 * bytes = constant + records * per_record + sum over axes of rows * per_row[axis] + workers * per_worker, with the capacities
 * of the call for records and rows, so that every buffer begins at a multiple of 64 bytes. */
typedef struct PenstockArena {
  uint32_t struct_size;
  int64_t constant;
  int64_t per_record;
  const int64_t *per_row; /* one an axis */
  int64_t per_worker;
} PenstockArena;

/* A batch, and what of it stays with the host: counts. Its arrays lie where the program computes. */
typedef struct PenstockBatch {
  uint32_t struct_size;
  uint32_t axis_stride; /* bytes from one of `axes` to the next */
  int64_t records;
  const uint64_t *record_numbers; /* global number of each record: keys its random numbers */
  const PenstockAxisBatch *axes;  /* in the order of PenstockProgram.axes */
  const void *const *inputs;      /* in the order of PenstockProgram.inputs */
} PenstockBatch;

/* Rows that a value has in a batch. */
static inline int64_t penstock_rows_of(const PenstockValueType *type, const PenstockBatch *batch) {
  switch (type->rows) {
  case PENSTOCK_ROWS_RECORDS:
    return batch->records;
  case PENSTOCK_ROWS_AXIS:
    return batch->axes[type->axis].rows;
  case PENSTOCK_ROWS_FIXED:
    return type->fixed_rows;
  default:
    return 1;
  }
}

/* The numbers that differ between calls of one entry and equal capacities, and no pointers: a device gets them in one copy. Arrays lie
 * behind the struct, `..._at` bytes from its beginning. */
typedef struct PenstockStepBlock {
  uint32_t struct_size;
  float learning_rate; /* of this step, from the schedule */
  uint64_t seed;
  uint64_t step;           /* number of this step, from 0 */
  uint64_t deferred_first; /* number of the step that was the first since `deferred` was zero; step - this < deferred_steps */
  int64_t part;            /* of "gradient": 0 begins the sums anew */
  int64_t records;
  uint32_t rows_at;    /* int64_t an axis: its rows */
  uint32_t weights_at; /* of "gradient", float a loss of its objective: its weight over all parts of the step, above 0 */
} PenstockStepBlock;

/* Everything an entry may touch. Buffers, outputs and the block lie where the program computes, all else with the host. */
typedef struct PenstockCall {
  uint32_t struct_size;
  int32_t workers;      /* number of workers of the pool, >= 1 */
  void *const *symbols; /* addresses, in the order of PenstockProgram.symbols */
  void *const *handles; /* kernels made at load, in the order of PenstockProgram.dispatches */
  void *pool;           /* passed to the symbol penstock_parallel_for */
  void *stream;         /* of a device, on which the entry enqueues; NULL on the CPU */
  float *parameters;
  float *states;
  const float *fitted;
  float *gradients; /* PenstockProgram.gradient_elements: sums over the parts of a step */
  char *deferred;   /* PenstockProgram.deferred_bytes, 256-byte aligned; zero at first */
  char *arena;      /* 256-byte aligned, at least the entry's arena size */
  /* Rows that the arena is laid out for: of each axis, of the records. Multiples of 16, no smaller than those of the batch. */
  const int64_t *capacities;
  /* Where the sections of the arena begin, less its constant bytes: of each axis, of the records, of the workers. */
  const int64_t *arena_sections;
  const PenstockBatch *batch;
  const PenstockStepBlock *block;
  void *const *outputs; /* in the order of the entry's outputs; caller-owned */
  /* Since 6.1. Addresses, where the program computes, of the rows of each axis and behind them of the records: places in the block. */
  const int64_t *const *counts;
} PenstockCall;

/* One step of an entry: code that several steps may share, and the numbers in which they differ (places in memory, handles,
 * keys of random numbers). Runs on the calling thread and the pool. */
typedef void (*PenstockStepFunction)(const PenstockCall *call, const int64_t *numbers);

/* constant + records * per_record + sum over axes of rows * per_row[axis] + sum over axes of per_pair[axis] * sum of the
 * squared rows of the records. */
typedef struct PenstockAmount {
  uint32_t struct_size;
  int64_t constant;
  int64_t per_record;
  const int64_t *per_row;  /* one an axis */
  const int64_t *per_pair; /* one an axis */
} PenstockAmount;

/* What a step does, for a profile. */
typedef struct PenstockStepWork {
  uint32_t struct_size;
  const char *kind;  /* "rows", "attention", "weight gradient", "embedding", "optimizer", ... */
  const char *what;  /* its operations, e.g. "matmul 384x1536, gelu" */
  const char *where; /* their places in the .pipe file, e.g. "task.pipe:23, 24" */
  const PenstockAmount *flops;
  const PenstockAmount *bytes; /* read and written outside of the workers' scratch */
} PenstockStepWork;

typedef struct PenstockStep {
  PenstockStepFunction run;
  const int64_t *numbers;
  const PenstockStepWork *work; /* NULL where the program was not compiled for a profile */
} PenstockStep;

/* A kernel to make once at load (`kernel.dispatch`): its name, who computes it and its numbers. The host answers with a handle of its own
 * that holds what the implementation wants to keep: code, primitives, packed weights. */
typedef struct PenstockDispatch {
  const char *kernel;
  const char *implementation; /* "packed", "onednn": chosen where the program was compiled */
  int32_t attribute_count;
  const int64_t *attributes;
} PenstockDispatch;

/* Code for a device that the host hands to its driver. */
enum PenstockCodeForm {
  PENSTOCK_CODE_PTX = 0,   /* text, NUL at its end */
  PENSTOCK_CODE_CUBIN = 1, /* of one architecture */
  PENSTOCK_CODE_HOST = 2   /* a shared object of the host: the same kernels for an emulated device */
};
typedef struct PenstockDeviceCode {
  const char *name; /* of the function in `code` */
  int32_t form;
  int32_t architecture; /* 80, 90; 0: any */
  const void *code;
  int64_t code_bytes;
  int32_t threads, shared_bytes; /* of a block */
} PenstockDeviceCode;

/* What an entry is for: "pack" (packs weights into the handles; run after loading or changing parameters, before evaluate and predict;
 * train_step packs for itself), "train_step" (gradient and apply, one batch) or in its place "weights" (of a part, an output a loss),
 * "gradient" (whose output "loss" is the part's share of the step's) and "apply", "evaluate" (losses and answers), "predict" (answers;
 * target inputs are NULL), "settle" (after steps, before anything else reads parameters or states: brings deferred rows up to date; `step`
 * is the number of the next step). Of several objectives each has a "train_step", or "weights", "gradient" and "apply", of its own, whose
 * losses are its own alone; a step runs them objective by objective, and the rows of all of them. */
typedef struct PenstockEntry {
  const char *name;
  int32_t objective;     /* 0 where there is one, or the entry is of all */
  PenstockTable steps;   /* PenstockStep: an entry is its steps, one after another */
  PenstockTable outputs; /* PenstockOutputInfo */
  const PenstockArena *arena;
} PenstockEntry;

/* One loss of an objective, which is the sum over its losses of coefficient * items / weights: sums over all parts of a step, or all
 * batches of a split. Of loss i the outputs 2 * i and 2 * i + 1 of "evaluate" are its items and their weights, one number a row. */
typedef struct PenstockLossInfo {
  int32_t objective; /* losses stand objective by objective */
  double coefficient;
} PenstockLossInfo;

/* What a person is told at the end of training where the state, one float, is above 0: it counts parts of steps. */
typedef struct PenstockNotice {
  int32_t tensor; /* place in PenstockProgram.tensors: a PENSTOCK_STATE */
  const char *text;
} PenstockNotice;

typedef struct PenstockProgram {
  uint32_t struct_size;
  int32_t abi_major;
  int32_t abi_minor;
  int32_t symbol_count;
  const char *const *symbols; /* names the host must resolve, e.g. "penstock_parallel_for" */
  const char *level;          /* "avx2", "avx512", "amx" */
  PenstockTable axes;         /* PenstockAxis, each behind its parent */
  PenstockTable inputs;       /* PenstockInputInfo */
  PenstockTable tensors;      /* PenstockTensorInfo: parameters, states, fitted, model states; declaration order in each */
  PenstockTable dispatches;   /* PenstockDispatch */
  PenstockTable code;         /* PenstockDeviceCode; none of a program for the CPU */
  PenstockTable entries;      /* PenstockEntry */
  PenstockTable losses;       /* PenstockLossInfo; none: there is nothing to minimize */
  PenstockTable notices;      /* PenstockNotice */
  int64_t parameter_elements, state_elements, fitted_elements; /* sizes of the three flat buffers */
  /* The first so many elements of the parameters only "pack" reads: whoever has the packed weights needs the others alone. 0 of
   * a program that trains. */
  int64_t packed_elements;
  int64_t gradient_elements; /* 0: a step is one "train_step"; else some "gradient", one a part, and an "apply" */
  /* Rows of tables that steps pass by are updated when they are read next. `deferred` holds what is owed to them; it is no state
   * of the optimizer: "settle" pays and leaves it zero. 0 bytes: nothing is deferred, and there is no "settle". */
  int64_t deferred_bytes;
  int64_t deferred_steps; /* after so many steps "settle" must run */
} PenstockProgram;

typedef const PenstockProgram *(*PenstockProgramFunction)(void);

static inline void penstock_run_entry(const PenstockEntry *entry, const PenstockCall *call) {
  for (int32_t i = 0; i < entry->steps.count; ++i) {
    const PenstockStep *step = (const PenstockStep *)penstock_table_row(&entry->steps, i);
    step->run(call, step->numbers);
  }
}

#ifdef __cplusplus
}
#endif
#endif
