/* The boundary between Penstock and its plugins. Plain C, standard headers only.
 *
 * A plugin is one shared library that exports
 *
 *     const PenstockPlugin *penstock_plugin(void);
 *
 * beside a plugin.toml that describes it (name, kind, version, ABI, parameters). Rules: no STL type, exception or allocator crosses;
 * what a plugin gives back it writes into a sink of the host, which copies; functions return 0, or another number after filling
 * PenstockError. Objects made by `create` are not NULL, are immutable and may be used by many threads at once, unless it says
 * otherwise.
 *
 * Growth: table.h. The major version must match; the minor may grow: a host of 2.3 takes a plugin of 2.0 for having what 2.0 had, and a
 * plugin asks sizes of the host's structs likewise.
 *
 * The host judges what it is given before it uses it (docs/design/plugins.md has the limits): texts are UTF-8, pointers lie where
 * counts say that something is, counts are not negative and not beyond what was asked for. A sink that returned another number than
 * 0 wants nothing more.
 */
#ifndef PENSTOCK_PLUGIN_ABI_H
#define PENSTOCK_PLUGIN_ABI_H

#include "table.h"
#include "value_type.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PENSTOCK_PLUGIN_ABI_MAJOR 2
#define PENSTOCK_PLUGIN_ABI_MINOR 1

/* Returned in place of 1 where a function failed by what its author did not mean, such as an exception of a library: the text of the
 * error is not shown then. */
#define PENSTOCK_UNEXPECTED (-1000)

/* UTF-8 bytes, not terminated. */
typedef struct PenstockString {
  const char *data;
  size_t size;
} PenstockString;

typedef struct PenstockError {
  char text[1024]; /* UTF-8, terminated; a sentence for a person */
} PenstockError;

/* What the host lends a plugin: memory (64-byte aligned; freed with `release`), a log, and remarks. A remark is for a person: the call
 * works, and something about it should be known (a file that contradicts a parameter). It becomes a warning at the parameter, or,
 * where `parameter` is empty, at the call. Only `fit_begin` of a tokenizer is given a `remark`; else it is NULL. */
typedef struct PenstockHost {
  uint32_t struct_size;
  void *context;
  void *(*allocate)(void *context, size_t bytes); /* NULL when there is none */
  void (*release)(void *context, void *memory);
  void (*log)(void *context, PenstockString message);
  void (*remark)(void *context, PenstockString parameter, PenstockString message);
} PenstockHost;

/* Receives bytes; may be called many times. Returns 0, or stops the plugin. */
typedef struct PenstockByteSink {
  uint32_t struct_size;
  void *context;
  int32_t (*write)(void *context, const void *bytes, size_t size);
} PenstockByteSink;

/* A value of a parameter, of a type that plugin.toml declares, or an attribute of an operation. */
enum PenstockValueKind {
  PENSTOCK_VALUE_BOOL = 0,    /* integer 0 or 1 */
  PENSTOCK_VALUE_INT = 1,     /* integer */
  PENSTOCK_VALUE_FLOAT = 2,   /* number */
  PENSTOCK_VALUE_STRING = 3,  /* string; enumerations too; a `path` is absolute */
  PENSTOCK_VALUE_STRINGS = 4, /* strings, count; not of an attribute */
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
/* All parameters of the manifest, defaults filled in by the host, in the manifest's order; without those that the manifest calls
 * optional and the call does not give. */
typedef struct PenstockParameters {
  uint32_t struct_size;
  PenstockTable values; /* PenstockValue */
} PenstockParameters;

/* ---- columns: what heads and learners answer, what learners are shown, what metrics judge, what sources give ------------- */

/* Elements of a column: PENSTOCK_F32 and PENSTOCK_I32 of value_type.h, and: */
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
  PENSTOCK_WIDE = 1, /* `width` elements a row; an element a class, in their order, where the field has `classes` */
  PENSTOCK_LIST = 2  /* a row has the elements [offsets[r], offsets[r + 1]) */
};

