/* DRAFT of the next version of the compiled program's interface: nothing makes or loads it yet. runtime/abi/program_abi.h is what
 * programs of today are. docs/design/abi_next.md says why it is so.
 *
 * A program is one position-independent shared library without dependencies that exports
 *
 *     const PenstockProgram *penstock_program(void);
 *
 * and holds no mutable state. Training, evaluation and the artifact use this one form. A *model* is a program with its long-lived tensors
 * and packed weights; it does not change while sessions read it. A *session* is what one user of a model needs: arena, outputs, step
 * block. Training is a session that owns its model.
 *
 * Growth: table.h. The major version must match.
 *
 * Where things lie: arrays of a call are in memory of the device that computes; structs, counts and capacities are in the host's.
 * Entries with `place` PENSTOCK_HOST have all of it in the host's.
 */
#ifndef PENSTOCK_NEXT_PROGRAM_ABI_H
#define PENSTOCK_NEXT_PROGRAM_ABI_H

#include "runtime/abi/table.h"
#include "runtime/abi/value_type.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PENSTOCK_PROGRAM_ABI_MAJOR 6
#define PENSTOCK_PROGRAM_ABI_MINOR 0

/* ---- what the program says of itself ----------------------------------------------------------------------------- */

enum PenstockTensorKind {
  PENSTOCK_PARAMETER = 0,      /* has a gradient; in model.safetensors */
  PENSTOCK_MODEL_STATE = 1,    /* written by `fold`, read by evaluate and predict; in model.safetensors */
  PENSTOCK_TRAINING_STATE = 2, /* moments, counts of applies; in checkpoints alone */
  PENSTOCK_FITTED = 3,         /* left by a fit; in model.safetensors */
  PENSTOCK_TENSOR_KINDS = 4
};

enum PenstockInitializer {
  PENSTOCK_INIT_ZEROS = 0,
  PENSTOCK_INIT_ONES = 1,
  PENSTOCK_INIT_UNIFORM = 2, /* in [-a, a), a = scale */
  PENSTOCK_INIT_NORMAL = 3,  /* mean 0, standard deviation scale */
  PENSTOCK_INIT_CONSTANT = 4 /* scale everywhere */
};

/* A tensor that outlives a call. Those of one kind lie in one buffer. */
typedef struct PenstockTensorInfo {
  const char *name; /* "answer.linear_0.weight"; of training state "adam.m/answer.linear_0.weight", "applies/critic" */
  const PenstockValueType *type;
  int32_t kind;
  int32_t objective; /* that moves or writes it, -1: none (frozen, fitted, or trained by no objective) */
  int32_t fit;       /* that leaves it, of PENSTOCK_FITTED; else -1 */
  int32_t rank;      /* shape is that of files; its product is rows times width of `type` */
  const int64_t *shape;
  int64_t offset; /* bytes in the buffer of its kind, a multiple of 256 */
  int32_t initializer;
  int32_t decays; /* 1 where weight decay applies */
  double scale;
} PenstockTensorInfo;

enum PenstockFitTime {
  PENSTOCK_FIT_DATA = 0,   /* before step 0, from columns */
  PENSTOCK_FIT_WEIGHTS = 1 /* after the kept weights are final, before splits are measured */
};

typedef struct PenstockFitInfo {
  const char *name;
  int32_t time;  /* PenstockFitTime */
  int32_t entry; /* whose outputs the fit is shown, record after record; -1: columns of the batch */
} PenstockFitInfo;

/* One input of a batch, in the order of PenstockBatch.inputs. */
typedef struct PenstockInputInfo {
  const char *name;
  const PenstockValueType *type;
  int64_t values;  /* of i32: an element is -1 (none) or in [0, values); else 0 */
  int32_t target;  /* 1: only losses read it, NULL at predict */
  int32_t grouped; /* 1: the host groups its rows by value while it collates (PenstockBatch.groups) */
} PenstockInputInfo;

typedef struct PenstockOutputInfo {
  const char *name; /* a loss: its name in `losses`; an answer: "answer.probabilities" */
  const PenstockValueType *type;
} PenstockOutputInfo;

/* A loss that is divided by a weight. Of a part of a step its output is `one x 1`: its share of the step's loss. `evaluate` has two outputs
 * of it, items and weights, one number a row, so that the host's sum over a split depends on no batch (docs/design/losses.md). */
typedef struct PenstockLossInfo {
  const char *name;  /* "answer.loss", "critic.real" */
  int32_t objective; /* that minimizes it; -1: measured only */
  int32_t answer;    /* output of `evaluate` that it judges, -1: none */
} PenstockLossInfo;

