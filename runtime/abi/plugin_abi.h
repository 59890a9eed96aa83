/* The boundary between Penstock and its plugins. Plain C, standard headers only.
 *
 * A plugin is one shared library that exports
 *
 *     const PenstockPlugin *penstock_plugin(void);
 *
 * beside a plugin.toml that describes it (name, kind, version, ABI, parameters). Rules: every struct begins with its size;
 * the major version must match, the minor may grow (new members come at the end, the size says what is there); no STL type,
 * exception or allocator crosses; what a plugin gives back it writes into a sink of the host; functions return 0, or another
 * number after filling PenstockError. Objects made by `create` are not NULL, are immutable and may be used by many threads at
 * once, unless it says otherwise.
 *
 * The host judges what it is given before it uses it (docs/design/plugins.md has the limits): texts are UTF-8, pointers lie where
 * counts say that something is, counts are not negative and not beyond what was asked for. A sink that returned another number than
 * 0 wants nothing more.
 */
#ifndef PENSTOCK_PLUGIN_ABI_H
#define PENSTOCK_PLUGIN_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PENSTOCK_PLUGIN_ABI_MAJOR 1
#define PENSTOCK_PLUGIN_ABI_MINOR 3

/* Whether a table or a struct that came over the boundary, of type `Struct`, is long enough to have `member`: what was not in the first
 * version of a struct is asked for so, never by `sizeof`, which grows with the header of the one who asks. */
#define PENSTOCK_HAS(pointer, Struct, member) ((pointer)->struct_size >= offsetof(Struct, member) + sizeof(((const Struct *)0)->member))

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

/* What the host lends a plugin: memory (64-byte aligned; freed with `release`), a log, and, since 1.2, remarks. A remark is for a
 * person: the call works, and something about it should be known (a file that contradicts a parameter). It becomes a warning at the
 * parameter, or, where `parameter` is empty, at the call. Only `fit_begin` of a tokenizer is given a `remark`; else it is NULL. */
typedef struct PenstockHost {
  uint32_t struct_size;
  void *context;
  void *(*allocate)(void *context, size_t bytes); /* NULL when there is none */
  void (*release)(void *context, void *memory);
  void (*log)(void *context, PenstockString message);
  void (*remark)(void *context, PenstockString parameter, PenstockString message);
} PenstockHost;

/* A value of a parameter, of a type that plugin.toml declares. */
enum PenstockValueKind {
  PENSTOCK_VALUE_BOOL = 0,    /* integer 0 or 1 */
  PENSTOCK_VALUE_INT = 1,     /* integer */
  PENSTOCK_VALUE_FLOAT = 2,   /* number */
  PENSTOCK_VALUE_STRING = 3,  /* string; enumerations too; a `path` is absolute */
  PENSTOCK_VALUE_STRINGS = 4, /* strings, count */
  PENSTOCK_VALUE_NUMBERS = 5  /* numbers, count */
};
typedef struct PenstockParameter {
  PenstockString name;
  int32_t kind;
  int64_t integer;
  double number;
  PenstockString string;
  const PenstockString *strings;
  const double *numbers;
  int64_t count;
} PenstockParameter;
/* All parameters of the manifest, defaults filled in by the host, in the manifest's order; without those that the manifest calls
 * optional (since 1.2) and the call does not give. */
typedef struct PenstockParameters {
  uint32_t struct_size;
  int32_t count;
  const PenstockParameter *items;
} PenstockParameters;

/* Receives bytes; may be called many times. Returns 0, or stops the plugin. */
typedef struct PenstockByteSink {
  uint32_t struct_size;
  void *context;
  int32_t (*write)(void *context, const void *bytes, size_t size);
} PenstockByteSink;

/* ---- tokenizer ------------------------------------------------------------------------------------------------- */

/* Receives the tokens of one text after another, in order: `ids[i]` covers bytes [starts[i], ends[i]) of the input text. */
typedef struct PenstockTokenSink {
  uint32_t struct_size;
  void *context;
  int32_t (*text)(void *context, int64_t index, const int32_t *ids, const uint32_t *starts, const uint32_t *ends, int64_t count);
  int32_t ids_only; /* since 1.1. 1: nobody reads the offsets, `starts` and `ends` may be NULL */
} PenstockTokenSink;

/* Since 1.1. Ids that the host puts around the tokens of a record: prefix A suffix, or of two texts prefix A separator B
 * suffix. Valid as long as the tokenizer. */
typedef struct PenstockSpecialTokens {
  uint32_t struct_size;
  const int32_t *prefix;
  int32_t prefix_count;
  const int32_t *separator;
  int32_t separator_count;
  const int32_t *suffix;
  int32_t suffix_count;
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
  /* Since 1.1. Fills the counts and ids; NULL where there are no special tokens. */
  int32_t (*special_tokens)(const void *self, PenstockSpecialTokens *, PenstockError *);
} PenstockTokenizer;