/* What a column is, without its values: a part of the schema of an answer, what a learner is shown. */
typedef struct PenstockField {
  uint32_t struct_size;
  int32_t element;
  int32_t shape;
  PenstockString name; /* as a parameter's; of a target the column's */
  /* What it means, from an open list: "class", "probabilities", "number", "set", "tags", "spans", "vector", "group", "score", "text";
   * empty: none. Metrics ask for meanings; printers know elements and shapes alone. */
  PenstockString meaning;
  int64_t width; /* of PENSTOCK_WIDE, else 1 */
  int64_t class_count;
  const PenstockString *classes; /* NULL where their names are not known yet: when a model is built */
  int64_t trained;               /* the first so many of the classes are those of train, the others are only in what is judged */
  PenstockTable fields;          /* PenstockField, of PENSTOCK_STRUCT */
} PenstockField;

/* Values of a field for some rows. A row is missing where `present` is not NULL and 0 there. */
typedef struct PenstockColumn {
  uint32_t struct_size;
  const PenstockField *field;
  int64_t rows;
  const void *values;     /* NULL of PENSTOCK_STRUCT */
  const int64_t *offsets; /* rows + 1, of PENSTOCK_LIST, from 0 */
  const uint8_t *present;
  PenstockTable children; /* PenstockColumn, of PENSTOCK_STRUCT: offsets[rows] rows each where it is a list, else `rows` */
} PenstockColumn;

/* Some records, column by column. */
typedef struct PenstockColumns {
  uint32_t struct_size;
  int64_t records;
  PenstockTable columns; /* PenstockColumn, `records` rows each */
  /* The first and last row of each record in its file, from 1; NULL where nobody asked, or there is no file. Of a source: `first_rows`
   * is the line on which each row begins; NULL: the number of the row. */
  const int64_t *first_rows, *last_rows;
} PenstockColumns;

/* Receives some records, in order; may be called many times. The columns of a call are fields of the schema, each at most once. */
typedef struct PenstockColumnSink {
  uint32_t struct_size;
  void *context;
  int32_t (*columns)(void *context, const PenstockColumns *);
} PenstockColumnSink;

/* Receives the fields of a schema, one after another. */
typedef struct PenstockFieldSink {
  uint32_t struct_size;
  void *context;
  int32_t (*field)(void *context, const PenstockField *);
} PenstockFieldSink;

/* ---- head -------------------------------------------------------------------------------------------------------- */

typedef uint32_t PenstockNode; /* a value of the graph under construction; 0 is none */

typedef struct PenstockTensorSpec {
  uint32_t struct_size;
  PenstockString name; /* the tensor is <path of the head>.<name> */
  const int64_t *shape;
  int32_t rank;
  int32_t initializer; /* zeros, ones, uniform, normal, constant: 0 to 4, PenstockInitializer of program_abi.h */
  double scale;
  int32_t decays; /* of a parameter: whether weight decay applies to it */
} PenstockTensorSpec;

/* Adds ops to the model. Names and attributes are those of docs/generated/ops.md without the `nn.` prefix; what is built is
 * differentiated and fused like built-in ops. A failed call returns 0, or another number than 0 where it gives no node, and the build
 * fails with the compiler's message. */
typedef struct PenstockGraphBuilder {
  uint32_t struct_size;
  void *context;
  PenstockNode (*op)(void *context, PenstockString name, const PenstockNode *operands, int32_t operand_count,
                     const PenstockTable *attributes); /* PenstockValue; NULL: none */
  /* A trainable tensor. */
  PenstockNode (*parameter)(void *context, const PenstockTensorSpec *);
  /* Model state: a tensor that no gradient moves; evaluate and predict read it, and it travels with the weights. `update` says what it
   * becomes in a step of training, once a state. */
  PenstockNode (*state)(void *context, const PenstockTensorSpec *);
  int32_t (*update)(void *context, PenstockNode state, PenstockNode value);
  /* What a node is: its type, and the axes of the model, of which `axis` of the type is one. Valid until the build ends. */
  int32_t (*describe)(void *context, PenstockNode node, PenstockValueType *type, PenstockTable *axes);
  /* The answer, once: records x width; of a head that predicts tags: rows of its input's axis x width. */
  int32_t (*answer)(void *context, PenstockNode node);
  /* The loss, once, where there is a target: items whose sum is divided by the sum of their weights, over all parts of a step and all
   * batches of a split. Both are rows or a scalar; a weight depends on the target alone. `weight` 0: `items` is a scalar, a sum of what
   * the builder's losses gave (`cross_entropy`, `mse`) times numbers, each of which brings its own weight; any other scalar counts as a
   * mean over the records. */
  int32_t (*loss)(void *context, PenstockNode items, PenstockNode weight);
  void (*fail)(void *context, PenstockString message);
} PenstockGraphBuilder;

