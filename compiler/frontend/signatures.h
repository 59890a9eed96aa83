// Calls that settings take, signatures of plugins, and how types and values are shown.
#pragma once

#include "compiler/frontend/operations.h"
#include "runtime/base/record_graph.h"

#include <string>
#include <string_view>
#include <vector>

namespace penstock::frontend {

/// Calls that settings take: `optimizer: adam(...)`.
const std::vector<Signature> &optimizers();
const std::vector<Signature> &confidences();
const std::vector<Signature> &schedules();
const std::vector<Signature> &devices();
const std::vector<Signature> &columnTypes();
const Signature &splitSignature();

/// A setting of a block. One of `train` that takes a plain value has its parameter, and is given to the field of its name.
struct SettingSpec {
  std::string name;
  std::optional<ParameterSpec> plain = {};
  bool ofObjective = false; // of ObjectiveSpec: several objectives have one each
  bool takesText = false;   // `--set` may give it as a text that is none of the language
  bool quiet = false;       // not in the resolved form unless it is set: it is younger than runs whose form must stay as it is
  // What help and documents say of one that has no parameter.
  std::string help = {}, standard = {};               // `standard`: what it is where nothing is written
  std::string example = {};                           // a value
  const std::vector<Signature> &(*calls)() = nullptr; // the calls that it takes
};
/// All of them, in the order of the specification; `moves` stands in blocks `objective` alone.
const std::vector<SettingSpec> &trainSettings();

/// The blocks that have settings, `objective` among them, each with a sentence about it and its settings in the order of the specification.
struct BlockSpec {
  std::string name, help;
  std::vector<SettingSpec> settings;
};
const std::vector<BlockSpec> &blocksWithSettings();

/// The parameter of a setting that takes a plain value; NULL for any other name.
const ParameterSpec *plainSetting(std::string_view block, std::string_view name);

/// Settings of such a block by name; none of another name.
const std::vector<std::string> &settingsOf(const std::string &block);

ParameterSpec parameterOf(const PluginParameter &parameter);
Signature signatureOf(const PluginManifest &manifest);
/// The sources of data: the built-in ones, then those of plugins.
std::vector<Signature> sources(const std::vector<PluginManifest> &plugins);
Signature signatureOf(const FeatureOperator &row);
Signature signatureOf(const CellOperator &row);

std::string describeParameterType(const ParameterSpec &spec);

/// A value as the language writes it.
std::string formatAttribute(const Attribute &attribute, const ParameterSpec *spec = nullptr);
std::string formatNumber(double value);
/// A share as a percentage that is read back as this very number; a plain number where there is none.
std::string formatShare(double share);
/// `f1(average: macro)`: a metric with all its parameters; `answer` where it is not "".
std::string formatCall(const PluginManifest &metric, const Attributes &parameters, const std::string &answer);
std::string quote(const std::string &text);

} // namespace penstock::frontend
