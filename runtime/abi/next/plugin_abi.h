/* DRAFT of the next version of the boundary between Penstock and its plugins: nothing loads it yet. runtime/abi/plugin_abi.h is what
 * plugins of today are. docs/design/abi_next.md says why it is so.
 *
 * A plugin is one shared library that exports
 *
 *     const PenstockPlugin *penstock_plugin(void);
 *
 * beside a plugin.toml. No STL type, exception or allocator crosses; what a plugin gives back it writes into a sink of the host.
 * Functions return 0, or another number after filling PenstockError. Objects made by `create` are immutable and may be used by many
 * threads at once, unless it says otherwise.
 *
 * Growth: table.h. A host of 2.3 takes a plugin of 2.0 for having what 2.0 had, and a plugin asks sizes of the host's structs likewise.
 */
#ifndef PENSTOCK_NEXT_PLUGIN_ABI_H
#define PENSTOCK_NEXT_PLUGIN_ABI_H

#include "runtime/abi/next/table.h"
#include "runtime/abi/value_type.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PENSTOCK_PLUGIN_ABI_MAJOR 2
#define PENSTOCK_PLUGIN_ABI_MINOR 0

/* In place of 1 where a function failed by what its author did not mean: the text of the error is not shown then. */
#define PENSTOCK_UNEXPECTED (-1000)

/* UTF-8 bytes, not terminated. */
typedef struct PenstockString {
  const char *data;
  size_t size;
} PenstockString;

typedef struct PenstockError {
  char text[1024]; /* UTF-8, terminated; a sentence for a person */
} PenstockError;

/* What the host lends: memory (64-byte aligned), a log, and remarks, which become warnings at a parameter or at the call (`parameter`
 * empty). */
typedef struct PenstockHost {
  uint32_t struct_size;
  void *context;
  void *(*allocate)(void *context, size_t bytes);
  void (*release)(void *context, void *memory);
  void (*log)(void *context, PenstockString message);
  void (*remark)(void *context, PenstockString parameter, PenstockString message);
} PenstockHost;

/* Receives bytes; may be called many times. Another number than 0 stops the plugin. */
typedef struct PenstockByteSink {
  uint32_t struct_size;
  void *context;
  int32_t (*write)(void *context, const void *bytes, size_t size);
} PenstockByteSink;

/* A value of a parameter of the manifest, or an attribute of an operation. */
enum PenstockValueKind {
  PENSTOCK_VALUE_BOOL = 0,    /* integer 0 or 1 */
  PENSTOCK_VALUE_INT = 1,     /* integer */
  PENSTOCK_VALUE_FLOAT = 2,   /* number */
  PENSTOCK_VALUE_STRING = 3,  /* string; enumerations too; a `path` is absolute */
  PENSTOCK_VALUE_STRINGS = 4, /* strings, count */
  PENSTOCK_VALUE_NUMBERS = 5  /* numbers, count */
};
typedef struct PenstockValue {
  PenstockString name;
  int32_t kind;
  int64_t integer;
  double number;
  PenstockString string;
  const PenstockString *strings;
  const double *numbers;
  int64_t count;
} PenstockValue;
/* All parameters of the manifest in its order, defaults filled in, without optional ones that the call does not give. */
typedef struct PenstockParameters {
  uint32_t struct_size;
  PenstockTable values; /* PenstockValue */
} PenstockParameters;

/* ---- columns: what learners, metrics, sources and heads read and write --------------------------------------------- */

/* Elements of a column: those of values (value_type.h), and: */
enum PenstockColumnElement {
  PENSTOCK_I64 = 16,
  PENSTOCK_F64 = 17,
  PENSTOCK_BOOL = 18,  /* uint8_t, 0 or 1 */
  PENSTOCK_TEXT = 19,  /* PenstockString */
  PENSTOCK_CLASS = 20, /* int32_t, index into `classes`; -1 none of them */
  PENSTOCK_STRUCT = 21 /* its `fields`: a column each, with a row for each struct */
};

enum PenstockColumnShape {
  PENSTOCK_EACH = 0, /* one element a row */
  PENSTOCK_WIDE = 1, /* `width` elements a row */
  PENSTOCK_LIST = 2  /* elements [offsets[r], offsets[r + 1]) a row, each `width` wide */
};