/* ---- head -------------------------------------------------------------------------------------------------------- */

typedef uint32_t PenstockNode; /* a value of the graph under construction; 0 is none */

typedef struct PenstockAttribute {
  PenstockString name;
  int32_t kind; /* PenstockValueKind */
  int64_t integer;
  double number;
  PenstockString string;
  const double *numbers; /* PENSTOCK_VALUE_NUMBERS: count of them */
  int64_t count;
} PenstockAttribute;

/* Adds ops to the model. Names and attributes are those of docs/generated/ops.md without the `nn.` prefix; what is built is
 * differentiated and fused like built-in ops. A failed call returns 0 and the build fails with the compiler's message. */
typedef struct PenstockGraphBuilder {
  uint32_t struct_size;
  void *context;
  PenstockNode (*op)(void *context, PenstockString name, const PenstockNode *operands, int32_t operand_count,
                     const PenstockAttribute *attributes, int32_t attribute_count);
  /* A trainable tensor named <path of the head>.<name>. initializer: PenstockInitializer of program_abi.h. */
  PenstockNode (*parameter)(void *context, PenstockString name, const int64_t *shape, int32_t rank, int32_t initializer, double scale,
                            int32_t decays);
  int64_t (*width)(void *context, PenstockNode node);       /* elements a row */
  int32_t (*is_sequence)(void *context, PenstockNode node); /* 1 where rows are tokens, 0 where rows are records */
  void (*fail)(void *context, PenstockString message);
} PenstockGraphBuilder;

typedef struct PenstockHeadGraph {
  uint32_t struct_size;
  PenstockNode answer; /* records x answer width; of a head that predicts tags: rows of its input's axis x answer width */
  PenstockNode loss;   /* items whose sum is the loss: rows or a scalar; without `weight` a scalar, a mean; 0 when target is 0 */
  /* Since 1.3. What the sum of the items is divided by, over all parts of a step and all batches of a split: rows or a scalar, the
   * weight of each item. It depends on the target alone. 0: `loss` is a sum of what the builder's losses gave (`cross_entropy`, `mse`)
   * times numbers, each of which brings its own weight; any other scalar counts as a mean over the records. */
  PenstockNode weight;
} PenstockHeadGraph;

/* Receives the text of a JSON object, one a record. */
typedef struct PenstockAnswerSink {
  uint32_t struct_size;
  void *context;
  int32_t (*answer)(void *context, int64_t record, PenstockString json);
} PenstockAnswerSink;

/* The records whose words were tagged: what an answer with a row a token (a sub-word) lies on. */
typedef struct PenstockTaggedRecords {
  uint32_t struct_size;
  int64_t records;
  const int32_t *row_offsets;  /* records + 1: rows of the answer of each record */
  const int32_t *row_word;     /* a row: the word of its record that begins there, or -1; see PenstockAxisBatch */
  const int64_t *word_offsets; /* records + 1: words of each record */
  const PenstockString *words; /* as they were given, not cleaned */
  const PenstockString *texts; /* a record: the text that its words were cut from; empty where they came as a list */
  const int64_t *word_starts;  /* a word: its first byte in the record's text, or -1 */
} PenstockTaggedRecords;

typedef struct PenstockHead {
  uint32_t struct_size;
  /* `classes`: number of classes of the target, 0 for a number. `target` is 0 when only the answer is wanted. */
  int32_t (*build)(const PenstockHost *, const PenstockParameters *, const PenstockGraphBuilder *, PenstockNode input, PenstockNode target,
                   int64_t classes, PenstockHeadGraph *, PenstockError *);
  /* Turns the answer tensor (records x width) into typed answers: JSON objects. */
  int32_t (*decode)(const PenstockHost *, const PenstockParameters *, const PenstockString *classes, int64_t class_count,
                    const float *answer, int64_t records, int64_t width, const PenstockAnswerSink *, PenstockError *);
  /* Minor 1. Of a head that predicts tags, in place of `decode`, which is NULL then; NULL for others. `answer`: rows x width;
   * `classes`: the tags. */
  int32_t (*decode_tags)(const PenstockHost *, const PenstockParameters *, const PenstockString *classes, int64_t class_count,
                         const float *answer, int64_t width, const PenstockTaggedRecords *, const PenstockAnswerSink *, PenstockError *);
} PenstockHead;

/* ---- learner (minor 1) -------------------------------------------------------------------------------------------- */

/* Records of train to learn from. */
typedef struct PenstockFitRecords {
  uint32_t struct_size;
  int64_t records;
  int64_t width;
  const float *values;         /* records x width: what flows into the learner */
  const int64_t *rows;         /* number of each record's row in the file of train, from 1 */
  const PenstockString *texts; /* the text of each record; empty where the model reads none */
} PenstockFitRecords;

