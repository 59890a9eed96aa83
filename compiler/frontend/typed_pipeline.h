// The typed pipeline: what the front end hands to everything after it. Plain values, no MLIR, no syntax.
//
// The model is already expanded: layers and `head`s of the language are inlined, `repeat` is unrolled, every call has its
// instance path. Nodes stand in topological order (operands before users). Two nodes with the same `path` and `op` share
// their weights (a bound instance that was called twice).
#pragma once

#include "runtime/base/names.h"
#include "runtime/base/pipeline_value.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace penstock::frontend {

/// The name of a source file. Thousands of ranges lie in one: they share it.
class FileName {
public:
  FileName() = default;
  FileName(std::string name) : held(std::make_shared<const std::string>(std::move(name))) {}
  FileName(const char *name) : FileName(std::string(name)) {}
  const std::string &text() const { return held == nullptr ? none : *held; }
  operator const std::string &() const { return text(); }
  bool empty() const { return text().empty(); }
  friend bool operator==(const FileName &a, const FileName &b) { return a.held == b.held || a.text() == b.text(); }

private:
  static inline const std::string none;
  std::shared_ptr<const std::string> held;
};

/// A half-open range of bytes of one source file, with the place that a person reads.
struct SourceRange {
  FileName file;
  std::uint32_t begin = 0, end = 0;   // byte offsets
  std::uint32_t line = 1, column = 1; // of `begin`, from 1; columns count Unicode scalars
  std::uint32_t endLine = 1, endColumn = 1;
};

/// An axis on the way from the records to a value's rows.
struct Axis {
  std::string name;                  // of a ragged axis; "" of a static one
  std::vector<std::int64_t> extents; // of a static axis
  bool operator==(const Axis &) const = default;
};

/// What a value of the model is (docs/design/value_descriptor.md): what its rows are, the elements of a row, their type.
struct ValueType {
  enum class Rows {
    none,    // the result of a head call: read with `answer_of` and `loss_of`
    one,     // one row for the batch: a loss
    records, // a row a record
    axis     // a row a row of the last of `axes`
  };
  enum class Element { f32, i32, u8 };
  Rows rows = Rows::one;
  std::vector<Axis> axes; // from the records down
  std::int64_t width = 1;
  Element element = Element::f32;
  std::int64_t values = 0; // of i32: the size of the vocabulary, or the number of classes or tags; of a head, those of its target

  bool operator==(const ValueType &) const = default;
  bool onAxis() const { return rows == Rows::axis; }
  /// Numbers with a row a record or a row of an axis.
  bool isRows() const { return element != Element::i32 && (rows == Rows::records || rows == Rows::axis); }
  /// The name of the axis; "" where there is none or it has none.
  std::string axis() const { return axes.empty() ? "" : axes.back().name; }
  /// Whether rows are those of `other`.
  bool sameRows(const ValueType &other) const { return rows == other.rows && axes == other.axes; }
  /// The rows of the parent of the axis.
  ValueType pooled() const {
    ValueType parent = *this;
    parent.axes.pop_back();
    parent.rows = parent.axes.empty() ? Rows::records : Rows::axis;
    return parent;
  }
  /// The same rows with numbers, `wide` a row.
  ValueType withWidth(std::int64_t wide) const { return {rows, axes, wide, Element::f32, 0}; }

  static ValueType scalar() { return {}; }
  static ValueType vector(std::int64_t width) { return {Rows::records, {}, width, Element::f32, 0}; }
  static ValueType sequence(Axis axis, std::int64_t width) { return {Rows::axis, {std::move(axis)}, width, Element::f32, 0}; }
  /// An index below `values`, a record or, where `axis` is not "", a row of it.
  static ValueType index(const std::string &axis, std::int64_t values) {
    return axis.empty() ? ValueType{Rows::records, {}, 1, Element::i32, values}
                        : ValueType{Rows::axis, {{axis, {}}}, 1, Element::i32, values};
  }
  static ValueType head(std::int64_t values) { return {Rows::none, {}, 1, Element::f32, values}; }
};