/* What a column is, without its values: the schema of an answer, of a source, of what a learner is shown. */
typedef struct PenstockField {
  uint32_t struct_size;
  int32_t element;
  int32_t shape;
  PenstockString name;
  /* What it means, from an open list: "class", "probabilities", "number", "set", "tags", "spans", "vector", "group", "score", "text";
   * empty: none. Metrics ask for meanings; printers know elements and shapes alone. */
  PenstockString meaning;
  PenstockString of; /* the column whose classes these are, or that it predicts; empty: none */
  int64_t width;     /* 1 of PENSTOCK_EACH */
  int64_t class_count;
  const PenstockString *classes; /* of PENSTOCK_CLASS, and of what has an element a class */
  int64_t trained;               /* the first so many of `classes` are those of train */
  PenstockTable fields;          /* PenstockField, of PENSTOCK_STRUCT */
} PenstockField;

/* Values of a field for some rows. Missing: where `present` is not NULL and 0. */
typedef struct PenstockColumn {
  uint32_t struct_size;
  const PenstockField *field;
  int64_t rows;
  const void *values;     /* NULL of PENSTOCK_STRUCT */
  const int64_t *offsets; /* rows + 1, of PENSTOCK_LIST */
  const uint8_t *present;
  PenstockTable children; /* PenstockColumn, of PENSTOCK_STRUCT: offsets[rows] rows each where it is a list, else `rows` */
} PenstockColumn;

/* Some records, column by column. */
typedef struct PenstockColumns {
  uint32_t struct_size;
  int64_t records;
  const uint64_t *numbers; /* of the records */
  /* Provenance for messages: file and rows of each record; NULL where there is none. */
  const PenstockString *files;
  const int64_t *first_rows, *last_rows;
  PenstockTable columns; /* PenstockColumn, `records` rows each */
} PenstockColumns;

typedef struct PenstockColumnSink {
  uint32_t struct_size;
  void *context;
  int32_t (*columns)(void *context, const PenstockColumns *); /* some records, in order; may be called many times */
} PenstockColumnSink;

typedef struct PenstockFieldSink {
  uint32_t struct_size;
  void *context;
  int32_t (*field)(void *context, const PenstockField *);
} PenstockFieldSink;

/* ---- graphs: what a head, or a learner that lowers its answer, builds ---------------------------------------------- */

typedef uint32_t PenstockNode; /* a value of the graph under construction; 0 is none */

typedef struct PenstockTensorSpec {
  uint32_t struct_size;
  PenstockString name; /* <path of the call>.<name> is the tensor's */
  int32_t element;     /* PenstockElement */
  int32_t rank;
  const int64_t *shape;
  int32_t initializer; /* zeros, ones, uniform, normal, constant: 0 to 4 */
  int32_t decays;
  double scale;
  PenstockString fit; /* of a fitted tensor: the fit that leaves it */
  const void *values; /* of a learner that is fitted already: the tensor's bytes; else NULL */
} PenstockTensorSpec;

/* Adds operations to the model. Names, operands, attributes and defaults are those of the edition's table (docs/generated/ops.md), held
 * by a test against a frozen list. What is built is differentiated and fused as built-in operations are. A failed call returns 0, and
 * the build fails with the compiler's message. */
typedef struct PenstockGraphBuilder {
  uint32_t struct_size;
  void *context;
  PenstockNode (*op)(void *context, PenstockString name, const PenstockNode *operands, int32_t operand_count,
                     const PenstockTable *attributes, int32_t result); /* attributes: PenstockValue; result: which, from 0 */
  PenstockNode (*parameter)(void *context, const PenstockTensorSpec *);
  PenstockNode (*state)(void *context, const PenstockTensorSpec *); /* model state; written by `update` */
  void (*update)(void *context, PenstockNode state, PenstockNode value);
  PenstockNode (*fitted)(void *context, const PenstockTensorSpec *);
  /* What a node is; `axis` of the type is a place in `axes` (PenstockAxis), valid as long as the builder. */
  int32_t (*describe)(void *context, PenstockNode node, PenstockValueType *type, PenstockTable *axes);
  void (*fail)(void *context, PenstockString message);
} PenstockGraphBuilder;

/* A loss: items and the weight of those items, rows `x 1`, or `one x 1` where they are sums already. The host divides their sums, over
 * parts and ranks and splits. */
typedef struct PenstockLoss {
  PenstockString name; /* "loss", or that of one among several */
  PenstockNode items, weight;
} PenstockLoss;

/* What `decode` is given: a tensor of the answer for each of its rows. */
typedef struct PenstockAnswerTensor {
  PenstockString name;
  PenstockNode node;
} PenstockAnswerTensor;

typedef struct PenstockGraph {
  uint32_t struct_size;
  PenstockTable answers; /* PenstockAnswerTensor */
  PenstockTable losses;  /* PenstockLoss; none where there is no target */
} PenstockGraph;