typedef struct PenstockObjectiveInfo {
  const char *name;                        /* "" where there is one and it has no name */
  int64_t gradient_offset, gradient_bytes; /* its range of the gradient buffer; ranges do not overlap */
  int64_t notes_bytes;                     /* that `gradient` leaves of a part for `fold`; 0: it writes no model state */
  int32_t every;                           /* due in steps that this divides */
  int32_t applies;                         /* tensor that counts its applies */
} PenstockObjectiveInfo;

/* A kernel that the host makes once a model. `packed_bytes` of the packed buffer at `packed_offset` hold what it makes of a weight;
 * equal kernel, implementation, attributes and format mean equal bytes, so an artifact's file is adopted as it is. */
typedef struct PenstockDispatch {
  const char *kernel;         /* "matmul" */
  const char *implementation; /* "packed", "onednn", "cuda": chosen by the compiler's table */
  int32_t attribute_count;
  uint32_t packed_format;
  const int64_t *attributes;
  int64_t packed_offset, packed_bytes; /* offset a multiple of 256 */
} PenstockDispatch;

/* Code for a device that the host hands to its driver. */
enum PenstockCodeForm {
  PENSTOCK_CODE_PTX = 0,   /* text, NUL at its end */
  PENSTOCK_CODE_CUBIN = 1, /* of one architecture */
  PENSTOCK_CODE_HOST = 2   /* an address in the program: the same kernel for the emulated device */
};
typedef struct PenstockDeviceCode {
  const char *name; /* of the function in `code` */
  int32_t form;
  int32_t architecture; /* 80, 90; 0: any */
  const void *code;
  int64_t code_bytes;
  int32_t threads, shared_bytes; /* of a block */
} PenstockDeviceCode;

/* ---- a call ------------------------------------------------------------------------------------------------------ */

/* Rows that memory is laid out for. Places in arena and step block follow from these alone, so a batch that fits into them changes no
 * address. On the CPU they are the numbers of rows rounded up to 16. */
typedef struct PenstockCapacity {
  uint32_t struct_size;
  int64_t records;
  const int64_t *rows; /* one an axis */
} PenstockCapacity;

/* One axis of a batch. Row i of it is owned by row `parent[i]` of the parent, is the `position[i]`-th there, and belongs to record
 * `record[i]`, the `place[i]`-th there; on an axis over records `parent` is `record` and `position` is `place`. */
typedef struct PenstockAxisBatch {
  int64_t rows;
  const int32_t *offsets; /* rows of the parent + 1, the first 0 */
  const int32_t *parent, *position, *record, *place;
} PenstockAxisBatch;

/* The rows of an input by their values: value `values[g]` stands at rows[starts[g]] to rows[starts[g + 1]], in order. */
typedef struct PenstockGroups {
  int64_t count;
  const int32_t *values, *starts, *rows;
} PenstockGroups;

typedef struct PenstockBatch {
  uint32_t struct_size;
  uint32_t axis_stride, group_stride;
  int64_t records;
  const uint64_t *record_numbers; /* key the records' random numbers */
  const PenstockAxisBatch *axes;  /* `axis_stride` bytes each, in the order of the program's axes */
  const void *const *inputs;
  const PenstockGroups *groups; /* one an input, `group_stride` bytes each; empty where it is not grouped */
} PenstockBatch;

/* All that differs between two calls of one capacity: one range of bytes without pointers, which is copied to the device as it is. The
 * arrays of the batch lie in the same range behind it, each at an offset that follows from the capacity. */
typedef struct PenstockStepBlock {
  uint32_t struct_size;
  uint32_t part;  /* number of this part among those of all ranks */
  uint64_t bytes; /* of the whole range */
  uint64_t seed, step;
  int64_t records;
  /* Where arrays begin, in bytes from the beginning of this struct. */
  uint32_t rows_at;        /* int64_t an axis */
  uint32_t rates_at;       /* float an objective: learning rate */
  uint32_t applies_at;     /* uint64_t an objective: applies before this one */
  uint32_t weights_at;     /* float a loss: its weight over all parts of the step */
  uint64_t deferred_first; /* the step that was first since `deferred` was zero */
} PenstockStepBlock;

