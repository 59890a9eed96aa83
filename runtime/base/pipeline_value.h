// What a pipeline says below its model, as one value (docs/design/pipeline_value.md). The front end fills it, the run keeps it.
#pragma once

#include "runtime/base/fields.h"
#include "runtime/base/status.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

// ---- from files to batches

/// Which of two texts gives way where both together are too long. As Hugging Face's `truncation`: longest_first, only_first, only_second.
enum class Truncation { longestFirst, first, second };
constexpr auto wordsOf(Truncation) { return std::array{"longest_first", "first", "second"}; }

/// An operator between columns and the batch, on a source, or on the cells of a column.
struct StepSpec {
  std::string op;                                 // of feature_operators.def, or tokenize; on a source of row_operators.def, on a column of
                                                  // cell_operators.def
  std::string plugin;                             // tokenize
  NamedValues parameters;                         // of the operator, or of the plugin; of drop and keep: by column
  std::optional<std::int64_t> maxLength;          // tokenize: without: no limit
  Truncation truncate = Truncation::longestFirst; // tokenize, of a pair

  static constexpr auto fields() {
    return std::tuple(field("op", &StepSpec::op, Role::weights, ""), field("plugin", &StepSpec::plugin, Role::weights, ""),
                      field("parameters", &StepSpec::parameters, Role::weights, ""),
                      field("max_length", &StepSpec::maxLength, Role::weights), field("truncate", &StepSpec::truncate, Role::weights));
  }
};

struct SourceSpec {
  std::string kind = "csv";                    // csv, jsonl, conll, or the name of a plugin
  std::string path;                            // absolute; `{split}` stands for the split
  NamedValues options;                         // csv: delimiter, quote; conll: columns, comment; of a plugin its parameters
  std::vector<std::vector<std::string>> files; // of each split, absolute, none of one that is not there; in place of `path`
  std::vector<StepSpec> steps;                 // see rows before they are records with numbers; not those of predict

  /// Whether files are read without a plugin.
  static bool isBuiltIn(std::string_view kind) { return kind == "csv" || kind == "jsonl" || kind == "conll"; }

  static constexpr auto fields() {
    // `options` takes every other key below the source.
    return std::tuple(part("steps", &SourceSpec::steps, "drop|keep|dedupe"), field("kind", &SourceSpec::kind, Role::measurement, ""),
                      field("path", &SourceSpec::path, Role::place), field("files", &SourceSpec::files, Role::place, "path"),
                      field("options", &SourceSpec::options, Role::measurement, ""));
  }
};

struct SharesSpec {
  double train = 0, dev = 0, test = 0; // of the records

  static constexpr auto fields() {
    return std::tuple(field("train", &SharesSpec::train, Role::weights), field("dev", &SharesSpec::dev, Role::weights),
                      field("test", &SharesSpec::test, Role::weights));
  }
};

struct SplitSpec {
  std::string by = "file"; // or "hash": of the cell of `column`; or "order": of the rows by its numbers or times
  std::string column;      // hash: "": what two records that are the same agree in (docs/design/data.md)
  std::string stratify;    // hash: a column, each class of which is split by these shares; ""
  std::int64_t folds = 0;  // hash: into so many parts of like size is cut what is not test, of which each is dev once; 0: no folds
  std::int64_t fold = -1;  // that is dev in this run, from 0; -1: the run is that of all folds, or has none
  bool refit = false;      // of folds: whether one more run, of all of them, is what answers
  SharesSpec shares;

  static constexpr auto fields() {
    return std::tuple(field("by", &SplitSpec::by, Role::weights, ""), field("column", &SplitSpec::column, Role::weights, "by|order"),
                      field("stratify", &SplitSpec::stratify, Role::weights), field("folds", &SplitSpec::folds, Role::weights),
                      field("fold", &SplitSpec::fold, Role::weights), field("refit", &SplitSpec::refit, Role::weights),
                      part("shares", &SplitSpec::shares, ""));
  }
};