using Attribute = NamedValue;
using Attributes = NamedValues;

/// What a weight is in a folder of a pretrained model, and where its first values come from.
struct Pretrained {
  std::string folder;               // absolute; "" for random values
  std::vector<std::string> tensors; // as the folder's files (or Transformers' own) name them, side by side in the weight's columns
  bool transposed = false;          // the files have [outputs x inputs], the weight [inputs x outputs]
  std::int64_t skippedRows = 0;     // of the tensor, before the weight's first
};

/// How weights learn.
struct Learning {
  double rate = 1;     // their learning rate is that of the step times this
  bool frozen = false; // never changed: no gradient, no state of the optimizer
  int objective = 0;   // that moves them, of TrainSpec::objectives
};

/// A trainable tensor that a node owns. Its full name is `<path of the node>.<name>`; two nodes with one path share it.
struct Weight {
  std::string name; // "weight", "bias", "in_weight"
  std::vector<std::int64_t> shape;
  enum class Initializer { zeros, ones, uniform, normal } initializer = Initializer::zeros;
  double scale = 0;   // uniform: half width; normal: standard deviation
  bool decays = true; // false for biases and norms
  Pretrained pretrained = {};
  Learning learning = {};
  bool state = false;  // a state of the model: what a step computes of its part, not a gradient, changes it
  std::string vectors; // a file of rows by token that its first values come from, where it has them; ""
  std::string fit; // what of train it is, before the first step, and then stays (runtime/exec/fitted_tensors.h); "": it is none of a fit
};

/// An encoder of the model that a folder of a pretrained model describes.
struct EncoderUse {
  std::string path, family, folder; // binding path, "bert", absolute or ""
  std::string config;               // text of its config.json; one that says the same where it has no folder
};

/// One operation of the expanded model.
struct GraphNode {
  enum class Kind { input, builtin, head };
  Kind kind = Kind::builtin;
  std::string op;              // input: name of the feature or column; builtin: its name; head: name of the plugin
  std::vector<int> operands;   // indices into ModelGraph::nodes
  Attributes attributes;       // every parameter of the call with its resolved value, defaults included
  std::vector<Weight> weights; // of built-ins; a plugin head names its own
  Learning learning;           // of a plugin head: of all its weights
  ValueType type;
  std::string column; // of an input that is a column: its type, "class", "number", "set" or "tags"; "" of a feature
  std::string path;   // instance path: "answer.linear_0"; keys weights and random numbers
  SourceRange range;
};

/// One named answer of the model: a head call (`head` >= 0: the plugin decodes), a `head` of the language, or a learner, which
/// fits on the rows of `value` over train and answers by itself.
struct Answer : AnswerSpec {
  int head = -1;  // node of kind head
  int value = -1; // node of the answer's tensor (for a plugin head: its `answer_of` node)
  int loss = -1;  // node of its loss, -1 when it has none
};

struct ModelGraph {
  std::vector<GraphNode> nodes;
  std::vector<Answer> answers;
};

/// Where declarations of the records stand, by key: `source`, `columns.NAME`, `features.NAME`, `features.NAME.PARAMETER`, `train.from`.
using Places = NameMap<SourceRange>;

/// What a pipeline says of its records, and where; without sources where its data block cannot be described.
struct DeclaredRecords {
  RecordsSpec records;
  Places places;
};

/// A value of the resolved form and where it came from.
struct ResolvedValue {
  std::string key;      // "train.optimizer.lr"
  std::string value;    // as the language would write it
  std::string origin;   // "file", "default", "command line", "search default"
  SourceRange range;    // of the value where origin is "file"
  bool decides = false; // a parameter of a head that no program knows
};

/// `answers` are those of the model, without its nodes.
struct TypedPipeline : PipelineValue {
  Places places; // of what the records declare
  ModelGraph model;
  std::vector<EncoderUse> encoders;
  std::vector<ResolvedValue> resolved;
};

} // namespace penstock::frontend