/* The operands of a head's call. */
typedef struct PenstockHeadInputs {
  uint32_t struct_size;
  PenstockNode input;
  PenstockNode target; /* 0 where only the answer is wanted */
} PenstockHeadInputs;

/* The words of the records, where an answer has a row a token (a sub-word). */
typedef struct PenstockWords {
  uint32_t struct_size;
  const int64_t *offsets;      /* records + 1: words of each record */
  const int32_t *row_word;     /* a row: the word of its record that begins there, or -1; see PenstockAxisBatch */
  const PenstockString *words; /* as they were given, not cleaned; this and the next two NULL where only tags are wanted */
  const PenstockString *texts; /* a record: the text that its words were cut from; empty where they came as a list */
  const int64_t *starts;       /* a word: its first byte in the record's text, or -1 */
} PenstockWords;

/* What the model answers for some records. */
typedef struct PenstockDecodeBatch {
  uint32_t struct_size;
  int64_t records;
  int64_t rows, width;
  const float *values;        /* rows x width */
  const int32_t *offsets;     /* records + 1: the rows of each record; NULL: one each */
  const PenstockWords *words; /* of tags, else NULL */
  const uint8_t *wanted;      /* a field of the schema: 0 where nobody reads it, so that it may be left out; NULL: all are wanted */
} PenstockDecodeBatch;

typedef struct PenstockHead {
  uint32_t struct_size;
  /* Parameters and the target's column are bound once; all that follows is asked of `self`. `target`: NULL where there is none. */
  int32_t (*create)(const PenstockHost *, const PenstockParameters *, const PenstockField *target, void **self, PenstockError *);
  void (*destroy)(void *self);
  /* The schema of the answer. Asked where the names of the target's classes are known. */
  int32_t (*describe)(const void *self, const PenstockFieldSink *, PenstockError *);
  int32_t (*build)(const void *self, const PenstockGraphBuilder *, const PenstockHeadInputs *, PenstockError *);
  /* Fills columns of the schema: the only place that decides (the largest, a threshold), for evaluate and predict alike. Numbers that are
   * not finite are no failure. */
  int32_t (*decode)(const void *self, const PenstockDecodeBatch *, const PenstockColumnSink *, PenstockError *);
} PenstockHead;

/* ---- learner ----------------------------------------------------------------------------------------------------- */

/* What a learner is bound to. */
typedef struct PenstockLearning {
  uint32_t struct_size;
  PenstockTable features; /* PenstockField: the vector that flows in; while it is fitted also "text", where the manifest says
                           * `keeps_records` */
  PenstockTable targets;  /* PenstockField: the column that it predicts; none where it takes no target */
} PenstockLearning;

/* Records of train to learn from. */
typedef struct PenstockExamples {
  uint32_t struct_size;
  const PenstockColumns *features;
  const PenstockColumns *targets; /* NULL where it takes no target. A class is -1 where the record has none */
  const double *weights;          /* a record; NULL: 1 each */
} PenstockExamples;

/* Ends a flow, and fits by itself: after the weights are final it is shown what flows into it for every record of train, in
 * their order, and leaves a state, which the run carries. */
typedef struct PenstockLearner {
  uint32_t struct_size;
  /* Fitting, for learners whose manifest says `fits = true`, as that of a tokenizer. Not thread-safe. */
  int32_t (*fit_begin)(const PenstockHost *, const PenstockParameters *, const PenstockLearning *, void **fit, PenstockError *);
  int32_t (*fit_add)(void *fit, const PenstockExamples *, PenstockError *);
  int32_t (*fit_end)(void *fit, const PenstockByteSink *state, PenstockError *); /* frees fit */
  void (*fit_abandon)(void *fit);
  /* Makes a learner from parameters and the fitted state (empty for one that needs no fit). */
  int32_t (*create)(const PenstockHost *, const PenstockParameters *, const PenstockLearning *, PenstockString state, void **self,
                    PenstockError *);
  void (*destroy)(void *self);
  int32_t (*describe)(const void *self, const PenstockFieldSink *, PenstockError *);
  /* A record's answer does not depend on the others. */
  int32_t (*answer)(const void *self, const PenstockColumns *features, const PenstockColumnSink *, PenstockError *);
} PenstockLearner;