/// How tags say where a chunk begins and ends. iob1: B- only where two chunks of one type touch. iob2: every chunk begins with B-. iobes:
/// E- ends a chunk, S- is one of one word. none: labels without chunks.
enum class TagScheme { none, iob1, iob2, iobes };
constexpr auto wordsOf(TagScheme) { return std::array{"none", "iob1", "iob2", "iobes"}; }

struct ColumnSpec {
  enum class Type {
#define COLUMN_TYPE(ID, ...) ID,
#include "runtime/base/column_types.def"
  };
  friend constexpr auto wordsOf(Type) {
    return std::array{
#define COLUMN_TYPE(ID, NAME, ...) NAME,
#include "runtime/base/column_types.def"
    };
  }

  std::string name;
  Type type = Type::text;
  std::string from;                                // name in the file; "": as `name`
  std::optional<std::vector<std::string>> classes; // or labels of a set, or tags; without: those of train in code-point order
  std::string separator;                           // set: between the labels of a cell
  std::vector<std::string> missing;                // number: cells that count as missing; class: those of one class, named as the first
  TagScheme scheme = TagScheme::none;              // tags: of the file; in memory they are IOB2 but for `none`
  NamedValues parameters;                          // of the type, that are none of these fields
  std::vector<StepSpec> steps;                     // what becomes of a cell, wherever it is read

  /// Its cells are lists; all lists of a record have the same length.
  bool isList() const { return type == Type::words || type == Type::tags; }
  /// Its cells are numbers, or become one each.
  bool holdsNumbers() const {
    constexpr bool numbers[] = {
#define COLUMN_TYPE(...) false,
#define NUMBER_COLUMN_TYPE(...) true,
#include "runtime/base/column_types.def"
    };
    return numbers[static_cast<std::size_t>(type)];
  }
  /// A cell of it may hold a list.
  bool mayHoldList() const { return isList() || type == Type::set; }
  /// It has names: `classes`, or those of train.
  bool hasClasses() const { return type == Type::classId || type == Type::set || type == Type::tags; }

  static constexpr auto fields() {
    return std::tuple(field("name", &ColumnSpec::name, Role::weights, ""), field("type", &ColumnSpec::type, Role::weights, ""),
                      field("from", &ColumnSpec::from, Role::measurement), field("classes", &ColumnSpec::classes, Role::weights),
                      field("separator", &ColumnSpec::separator, Role::weights), field("missing", &ColumnSpec::missing, Role::weights),
                      field("scheme", &ColumnSpec::scheme, Role::weights), field("parameters", &ColumnSpec::parameters, Role::weights, "*"),
                      part("steps", &ColumnSpec::steps, "*"));
  }
};

/// A node of the record graph: columns through operators, in double precision, then an input of the batch.
struct FeatureSpec {
  std::string name;
  std::vector<std::string> columns; // one; two texts, a pair; or any number of numbers, side by side
  std::string axis;                 // of ids; "": as `name`. Of numbers: that of the series, "": those of the record's last row
  std::vector<StepSpec> steps;

  static constexpr auto fields() {
    return std::tuple(field("name", &FeatureSpec::name, Role::weights, ""), field("columns", &FeatureSpec::columns, Role::weights, ""),
                      field("axis", &FeatureSpec::axis, Role::weights, ""), part("steps", &FeatureSpec::steps, "*"));
  }
};

/// One input of a batch, in the order of PenstockProgram.inputs.
struct InputSpec {
  enum class Kind { ids, classId, number, set, tags, noise };
  friend constexpr auto wordsOf(Kind) { return std::array{"ids", "class", "number", "set", "tags", "noise"}; }

  std::string name;
  Kind kind = Kind::ids;
  std::string axis;       // ids, tags; number: that of the series, or ""
  std::string feature;    // ids; tags: whose words they are; class, number: that makes them, in place of a column
  std::string column;     // set, tags; class, number without a feature
  bool target = false;    // only losses read it
  bool weighs = false;    // number: what each record counts in losses and metrics
  std::int64_t width = 0; // of noise, whose name keys it, and of the numbers of a feature: how many a record has

