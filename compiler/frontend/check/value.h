// What expressions of a program are worth while it is checked. Plain values: whoever makes one knows what it holds.
#pragma once

#include "compiler/frontend/ast.h"
#include "compiler/frontend/signatures.h"
#include "compiler/frontend/unit.h"

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace penstock::frontend {

enum class Origin { standard, file, search, commandLine };
const char *originName(Origin origin);
inline Origin stronger(Origin a, Origin b) { return std::max(a, b); }

struct Instance;

struct Column {
  std::string name, type, from; // type "": one that could not be read
  Flow holds = Flow::name;      // where it has a type
  bool declared = false;        // with its classes
  std::vector<std::string> classes;
  std::vector<std::string> missing;
  std::string separator, scheme;
  Attributes parameters;       // of the type, that are none of these
  std::vector<StepSpec> steps; // on its cells
  Span span;
  bool hasClasses() const { return type == "class" || type == "set" || type == "tags"; }
};

/// A feature on its way: columns through operators.
struct FeatureDraft {
  std::vector<std::shared_ptr<const Column>> columns; // one; a pair of texts; or numbers side by side
  struct Step {
    const FeatureOperator *row = nullptr; // of an operator, or
    std::string plugin;                   // of a tokenizer
    Attributes attributes;
    std::map<std::string, Origin> origins;
    std::map<std::string, Span> spans; // of the arguments
    std::int64_t maxLength = 0;
    std::string truncate; // of a pair
    Span span;            // of the call
    std::string name() const { return row != nullptr ? row->name : plugin; }
  };
  std::vector<Step> steps;
  Flow flow = Flow::text;
  std::int64_t width = 1;  // of numbers
  std::int64_t values = 0; // of an index
  bool mayMiss = false;    // numbers of a column that says which cells are missing
  bool ofSeries = false;   // numbers of every row of a record
  Span maxLengthSpan;

  const std::string &column() const { return columns.front()->name; }
  bool isPair() const { return columns.size() == 2 && (flow == Flow::text || flow == Flow::ids); }
  /// Whether the batch can hold it.
  bool complete() const { return flow == Flow::ids || flow == Flow::number || flow == Flow::index; }
};

/// What the result of a head says of its answer.
struct Predicted {
  std::string target;  // the column
  std::string feature; // on it; ""
  std::string decoder;
  Attributes parameters; // of the decoder
  Attributes decision;   // of the decoder: how an answer is decided, but for what is at its default
  bool learner = false;  // the decoder is one
};

struct Value {
  enum class Kind {
    error,   // reported already
    unknown, // a layer's input while the layer alone is checked: everything may be done with it
    boolean,
    integer,  // unknownSize where not known
    floating, // NaN where not known
    string,
    path, // absolute
    word, // of an enumeration param
    quantity,
    list,
    range,
    column,
    draft,
    feature,
    node,
    head,
    instance
  };
  Kind kind = Kind::error;
  Origin origin = Origin::file;
  bool flag = false;
  std::int64_t integer = 0;
  double number = 0;
  std::string text; // also: name of a column or feature, unit of a quantity
  std::vector<Value> items;
  std::shared_ptr<const Column> column;
  int node = -1, loss = -1, head = -1;        // head: node is its answer
  ValueType type;                             // of `node`
  std::shared_ptr<const Predicted> predicted; // of a head
  std::shared_ptr<FeatureDraft> draft;
  std::shared_ptr<Instance> instance;

  Value() = default;
  explicit Value(Kind what) : kind(what) {}

  bool isModel() const {
    return kind == Kind::unknown || kind == Kind::column || kind == Kind::draft || kind == Kind::feature || kind == Kind::node ||
           kind == Kind::head;
  }
  bool isNumber() const { return kind == Kind::integer || kind == Kind::floating; }
  /// Of a number; NaN where it is not known.
  double asDouble() const { return kind == Kind::floating ? number : integer == unknownSize ? std::nan("") : static_cast<double>(integer); }
  /// A loss or a part of one.
  bool isScalarNode() const { return kind == Kind::node && node >= 0 && type.rows == ValueType::Rows::one; }
};

Value integerValue(std::int64_t number);
Value floatingValue(double number);
/// A boolean, number or text; an error value for a list.
Value valueOf(const Attribute &attribute);

/// "the whole number 3", "the column `text`": what a message calls it.
std::string describe(const Value &value);

struct Callable {
  enum class Kind { none, builtin, definition, head, tokenizer, elsewhere, step, repeat, width, count, l2, instance };
  Kind kind = Kind::none;
  std::string name;
  const BuiltinOp *op = nullptr;
  const FeatureOperator *row = nullptr; // of a step
  const Definition *definition = nullptr;
  const Unit *unit = nullptr;
  const PluginManifest *manifest = nullptr;
  std::shared_ptr<Instance> instance;
};

/// A call without its inputs: bound to a name it shares its weights between its uses.
struct Instance {
  Callable callable;
  Attributes attributes;
  std::map<std::string, Origin> origins; // of the attributes that are given
  std::string path;                      // "" while it only serves as the argument of `repeat`
  std::int64_t times = 0;                // of repeat
  std::shared_ptr<Instance> inner;       // of repeat
  Span span;
};

} // namespace penstock::frontend