/* The operands of a head's call, and what is known of them. */
typedef struct PenstockHeadInputs {
  uint32_t struct_size;
  PenstockNode input;
  PenstockNode target;         /* 0 where there is none */
  PenstockNode weight;         /* a weight column, `records x 1`; 0 where there is none */
  const PenstockField *column; /* the target's; NULL where there is none */
} PenstockHeadInputs;

/* Values of one answer tensor: `rows` rows of `width` elements, and where the rows of each record begin (NULL: one each). */
typedef struct PenstockDecodeTensor {
  PenstockString name;
  const PenstockValueType *type;
  int64_t rows;
  const void *values;
  const int32_t *offsets; /* records + 1 */
} PenstockDecodeTensor;

typedef struct PenstockDecodeBatch {
  uint32_t struct_size;
  PenstockTable tensors;         /* PenstockDecodeTensor */
  const PenstockColumns *inputs; /* columns that the manifest asks for: words, where they stand in the text, at which row each begins */
} PenstockDecodeBatch;

/* ---- kinds ------------------------------------------------------------------------------------------------------- */

typedef struct PenstockHead {
  uint32_t struct_size;
  /* Parameters and the target's column are bound once; all that follows is asked of `self`. */
  int32_t (*create)(const PenstockHost *, const PenstockParameters *, const PenstockField *target, void **self, PenstockError *);
  void (*destroy)(void *self);
  /* The schema of the answer: its fields. */
  int32_t (*describe)(const void *self, const PenstockFieldSink *, PenstockError *);
  int32_t (*build)(const void *self, const PenstockGraphBuilder *, const PenstockHeadInputs *, PenstockGraph *, PenstockError *);
  /* Fills columns of the schema. The only place that decides (largest, threshold), for evaluate and predict alike. */
  int32_t (*decode)(const void *self, int64_t records, const PenstockDecodeBatch *, const PenstockColumnSink *, PenstockError *);
} PenstockHead;

typedef struct PenstockLearner {
  uint32_t struct_size;
  /* Fitting: fields of what will be shown, then records of train in order (features; targets and weights where the call has them), then
   * dev where the manifest asks for it (`part` 1), then the state. Not thread-safe. */
  int32_t (*fit_begin)(const PenstockHost *, const PenstockParameters *, const PenstockTable *features, const PenstockTable *targets,
                       int32_t threads, void **fit, PenstockError *);
  int32_t (*fit_add)(void *fit, int32_t part, const PenstockColumns *features, const PenstockColumns *targets, const double *weights,
                     PenstockError *);
  int32_t (*fit_end)(void *fit, const PenstockByteSink *state, PenstockError *); /* frees fit */
  void (*fit_abandon)(void *fit);
  int32_t (*create)(const PenstockHost *, const PenstockParameters *, PenstockString state, void **self, PenstockError *);
  void (*destroy)(void *self);
  int32_t (*describe)(const void *self, const PenstockFieldSink *, PenstockError *);
  /* A record's answer does not depend on the others. */
  int32_t (*answer)(const void *self, const PenstockColumns *features, const PenstockColumnSink *, PenstockError *);
  /* The same answer as a graph over fitted tensors, with `decode` of it; NULL: the library is needed to answer. Shapes follow from
   * parameters alone, so that `lower` may be called before the fit, with a `self` of an empty state and tensors without values. */
  int32_t (*lower)(const void *self, const PenstockGraphBuilder *, PenstockNode features, PenstockGraph *, PenstockError *);
  int32_t (*decode)(const void *self, int64_t records, const PenstockDecodeBatch *, const PenstockColumnSink *, PenstockError *);
} PenstockLearner;

/* Some records to judge. */
typedef struct PenstockJudged {
  uint32_t struct_size;
  const PenstockColumns *answers;  /* those fields whose meanings the manifest asks for */
  const PenstockColumns *gold;     /* the target's column; NULL where the answer has none */
  const PenstockColumns *features; /* where the manifest asks for them, else NULL */
  const double *weights;           /* NULL: 1 each */
} PenstockJudged;

typedef struct PenstockMetricSink {
  uint32_t struct_size;
  void *context;
  int32_t (*value)(void *context, PenstockString name, double value);
  int32_t (*text)(void *context, PenstockString text); /* a report for people */
} PenstockMetricSink;