  static constexpr auto fields() {
    return std::tuple(field("name", &InputSpec::name, Role::code, ""), field("kind", &InputSpec::kind, Role::code, ""),
                      field("axis", &InputSpec::axis, Role::code, ""), field("feature", &InputSpec::feature, Role::code, ""),
                      field("column", &InputSpec::column, Role::code, ""), field("target", &InputSpec::target, Role::code, ""),
                      field("weighs", &InputSpec::weighs, Role::code, ""), field("width", &InputSpec::width, Role::code, ""));
  }
};

/// Records of several rows: those of a unit, in an order.
struct SeriesSpec {
  enum class Short {
    drop,
    repeatFirst
  }; // of a unit with fewer rows than a record has: no record, or its first row again and again in front
  enum class Take { all, last }; // of the records of a unit
  friend constexpr auto wordsOf(Short) { return std::array{"drop", "repeat_first"}; }
  friend constexpr auto wordsOf(Take) { return std::array{"all", "last"}; }

  std::string by;          // column that names the unit; "": a record is a row
  std::string order;       // column of numbers or times; the name of the axis
  std::int64_t length = 0; // rows of a record; 0: all of its unit
  std::int64_t stride = 1; // rows between the ends of two records, counted back from the unit's last row
  Short shortUnits = Short::drop;
  Take take = Take::all;

  bool any() const { return !by.empty(); }
  friend bool operator==(const SeriesSpec &, const SeriesSpec &) = default;

  static constexpr auto fields() {
    return std::tuple(field("by", &SeriesSpec::by, Role::weights), field("order", &SeriesSpec::order, Role::weights),
                      field("length", &SeriesSpec::length, Role::weights), field("stride", &SeriesSpec::stride, Role::weights),
                      field("short", &SeriesSpec::shortUnits, Role::weights), field("take", &SeriesSpec::take, Role::weights));
  }
};

struct RecordsSpec {
  std::vector<SourceSpec> sources;
  SplitSpec split;
  std::vector<ColumnSpec> columns;
  std::vector<FeatureSpec> features;
  std::vector<InputSpec> inputs;
  SeriesSpec series;
  std::string fitted; // folder of an earlier fit, used instead of fitting on train; ""
  bool grown = false; // with `fitted`: classes of targets that it lacks stand behind its own

  static constexpr auto fields() {
    return std::tuple(part("sources", &RecordsSpec::sources, "data.source"), part("split", &RecordsSpec::split, "data.split"),
                      part("columns", &RecordsSpec::columns, "data.*"), part("features", &RecordsSpec::features, "features.*"),
                      part("inputs", &RecordsSpec::inputs, "model.inputs"), part("series", &RecordsSpec::series, "data.series"),
                      field("fitted", &RecordsSpec::fitted, Role::weights, "train.from"),
                      field("grown", &RecordsSpec::grown, Role::weights, "train.grow"));
  }
};

/// Reads `split` from the whole of another file: an absolute path. There are no other splits then.
void readWhole(RecordsSpec &records, const std::string &file, std::string_view split);

// ---- answers, training, measurement

/// An answer of the model and the plugin that decodes it.
struct AnswerSpec {
  std::string name;                 // "answer": its output in the program is `name`, or begins with `name.`
  std::string target;               // column that it predicts; "" when none
  std::string feature;              // on that column, whose inverse gives the answer; ""
  std::string targetType = "class"; // or "number", "set", "tags"; "" when it has no target
  std::string decoder;              // "classify"
  NamedValues parameters;           // of the decoder
  NamedValues decision;             // of the decoder: how an answer is decided, which no program knows
  bool learner = false;             // the decoder is a learner; its state is RUN/fitted/<name>.learner