/* Ends a flow, and fits by itself: after the weights are final it is shown what flows into it for every record of train, in
 * their order, and leaves a state, which the run carries. */
typedef struct PenstockLearner {
  uint32_t struct_size;
  /* Fitting, for learners whose manifest says `fits = true`, as that of a tokenizer. */
  int32_t (*fit_begin)(const PenstockHost *, const PenstockParameters *, int64_t width, void **fit, PenstockError *);
  int32_t (*fit_add)(void *fit, const PenstockFitRecords *, PenstockError *);
  int32_t (*fit_end)(void *fit, const PenstockByteSink *state, PenstockError *); /* frees fit */
  void (*fit_abandon)(void *fit);
  /* Makes a learner from parameters and the fitted state (empty for one that needs no fit). It is immutable and shared
   * between threads. */
  int32_t (*create)(const PenstockHost *, const PenstockParameters *, PenstockString state, void **self, PenstockError *);
  void (*destroy)(void *self);
  /* Answers records (records x width): a JSON object each. A record's answer does not depend on the others. */
  int32_t (*answer)(const void *self, const float *values, int64_t records, int64_t width, const PenstockAnswerSink *, PenstockError *);
} PenstockLearner;

/* ---- metric ------------------------------------------------------------------------------------------------------ */

/* One batch of records to judge. Members that do not apply are NULL. A gold class of -1 is one that is not among `classes`: a
 * prediction for it is wrong, whatever it is. A prediction of -1 is none, or is not among `classes`. */
typedef struct PenstockPredictions {
  uint32_t struct_size;
  int64_t records;
  const int32_t *gold; /* class of each record */
  const int32_t *predicted;
  const float *scores; /* records x width: probabilities, or the predicted number (width 1). A width of 1 for two
                        * classes is the probability of the second */
  int64_t width;
  const double *gold_numbers; /* regression */
  const double *predicted_numbers;
  const double *weights; /* NULL: 1 each */
  /* Minor 1. The same scores where the host has them in double precision, else NULL. */
  const double *exact_scores;
  /* Minor 1. Sets of labels: records x number of classes, 1 for the labels of a record, else 0. `gold` and `predicted` are NULL
   * then. */
  const uint8_t *gold_sets;
  const uint8_t *predicted_sets;
  /* Minor 1. Of tags: `records` counts words, gold and predicted have one a word, and sequence s is the words
   * [offsets[s], offsets[s + 1]). A word that the model did not see has a prediction of -1. */
  int64_t sequences;
  const int64_t *offsets; /* sequences + 1 */
} PenstockPredictions;

typedef struct PenstockMetricSink {
  uint32_t struct_size;
  void *context;
  int32_t (*value)(void *context, PenstockString name, double value);
  int32_t (*text)(void *context, PenstockString text); /* a report for people */
} PenstockMetricSink;

typedef struct PenstockMetric {
  uint32_t struct_size;
  /* A metric object is used by one thread at a time. */
  int32_t (*create)(const PenstockHost *, const PenstockParameters *, const PenstockString *classes, int64_t class_count, void **self,
                    PenstockError *);
  void (*destroy)(void *self);
  int32_t (*add)(void *self, const PenstockPredictions *, PenstockError *);
  int32_t (*merge)(void *self, const void *other, PenstockError *);
  int32_t (*result)(const void *self, const PenstockMetricSink *, PenstockError *);
  /* Since 1.2. Called in place of `create` where it is not NULL: `classes` are the `trained` ones of train and behind them those
   * that only the data to judge have. Batches then have the latter's index in place of -1, and sets a column for each; scores are as
   * wide as `trained`. `create` alone gets those of train, except of tags, where it gets all of them. */
  int32_t (*create_for)(const PenstockHost *, const PenstockParameters *, const PenstockString *classes, int64_t class_count,
                        int64_t trained, void **self, PenstockError *);
} PenstockMetric;

/* ---- the plugin -------------------------------------------------------------------------------------------------- */

enum PenstockPluginKind { PENSTOCK_TOKENIZER = 1, PENSTOCK_HEAD = 2, PENSTOCK_METRIC = 3, PENSTOCK_LEARNER = 4 };

typedef struct PenstockPlugin {
  uint32_t struct_size;
  int32_t abi_major;
  int32_t abi_minor;
  int32_t kind;
  const char *name;
  const char *version;
  const void *functions; /* PenstockTokenizer, PenstockHead, PenstockMetric or PenstockLearner, by kind */
} PenstockPlugin;

typedef const PenstockPlugin *(*PenstockPluginFunction)(void);

#ifdef __cplusplus
}
#endif
#endif