/* Used by one thread at a time. */
typedef struct PenstockMetric {
  uint32_t struct_size;
  int32_t (*create)(const PenstockHost *, const PenstockParameters *, const PenstockTable *answers, const PenstockField *gold, void **self,
                    PenstockError *);
  void (*destroy)(void *self);
  int32_t (*add)(void *self, const PenstockJudged *, PenstockError *);
  int32_t (*merge)(void *self, const void *other, PenstockError *);
  int32_t (*result)(const void *self, const PenstockMetricSink *, PenstockError *);
  /* The state as bytes and back: other ranks and spilled states. A loaded state merges as the saved one would. */
  int32_t (*save)(const void *self, const PenstockByteSink *, PenstockError *);
  int32_t (*load)(void *self, PenstockString state, PenstockError *);
} PenstockMetric;

typedef struct PenstockRowErrorSink {
  uint32_t struct_size;
  void *context;
  /* `line` and `column` from 1, 0 where there is none. */
  int32_t (*row)(void *context, PenstockString file, int64_t row, int64_t line, int64_t column, PenstockString reason);
} PenstockRowErrorSink;

/* Rows of files, a split at a time, from any row on. Cells are what the files say; types, classes and splits by share are the host's. */
typedef struct PenstockSource {
  uint32_t struct_size;
  /* `files` are those of one split, absolute, in order. */
  int32_t (*open)(const PenstockHost *, const PenstockParameters *, const PenstockString *files, int64_t file_count, void **self,
                  PenstockError *);
  void (*close)(void *self);
  int32_t (*describe)(const void *self, const PenstockFieldSink *, PenstockError *);
  /* -1 where it is known only at the end. */
  int64_t (*rows)(const void *self);
  int32_t (*seek)(void *self, int64_t row, PenstockError *); /* the next row to read, from 0 */
  /* At most `most` rows of the columns asked for (by their place in `describe`); none: the end. A row that cannot be read goes to
   * `bad`, and reading goes on. */
  int32_t (*read)(void *self, int64_t most, const int32_t *wanted, int32_t wanted_count, const PenstockColumnSink *,
                  const PenstockRowErrorSink *bad, PenstockError *);
} PenstockSource;

/* Receives the tokens of one text after another, in order: ids[i] covers bytes [starts[i], ends[i]) of the text. */
typedef struct PenstockTokenSink {
  uint32_t struct_size;
  void *context;
  int32_t (*text)(void *context, int64_t index, const int32_t *ids, const uint32_t *starts, const uint32_t *ends, int64_t count);
  int32_t ids_only; /* 1: nobody reads the offsets, `starts` and `ends` may be NULL */
} PenstockTokenSink;

/* Ids around the tokens of a record: prefix A suffix, or of two texts prefix A separator B suffix. */
typedef struct PenstockSpecialTokens {
  uint32_t struct_size;
  const int32_t *prefix, *separator, *suffix;
  int32_t prefix_count, separator_count, suffix_count;
} PenstockSpecialTokens;

typedef struct PenstockTokenizer {
  uint32_t struct_size;
  int32_t (*fit_begin)(const PenstockHost *, const PenstockParameters *, void **fit, PenstockError *);
  int32_t (*fit_add)(void *fit, const PenstockString *texts, int64_t count, PenstockError *);
  int32_t (*fit_end)(void *fit, const PenstockByteSink *state, PenstockError *); /* frees fit */
  void (*fit_abandon)(void *fit);
  int32_t (*create)(const PenstockHost *, const PenstockParameters *, PenstockString state, void **self, PenstockError *);
  void (*destroy)(void *self);
  int64_t (*vocabulary_size)(const void *self);
  int32_t (*unknown_id)(const void *self);
  int32_t (*token)(const void *self, int32_t id, PenstockString *text, PenstockError *); /* valid as long as self */
  /* Valid UTF-8, without special tokens; `max_tokens` < 0: no limit. */
  int32_t (*encode)(const void *self, const PenstockString *texts, int64_t count, int64_t max_tokens, const PenstockTokenSink *,
                    PenstockError *);
  int32_t (*special_tokens)(const void *self, PenstockSpecialTokens *, PenstockError *); /* NULL: there are none */
} PenstockTokenizer;

/* A kind is a row of the host's registry; its number is never used for another. */
enum PenstockPluginKind { PENSTOCK_TOKENIZER = 1, PENSTOCK_HEAD = 2, PENSTOCK_METRIC = 3, PENSTOCK_LEARNER = 4, PENSTOCK_SOURCE = 5 };

typedef struct PenstockPlugin {
  uint32_t struct_size;
  int32_t abi_major;
  int32_t abi_minor;
  int32_t kind;
  const char *name;
  const char *version;
  const void *functions; /* the struct of its kind */
} PenstockPlugin;

typedef const PenstockPlugin *(*PenstockPluginFunction)(void);

#ifdef __cplusplus
}
#endif
#endif