  static constexpr auto fields() {
    return std::tuple(field("name", &AnswerSpec::name, Role::code, ""), field("target", &AnswerSpec::target, Role::code, ""),
                      field("feature", &AnswerSpec::feature, Role::code, ""), field("target_type", &AnswerSpec::targetType, Role::code, ""),
                      field("decoder", &AnswerSpec::decoder, Role::code, ""), field("parameters", &AnswerSpec::parameters, Role::code, ""),
                      field("decision", &AnswerSpec::decision, Role::measurement, ""),
                      field("learner", &AnswerSpec::learner, Role::code, ""));
  }
};

struct OptimizerSpec {
  std::string kind = "adam"; // sgd, adam, adamw
  double lr = 1e-3;          // the peak of the schedule
  double momentum = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0;
  bool nesterov = false;

  static constexpr auto fields() {
    return std::tuple(field("kind", &OptimizerSpec::kind, Role::code, ""), field("lr", &OptimizerSpec::lr, Role::weights),
                      field("momentum", &OptimizerSpec::momentum, Role::code), field("beta1", &OptimizerSpec::beta1, Role::code),
                      field("beta2", &OptimizerSpec::beta2, Role::code), field("epsilon", &OptimizerSpec::epsilon, Role::code),
                      field("weight_decay", &OptimizerSpec::weightDecay, Role::code),
                      field("nesterov", &OptimizerSpec::nesterov, Role::code));
  }
};

struct ScheduleSpec {
  std::string kind = "constant"; // constant, linear, cosine; all after a linear warm-up
  double warmupFraction = 0;     // of all steps; or
  std::int64_t warmupSteps = -1; // when >= 0

  static constexpr auto fields() {
    return std::tuple(field("kind", &ScheduleSpec::kind, Role::weights, ""),
                      field("warmup_fraction", &ScheduleSpec::warmupFraction, Role::weights, "warmup"),
                      field("warmup_steps", &ScheduleSpec::warmupSteps, Role::weights, "warmup"));
  }
};

/// What is minimized, over which weights, and how.
struct ObjectiveSpec {
  std::string name;               // "": the only one
  int loss = -1;                  // node of the model's graph: a scalar; -1: none
  std::vector<std::string> moves; // paths of the weights that it moves; empty: all
  OptimizerSpec optimizer;
  ScheduleSpec schedule;
  double clipNorm = 0; // 0: no clipping by global norm

  /// What its loss is called in the log and among the results of a split: "loss", or "critic.loss".
  std::string lossName() const { return name.empty() ? "loss" : name + ".loss"; }

  static constexpr auto fields() {
    return std::tuple(field("name", &ObjectiveSpec::name, Role::code, ""), field("loss", &ObjectiveSpec::loss, Role::code, "minimize"),
                      field("moves", &ObjectiveSpec::moves, Role::code), part("optimizer", &ObjectiveSpec::optimizer, "optimizer"),
                      part("schedule", &ObjectiveSpec::schedule, "schedule"), field("clip_norm", &ObjectiveSpec::clipNorm, Role::code));
  }
};

struct TrainSpec {
  std::vector<ObjectiveSpec> objectives; // in the order of a step; none: nothing to minimize, a run only fits and measures
  double epochs = 1;                     // ignored when steps >= 0
  std::int64_t steps = -1;
  std::int64_t batch = 32;     // records a part of a step
  std::int64_t accumulate = 1; // parts a step, but for the last step of an epoch
  bool shuffle = true;         // each epoch has an order of its own; false: that of the files
  std::uint64_t seed = 42;
  std::int64_t logEvery = 1;
  double validateEpochs = 1;       // evaluate dev every so many epochs; 0: never
  std::int64_t validateSteps = -1; // or every so many steps, when > 0
  std::string keepMetric;          // "dev.f1_macro" for keep: best(dev.f1_macro); "" for keep: last
  bool keepHigher = true;
  std::int64_t patience = 0; // stop after so many evaluations without a better one; 0: never
  std::string from;          // folder of the run whose weights this one begins with; ""
  bool grow = false;         // with `from`: whether classes that the earlier run lacks stand behind its own
  std::string weights;       // column that says what each record counts in losses and metrics; "": 1