/* ---- metric ------------------------------------------------------------------------------------------------------ */

/* What a metric is bound to: the fields of the answer that it is shown, those that mean its target or what its manifest lists, and the
 * column of the target. A class of -1 in gold is one that is not among the classes, a prediction of -1 is none. */
typedef struct PenstockJudging {
  uint32_t struct_size;
  PenstockTable answers; /* PenstockField */
  const PenstockField *gold;
  PenstockTable features; /* PenstockField, where the manifest says `features`: the vector that flows into the learner */
} PenstockJudging;

/* Some records to judge. */
typedef struct PenstockJudged {
  uint32_t struct_size;
  const PenstockColumns *answers;
  const PenstockColumn *gold;
  const PenstockColumns *features; /* NULL where the manifest does not ask */
  const double *weights;           /* a record; NULL: 1 each */
} PenstockJudged;

typedef struct PenstockMetricSink {
  uint32_t struct_size;
  void *context;
  int32_t (*value)(void *context, PenstockString name, double value);
  int32_t (*text)(void *context, PenstockString text); /* a report for people */
} PenstockMetricSink;

/* A metric object is used by one thread at a time. */
typedef struct PenstockMetric {
  uint32_t struct_size;
  int32_t (*create)(const PenstockHost *, const PenstockParameters *, const PenstockJudging *, void **self, PenstockError *);
  void (*destroy)(void *self);
  int32_t (*add)(void *self, const PenstockJudged *, PenstockError *);
  int32_t (*merge)(void *self, const void *other, PenstockError *);
  int32_t (*result)(const void *self, const PenstockMetricSink *, PenstockError *);
  /* The state as bytes, and back into what `create` made of the same: it then merges and answers as the saved one. */
  int32_t (*save)(const void *self, const PenstockByteSink *, PenstockError *);
  int32_t (*load)(void *self, PenstockString state, PenstockError *);
} PenstockMetric;

/* ---- tokenizer --------------------------------------------------------------------------------------------------- */

/* Receives the tokens of one text after another, in order: `ids[i]` covers bytes [starts[i], ends[i]) of the input text. */
typedef struct PenstockTokenSink {
  uint32_t struct_size;
  void *context;
  int32_t (*text)(void *context, int64_t index, const int32_t *ids, const uint32_t *starts, const uint32_t *ends, int64_t count);
  int32_t ids_only; /* 1: nobody reads the offsets, `starts` and `ends` may be NULL */
} PenstockTokenSink;

/* Ids that the host puts around the tokens of a record: prefix A suffix, or of two texts prefix A separator B suffix. Valid as long as
 * the tokenizer. */
typedef struct PenstockSpecialTokens {
  uint32_t struct_size;
  const int32_t *prefix, *separator, *suffix;
  int32_t prefix_count, separator_count, suffix_count;
} PenstockSpecialTokens;

typedef struct PenstockTokenizer {
  uint32_t struct_size;
  /* Fitting, for tokenizers whose manifest says `fits = true`: begin, add texts of train in record order, end (writes the
   * state), or abandon. Not thread-safe. NULL for tokenizers that need no fit. */
  int32_t (*fit_begin)(const PenstockHost *, const PenstockParameters *, void **fit, PenstockError *);
  int32_t (*fit_add)(void *fit, const PenstockString *texts, int64_t count, PenstockError *);
  int32_t (*fit_end)(void *fit, const PenstockByteSink *state, PenstockError *); /* frees fit */
  void (*fit_abandon)(void *fit);
  /* Makes a tokenizer from parameters and the fitted state (empty for one that needs no fit). */
  int32_t (*create)(const PenstockHost *, const PenstockParameters *, PenstockString state, void **self, PenstockError *);
  void (*destroy)(void *self);
  int64_t (*vocabulary_size)(const void *self);
  int32_t (*unknown_id)(const void *self);
  /* The text of one id, valid as long as self. */
  int32_t (*token)(const void *self, int32_t id, PenstockString *text, PenstockError *);
  /* Encodes texts (valid UTF-8) without special tokens; `max_tokens` < 0: no limit. */
  int32_t (*encode)(const void *self, const PenstockString *texts, int64_t count, int64_t max_tokens, const PenstockTokenSink *,
                    PenstockError *);
  int32_t (*special_tokens)(const void *self, PenstockSpecialTokens *, PenstockError *); /* NULL: there are none */
} PenstockTokenizer;

