// What can be called and with what: the one table of built-in operations, and the calls that settings take.
#pragma once

#include "compiler/frontend/typed_pipeline.h"
#include "runtime/base/plugin_manifest.h"

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace penstock::frontend {

/// A whole number that is known only with the facts about the data, such as a number of classes.
inline constexpr std::int64_t unknownSize = std::numeric_limits<std::int64_t>::min();

/// One parameter of a call. Plugins describe theirs alike, so built-ins and plugins look the same at the call.
struct ParameterSpec : PluginParameter {
  bool openMinimum = false, openMaximum = false; // the bound itself is out
  bool absent = false;                           // has no value unless it is given
  bool stepsOrShare = false;                     // `10%` of all steps or `100 steps`; the attribute is {share, steps}, the other one -1
};

/// What an operand may be.
enum class Accepts {
  rows, // a sequence, a vector, or a number as a vector of width 1
  sequence,
  vector, // or a number
  ids,
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
/// What accepts columns of that type as targets: "class"; none where they cannot be predicted.
std::optional<Accepts> targetOfType(std::string_view type);
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

struct BuiltinOp {
  Signature signature;
  std::string help;
  /// The type of the result; operands were accepted, widths may be unknownSize.
  ValueType (*result)(const std::vector<ValueType> &operands, const Attributes &attributes);
  /// The weights, where all widths are known; NULL for none.
  std::vector<Weight> (*weights)(const std::vector<ValueType> &operands, const Attributes &attributes) = nullptr;
};

/// docs/design/builtins.md as a table, in its order.
const std::vector<BuiltinOp> &builtinOps();
const BuiltinOp *findBuiltin(std::string_view name);

/// Calls that settings take: `optimizer: adam(...)`.
const std::vector<Signature> &optimizers();
const std::vector<Signature> &confidences();
const std::vector<Signature> &schedules();
const std::vector<Signature> &sources();
const std::vector<Signature> &columnTypes();
const Signature &splitSignature();
const Signature &cleanSignature();

/// Settings of a block by name, in the order of the specification.
const std::vector<std::string> &settingsOf(const std::string &block);

ParameterSpec parameterOf(const PluginParameter &parameter);
Signature signatureOf(const PluginManifest &manifest);

/// "a sequence of `tokens`, 128 wide".
std::string describeType(const ValueType &type);
std::string describeAccepts(Accepts accepts);
std::string describeParameterType(const ParameterSpec &spec);

/// A value as the language writes it.
std::string formatAttribute(const Attribute &attribute, const ParameterSpec *spec = nullptr);
std::string formatNumber(double value);
/// A share as a percentage that is read back as this very number; a plain number where there is none.
std::string formatShare(double share);
/// `f1(average: macro)`: a metric with all its parameters; `answer` where it is not "".
std::string formatCall(const PluginManifest &metric, const Attributes &parameters, const std::string &answer);
std::string quote(const std::string &text);

/// The section of docs/generated about the operations of the language.
std::string operationsPage();

} // namespace penstock::frontend