  static constexpr auto fields() {
    return std::tuple(field("epochs", &TrainSpec::epochs, Role::weights), field("steps", &TrainSpec::steps, Role::weights),
                      field("batch", &TrainSpec::batch, Role::weights), field("accumulate", &TrainSpec::accumulate, Role::code),
                      field("shuffle", &TrainSpec::shuffle, Role::weights), field("seed", &TrainSpec::seed, Role::weights),
                      field("log_every", &TrainSpec::logEvery, Role::weights),
                      field("validate_epochs", &TrainSpec::validateEpochs, Role::weights, "validate"),
                      field("validate_steps", &TrainSpec::validateSteps, Role::weights, "validate"),
                      field("keep_metric", &TrainSpec::keepMetric, Role::weights, "keep"),
                      field("keep_higher", &TrainSpec::keepHigher, Role::weights, "keep"),
                      field("patience", &TrainSpec::patience, Role::weights, "keep.patience"),
                      field("from", &TrainSpec::from, Role::weights), field("grow", &TrainSpec::grow, Role::weights),
                      field("weights", &TrainSpec::weights, Role::weights),
                      part("objectives", &TrainSpec::objectives, "|*")); // last: `train.NAME` is no objective where it is a setting
  }
};

struct MetricSpec {
  std::string split;      // "dev"
  std::string plugin;     // "f1"
  NamedValues parameters; // of the plugin
  std::string answer;     // name of the answer that it judges

  static constexpr auto fields() {
    return std::tuple(
        field("split", &MetricSpec::split, Role::measurement, ""), field("plugin", &MetricSpec::plugin, Role::measurement, ""),
        field("parameters", &MetricSpec::parameters, Role::measurement, ""), field("answer", &MetricSpec::answer, Role::measurement, ""));
  }
};

/// Intervals around results, by the bootstrap.
struct ConfidenceSpec {
  std::int64_t samples = 0; // 0: none
  double level = 0.95;
  std::uint64_t seed = 42;

  static constexpr auto fields() {
    return std::tuple(field("samples", &ConfidenceSpec::samples, Role::measurement),
                      field("level", &ConfidenceSpec::level, Role::measurement), field("seed", &ConfidenceSpec::seed, Role::measurement));
  }
};

/// `expect`: a result of the model, or a quantity of the artifact (quantities.h), and its bound.
struct ExpectationSpec {
  std::string split, metric;           // "test", "f1_macro"; split "": the quantity `metric`
  std::int64_t batch = 1, threads = 1; // of a quantity that is measured while it answers
  std::string comparison;              // ">=", ">", "<=", "<"
  double bound = 0;
  std::string unit;  // of the bound; "" of a result
  std::string place; // "file.pipe:12:3", for messages

  /// "test.f1_macro", "p99(batch: 1)"
  std::string name() const;
  /// "<= 20 ms"
  std::string demand() const;

  static constexpr auto fields() {
    return std::tuple(
        field("split", &ExpectationSpec::split, Role::measurement, ""), field("metric", &ExpectationSpec::metric, Role::measurement, ""),
        field("batch", &ExpectationSpec::batch, Role::measurement, ""), field("threads", &ExpectationSpec::threads, Role::measurement, ""),
        field("comparison", &ExpectationSpec::comparison, Role::measurement, ""),
        field("bound", &ExpectationSpec::bound, Role::measurement, ""), field("unit", &ExpectationSpec::unit, Role::measurement, ""),
        field("place", &ExpectationSpec::place, Role::place, "place"));
  }
};