/* ---- source (since 2.1) ------------------------------------------------------------------------------------------ */

/* A file, or a stream, that the host lends: its bytes, once, from the beginning. Valid until `close`. */
typedef struct PenstockSourceFile {
  uint32_t struct_size;
  void *context;
  /* Reads up to `size` bytes into `to`: what is there, without waiting for more. `got` 0: the end. Another number than 0: nothing more can
   * be read, and the function that asked fails; the host knows why. Called in a function of the reader only. */
  int32_t (*read)(void *context, void *to, size_t size, size_t *got);
} PenstockSourceFile;

/* What is wrong with a row, which is left out. */
typedef struct PenstockRowProblem {
  uint32_t struct_size;
  int32_t last;            /* 1: nothing behind it can be read */
  int64_t line, column;    /* where, from 1; 0: not known. A column is counted in characters */
  PenstockString sentence; /* without the place, as an error */
} PenstockRowProblem;

/* Receives rows and problems, in the order of the file; may be called many times. */
typedef struct PenstockRowSink {
  uint32_t struct_size;
  void *context;
  int32_t (*rows)(void *context, const PenstockColumns *); /* the columns that were selected, each once */
  int32_t (*problem)(void *context, const PenstockRowProblem *);
} PenstockRowSink;

/* Makes rows of a file. A row has a cell of each field: PENSTOCK_TEXT (what the file has as text is handed on as it stands, whatever it
 * will be read as), PENSTOCK_F64, PENSTOCK_I64 or PENSTOCK_BOOL each, missing where `present` says so, or a list of PENSTOCK_TEXT. Names of
 * fields are any text, each once. */
typedef struct PenstockSource {
  uint32_t struct_size;
  int32_t (*create)(const PenstockHost *, const PenstockParameters *, void **self, PenstockError *);
  void (*destroy)(void *self);
  /* A reader is used by one thread at a time, and does not outlive `self`. Opening reads nothing. */
  int32_t (*open)(const void *self, const PenstockSourceFile *, void **reader, PenstockError *);
  void (*close)(void *reader);
  /* The columns, once, as soon as the head of the file was read. None where there is something wrong with it, which `next` says. */
  int32_t (*describe)(void *reader, const PenstockFieldSink *, PenstockError *);
  /* Which of the columns rows shall have, by their places in what `describe` gave, each once, before the first `next`. */
  int32_t (*select)(void *reader, const int32_t *fields, int64_t count, PenstockError *);
  /* Gives the next rows and problems, as many as it likes. None of both is the end. */
  int32_t (*next)(void *reader, const PenstockRowSink *, PenstockError *);
} PenstockSource;

/* ---- the plugin -------------------------------------------------------------------------------------------------- */

/* A kind is a row of runtime/base/plugin_kinds.h; its number is never used for another. */
enum PenstockPluginKind { PENSTOCK_TOKENIZER = 1, PENSTOCK_HEAD = 2, PENSTOCK_METRIC = 3, PENSTOCK_LEARNER = 4, PENSTOCK_SOURCE = 5 };

typedef struct PenstockPlugin {
  uint32_t struct_size;
  int32_t abi_major;
  int32_t abi_minor;
  int32_t kind;
  const char *name;
  const char *version;
  const void *functions; /* PenstockTokenizer, PenstockHead, PenstockMetric, PenstockLearner or PenstockSource, by kind */
} PenstockPlugin;

typedef const PenstockPlugin *(*PenstockPluginFunction)(void);

#ifdef __cplusplus
}
#endif
#endif