typedef struct PenstockCall {
  uint32_t struct_size;
  int32_t workers;      /* of the pool, 1 or more */
  void *const *symbols; /* in the order of PenstockProgram.symbols */
  void *const *handles; /* in the order of PenstockProgram.dispatches */
  void *pool;           /* NULL on a device */
  void *stream;         /* NULL on the CPU */
  const PenstockCapacity *capacity;
  const PenstockBatch *batch;
  const PenstockStepBlock *block; /* in the device's memory */
  /* The model. predict and evaluate write none of it. */
  char *tensors[PENSTOCK_TENSOR_KINDS]; /* a buffer a kind */
  char *packed;
  /* The session. */
  char *arena; /* aligned to 256 bytes, at least the entry's arena */
  /* Where the sections of the arena begin, less its constant bytes: of each axis, of the records, of the workers. */
  const int64_t *arena_sections;
  void *const *outputs; /* in the order of the entry's outputs */
  char *gradients;      /* of one part: `gradient` writes it, the host sums parts, `apply` reads the sum */
  char *notes;          /* of one part: `gradient` writes it, `fold` reads it */
  char *deferred;
} PenstockCall;

/* Runs on the calling thread and the pool, or submits work to the stream. */
typedef void (*PenstockStepFunction)(const PenstockCall *call, const int64_t *numbers);

/* constant + records x per_record + sum over axes of rows x per_row + sum over axes of per_pair x the squared rows of each segment. */
typedef struct PenstockAmount {
  int64_t constant, per_record;
  const int64_t *per_row, *per_pair; /* one an axis */
} PenstockAmount;

/* What a step does, for a profile. */
typedef struct PenstockStepWork {
  uint32_t struct_size;
  const char *kind, *what, *where;
  PenstockAmount flops, bytes;
} PenstockStepWork;

typedef struct PenstockStep {
  PenstockStepFunction run;
  const int64_t *numbers;
  const PenstockStepWork *work; /* NULL where not compiled for a profile */
} PenstockStep;

/* constant + capacity of records x per_record + sum over axes of capacity x per_row + workers x per_worker, in bytes. */
typedef struct PenstockArena {
  uint32_t struct_size;
  int64_t constant, per_record, per_worker;
  const int64_t *per_row; /* one an axis */
} PenstockArena;

enum PenstockRole {
  PENSTOCK_PACK = 0,     /* weights that the objective moved (-1: all) into packed */
  PENSTOCK_WEIGH = 1,    /* of a part: one float a loss, its weight, from the inputs alone */
  PENSTOCK_GRADIENT = 2, /* of a part: losses, gradients, notes */
  PENSTOCK_FOLD = 3,     /* notes of one part into model state */
  PENSTOCK_APPLY = 4,    /* summed gradients into parameters and training state */
  PENSTOCK_STEP = 5,     /* gradient, fold and apply of a step that has one part */
  PENSTOCK_EVALUATE = 6, /* losses and answers */
  PENSTOCK_PREDICT = 7,  /* answers; targets are NULL */
  PENSTOCK_SETTLE = 8,   /* pays what is owed to deferred rows */
  PENSTOCK_FIT = 9       /* what a fit of time `weights` is shown */
};
enum PenstockPlace { PENSTOCK_HOST = 0, PENSTOCK_DEVICE = 1 };

typedef struct PenstockEntry {
  const char *name; /* for people */
  int32_t role;
  int32_t objective; /* of pack, gradient, fold, apply, step; else -1 */
  int32_t place;     /* `weigh` is always PENSTOCK_HOST */
  int32_t reads_batch;
  PenstockTable steps;   /* PenstockStep, one after another */
  PenstockTable outputs; /* PenstockOutputInfo */
  const PenstockArena *arena;
} PenstockEntry;

typedef struct PenstockProgram {
  uint32_t struct_size;
  int32_t abi_major;
  int32_t abi_minor;
  int32_t precision;        /* 0: fp32, 1: bf16, 2: int8 operands of contractions */
  const char *device;       /* "cpu", "cuda" */
  const char *level;        /* "avx2", "avx512", "amx", "sm_80" */
  PenstockTable axes;       /* PenstockAxis, parents first */
  PenstockTable inputs;     /* PenstockInputInfo */
  PenstockTable tensors;    /* PenstockTensorInfo, kind after kind */
  PenstockTable fits;       /* PenstockFitInfo */
  PenstockTable losses;     /* PenstockLossInfo */
  PenstockTable objectives; /* PenstockObjectiveInfo, in the order in which a step takes them */
  PenstockTable dispatches; /* PenstockDispatch */
  PenstockTable code;       /* PenstockDeviceCode; none of a program for the CPU */
  PenstockTable entries;    /* PenstockEntry */
  int64_t tensor_bytes[PENSTOCK_TENSOR_KINDS];
  int64_t packed_bytes, gradient_bytes, notes_bytes;
  int64_t deferred_bytes, deferred_steps;
  int32_t symbol_count;
  const char *const *symbols; /* that the host resolves: "penstock_parallel_for", "penstock_launch" */
} PenstockProgram;

typedef const PenstockProgram *(*PenstockProgramFunction)(void);

#ifdef __cplusplus
}
#endif
#endif