/// What an artifact does where its command line does not say, and what is held against it when it is built.
struct DeploySpec {
  std::string input;  // the form of records that no name tells, as `--format`; "": the command decides
  std::string output; // "jsonl" or "csv": the form of answers that no name tells; "": jsonl
  std::vector<ExpectationSpec> expectations;

  static constexpr auto fields() {
    return std::tuple(field("input", &DeploySpec::input, Role::place), field("output", &DeploySpec::output, Role::place),
                      part("expectations", &DeploySpec::expectations, "expect.**"));
  }
};

struct TargetSpec {
  std::string device = "cpu"; // device_names.h; which kind it is decides the level of the program
  std::string level;          // "": chosen from the machine
  std::string precision = "fp32";
  std::string kernels = "auto";   // auto, penstock, onednn, tuned
  std::vector<std::string> tuned; // of `tuned`: the rows of the machine's table, kernel_choices.h
  std::int64_t threads = 0;       // 0: one a core

  static constexpr auto fields() {
    return std::tuple(field("device", &TargetSpec::device, Role::place, "device|device.card"),
                      field("level", &TargetSpec::level, Role::code), field("precision", &TargetSpec::precision, Role::code),
                      field("kernels", &TargetSpec::kernels, Role::code), field("tuned", &TargetSpec::tuned, Role::code, ""),
                      field("threads", &TargetSpec::threads, Role::place));
  }
};

struct PipelineValue {
  std::string name, title, file;
  int edition = 1;
  RecordsSpec records;
  std::vector<AnswerSpec> answers;
  TrainSpec train;
  std::vector<MetricSpec> metrics;
  ConfidenceSpec confidence;
  std::vector<std::string> lastOnly;         // splits that are measured on the last record of each unit
  std::vector<ExpectationSpec> expectations; // of `evaluate`
  DeploySpec deploy;
  TargetSpec target;
  std::vector<std::string> pluginFolders; // of `use`, absolute

  /// Whether there is something to minimize.
  bool trains() const { return !train.objectives.empty(); }

  static constexpr auto fields() {
    return std::tuple(
        field("name", &PipelineValue::name, Role::measurement, "pipeline"), field("title", &PipelineValue::title, Role::place, "title"),
        field("file", &PipelineValue::file, Role::place, "file"), field("edition", &PipelineValue::edition, Role::code),
        part("records", &PipelineValue::records, ""), part("answers", &PipelineValue::answers, "model.answers"),
        part("train", &PipelineValue::train, "train"), part("confidence", &PipelineValue::confidence, "evaluate.confidence"),
        field("last_only", &PipelineValue::lastOnly, Role::measurement, "evaluate.last"),
        part("metrics", &PipelineValue::metrics, "evaluate.*"), part("expectations", &PipelineValue::expectations, "expect.**"),
        part("deploy", &PipelineValue::deploy, "deploy"), part("target", &PipelineValue::target, "target"),
        field("plugin_folders", &PipelineValue::pluginFolders, Role::place, "use"));
  }
};

/// The fields with one of `roles`, as a text that two values share where they agree in them. What is at its default is left out.
std::string canonicalText(const PipelineValue &value, Roles roles);

/// The value as JSON, each line behind `// `.
std::string commentedText(const PipelineValue &value);

/// What decides what the files' records become, as a text, without the path, the parameters of tokenizers and the earlier fit: all of
/// these are keyed by what lies there.
std::string recordsIdentity(const RecordsSpec &records);

/// What a setting or param of the resolved form decides: the role of the field that it gives. A setting without a field is of the model,
/// and decides code; a param has no dot and decides nothing itself: where it leads does, so it is free where measurements are.
Role decidedBy(const std::string &key);

/// A field in which two values differ: "train.batch", and what it holds.
struct ValueDifference {
  std::string path, before, after;
};
/// The first difference in a field with one of `roles`.
std::optional<ValueDifference> differenceOf(const PipelineValue &before, const PipelineValue &after, Roles roles);

/// The parameters of a call as a JSON object.
std::string jsonText(const NamedValues &values);

} // namespace penstock
