// The one table of the language's operations: operands, parameters with their defaults, types, weights, help. The check, the
// verifiers of Pipe, the import into Nn and the documents read it. It knows no syntax and no plugins.
#pragma once

#include "compiler/frontend/typed_pipeline.h"
#include "runtime/base/plugin_manifest.h"

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace penstock::frontend {

/// A whole number that is known only with the facts about the data, such as a number of classes.
inline constexpr std::int64_t unknownSize = std::numeric_limits<std::int64_t>::min();

/// One parameter of a call. Plugins describe theirs alike, so built-ins and plugins look the same at the call.
struct ParameterSpec : PluginParameter {
  bool openMinimum = false, openMaximum = false; // the bound itself is out
  bool absent = false;                           // has no value unless it is given
  bool several = false;                          // a path: a list of paths, or `glob("*.csv")`, is taken too
  bool boundsRows = false;                       // a record has at most so many rows
  bool stepsOrShare = false;                     // `10%` of all steps or `100 steps`; the attribute is {share, steps}, the other one -1
};

/// What an operand may be.
enum class Accepts {
  rows, // a sequence, a vector, or a number as a vector of width 1
  sequence,
  vector, // or a number
  ids,
  index,  // ids, or a class
  logits, // a vector; a sequence where the target is tags
  classTarget,
  numberTarget,
  setTarget,
  tagsTarget,
  labelTarget, // classes or tags
  anyTarget,
  variadic, // one or more `rows` of one axis
  any       // a layer's input
};

/// Whether what is accepted is a column that is predicted.
bool isTarget(Accepts accepts);
/// Whether a value of that type may flow in where no target is wanted.
bool acceptsType(Accepts accepts, const ValueType &type);
/// The types of columns that can be predicted, each with what accepts it and no other.
struct TargetType {
  const char *type;
  Accepts accepts;
};
inline constexpr TargetType targetTypes[] = {
    {"class", Accepts::classTarget}, {"number", Accepts::numberTarget}, {"set", Accepts::setTarget}, {"tags", Accepts::tagsTarget}};
/// What accepts columns of that type as targets: "class"; none where they cannot be predicted.
std::optional<Accepts> targetOfType(std::string_view type);
/// The type of the columns that a head of the language says it predicts, "" for what is no such target.
std::string typeOfTarget(Accepts accepts);
/// Whether a column of that type can be the target.
bool fitsTarget(Accepts accepts, const std::string &type);

struct OperandSpec {
  std::string name;
  Accepts accepts = Accepts::rows;
};

struct Signature {
  std::string name;
  std::vector<OperandSpec> operands;
  std::vector<ParameterSpec> parameters;
};

/// Why operands whose kinds are accepted do not go together: a diagnostic and its arguments.
struct OperationProblem {
  const char *id;
  std::map<std::string, std::string> arguments;
  bool typed = true; // the result has a type all the same
};

/// The types of the operands, which were accepted; widths may be unknownSize.
using OperandTypes = std::vector<ValueType>;

/// An operation of the language. The table is operations.def.
struct BuiltinOp {
  Signature signature;
  std::string help;
  ValueType (*result)(const OperandTypes &operands, const Attributes &attributes);
  /// The weights, where all widths are known; NULL for none.
  std::vector<Weight> (*weights)(const OperandTypes &operands, const Attributes &attributes) = nullptr;
  /// What it asks of its operands together; NULL for nothing.
  std::optional<OperationProblem> (*check)(const OperandTypes &operands, const Attributes &attributes) = nullptr;
  bool elementwise = false; // Nn has an operation of that name, which makes each number from the one at its place
  bool expanded = false;    // becomes other operations: a whole graph has none of it
};

/// In the order of the table.
const std::vector<BuiltinOp> &builtinOps();
const BuiltinOp *findBuiltin(std::string_view name);

/// How many operands and weights an operation of a whole graph has, from least to most.
struct Arity {
  std::size_t operands = 0, mostOperands = 0, weights = 0, mostWeights = 0;
};
/// Of those of the table that stay, and of those that arithmetic and heads become; none of any other name.
std::optional<Arity> arityOf(std::string_view name);

/// The value that a parameter has where a call does not give it: neither a required nor an absent one.
Attribute defaultOf(const ParameterSpec &spec);
/// The attribute of that name, or `fallback` where there is none of that type.
template <typename T> T valueOr(const Attributes &attributes, const char *name, T fallback) {
  const auto found = attributes.find(name);
  const T *value = found == attributes.end() ? nullptr : std::get_if<T>(&found->second);
  return value == nullptr ? std::move(fallback) : *value;
}

/// "a sequence of `tokens`, 128 wide".
std::string describeType(const ValueType &type);
/// Whether the width and the number of values are known.
bool isSized(const ValueType &type);
/// The number that a person means by the size of a value: that of its classes or vocabulary, or its width.
std::int64_t sizeOf(const ValueType &type);
std::string describeAccepts(Accepts accepts);

// Parameters, as tables write them.
namespace parameters {
inline constexpr double unbounded = std::numeric_limits<double>::infinity();
ParameterSpec size(const char *name, const char *help);
ParameterSpec size(const char *name, std::int64_t value, const char *help);
ParameterSpec flag(const char *name, bool value, const char *help);
ParameterSpec real(const char *name, double value, double minimum, double maximum, const char *help, bool openMinimum = false,
                   bool openMaximum = false);
ParameterSpec share(const char *name, double value, bool required, const char *help);
/// Required where `value` is "".
ParameterSpec choice(const char *name, std::vector<std::string> members, std::string value, const char *help);
ParameterSpec text(const char *name, std::string value, const char *help);
ParameterSpec strings(const char *name, const char *help);
ParameterSpec path(const char *name, const char *help);
} // namespace parameters

} // namespace penstock::frontend
