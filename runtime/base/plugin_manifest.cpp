#include "runtime/base/plugin_manifest.h"

#include "runtime/base/decision_fits.h"
#include "runtime/base/file.h"
#include "runtime/base/folder.h"
#include "runtime/base/hash.h"
#include "runtime/base/record_graph.h"

#define TOML_EXCEPTIONS 0
// Its assertions are reachable from input; what they guard is an ordinary parse error.
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>

namespace penstock {
namespace {

namespace fs = std::filesystem;
using Type = PluginParameter::Type;

constexpr std::size_t maximumManifestBytes = 1 << 20;

constexpr std::pair<std::string_view, Type> typeNames[] = {
    {"bool", Type::boolean}, {"int", Type::integer},      {"float", Type::number},    {"string", Type::string},
    {"path", Type::path},    {"enum", Type::enumeration}, {"strings", Type::strings}, {"numbers", Type::numbers},
};

bool isName(std::string_view text) {
  if (text.empty() || text.size() > 64 || (text[0] >= '0' && text[0] <= '9')) {
    return false;
  }
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

/// Reads one table; remembers the first mistake, so that readers need no checks between steps.
class TableReader {
public:
  TableReader(const toml::table &table, std::string path, std::string what) : table(table), path(std::move(path)), what(std::move(what)) {}

  void fail(const toml::node *node, const std::string &reason) {
    if (failure.ok()) {
      const auto line = (node != nullptr ? node->source() : table.source()).begin.line;
      failure = invalidInput(fmt::format("{}:{}: {}: {}", path, line, what, reason));
    }
  }

  const toml::node *get(std::string_view key) {
    known.insert(std::string(key));
    return table.get(key);
  }

  std::string text(std::string_view key, bool required) {
    const toml::node *node = get(key);
    if (node == nullptr) {
      if (required) {
        missing = failure.ok();
        fail(nullptr, fmt::format("`{}` is missing", key));
      }
      return {};
    }
    if (!node->is_string()) {
      fail(node, fmt::format("`{}` must be a string", key));
      return {};
    }
    return node->as_string()->get();
  }

  bool flag(std::string_view key, bool otherwise) {
    const toml::node *node = get(key);
    if (node == nullptr) {
      return otherwise;
    }
    if (!node->is_boolean()) {
      fail(node, fmt::format("`{}` must be true or false", key));
      return otherwise;
    }
    return node->as_boolean()->get();
  }

  bool number(std::string_view key, double &value) {
    const toml::node *node = get(key);
    if (node == nullptr) {
      return false;
    }
    if (!node->is_number()) {
      fail(node, fmt::format("`{}` must be a number", key));
      return false;
    }
    value = node->value<double>().value_or(0);
    return true;
  }

  /// The tables of `[[key]]`.
  std::vector<const toml::table *> tables(std::string_view key) {
    std::vector<const toml::table *> found;
    const toml::node *node = get(key);
    if (node == nullptr) {
      return found;
    }
    if (!node->is_array_of_tables()) {
      fail(node, fmt::format("`{}` must be written as [[{}]]", key, key));
      return found;
    }
    for (const toml::node &item : *node->as_array()) {
      found.push_back(item.as_table());
    }
    return found;
  }

  Status finish() {
    for (const auto &[key, node] : table) {
      if (!known.count(std::string(key.str()))) {
        if (missing) {
          failure = {}; // a slip in a name is why another key is missing
        }
        fail(&node, fmt::format("unknown key `{}`", key.str()));
        break;
      }
    }
    return failure;
  }
  bool ok() const { return failure.ok(); }

private:
  const toml::table &table;
  std::string path, what;
  std::set<std::string> known;
  Status failure;
  bool missing = false; // the failure is a key that is not there
};

std::vector<std::string> stringsOf(TableReader &reader, const toml::node *node, std::string_view key) {
  std::vector<std::string> values;
  if (!node->is_array()) {
    reader.fail(node, fmt::format("`{}` must be a list of strings", key));
    return values;
  }
  for (const toml::node &item : *node->as_array()) {
    if (!item.is_string()) {
      reader.fail(&item, fmt::format("`{}` must be a list of strings", key));
      return values;
    }
    values.push_back(item.as_string()->get());
  }
  return values;
}

PluginValue valueOf(TableReader &reader, const toml::node *node, const PluginParameter &parameter) {
  const auto wrong = [&](const char *wanted) -> PluginValue {
    reader.fail(node, fmt::format("`default` must be {}", wanted));
    return false;
  };
  switch (parameter.type) {
  case Type::boolean:
    return node->is_boolean() ? PluginValue(node->as_boolean()->get()) : wrong("true or false");
  case Type::integer:
    return node->is_integer() ? PluginValue(node->as_integer()->get()) : wrong("a whole number");
  case Type::number:
    return node->is_number() ? PluginValue(node->value<double>().value_or(0)) : wrong("a number");
  case Type::string:
  case Type::path:
    return node->is_string() ? PluginValue(node->as_string()->get()) : wrong("a string");
  case Type::enumeration: {
    if (!node->is_string()) {
      return wrong("one of `members`");
    }
    const std::string member = node->as_string()->get();
    if (std::find(parameter.members.begin(), parameter.members.end(), member) == parameter.members.end()) {
      return wrong("one of `members`");
    }
    return member;
  }
  case Type::strings:
    return stringsOf(reader, node, "default");
  case Type::numbers: {
    std::vector<double> values;
    if (!node->is_array()) {
      return wrong("a list of numbers");
    }
    for (const toml::node &item : *node->as_array()) {
      if (!item.is_number()) {
        return wrong("a list of numbers");
      }
      values.push_back(item.value<double>().value_or(0));
    }
    return values;
  }
  }
  return wrong("of the declared type");
}

std::string oneOf(TableReader &reader, const char *key, const std::vector<std::string> &choices) {
  const std::string value = reader.text(key, true);
  for (const std::string &choice : choices) {
    if (value == choice) {
      return value;
    }
  }
  std::string list;
  for (const std::string &choice : choices) {
    list += fmt::format("{}`{}`", list.empty() ? "" : " or ", choice);
  }
  reader.fail(reader.get(key), fmt::format("`{}` must be {}", key, list));
  return value;
}

/// What is said of a parameter that decides.
void readDecision(TableReader &reader, PluginParameter &parameter) {
  parameter.decides = reader.flag("decides", false);
  const bool isNumber = parameter.type == Type::number || parameter.type == Type::numbers;
  if (parameter.decides && !isNumber) {
    reader.fail(reader.get("decides"), "a parameter that `decides` is a number, or one for each class");
  }
  if (double classes = 0; reader.number("classes", classes)) {
    parameter.classes = classes >= 1 && classes <= 1e6 ? static_cast<std::int64_t>(classes) : 0;
    if (parameter.classes == 0 || static_cast<double>(parameter.classes) != classes) {
      reader.fail(reader.get("classes"), "`classes` is a whole number above 0");
    }
  }
  if (const toml::node *const fitted = reader.get("fit")) {
    parameter.fitted = stringsOf(reader, fitted, "fit");
    const bool known = std::all_of(parameter.fitted.begin(), parameter.fitted.end(),
                                   [](const std::string &name) { return findDecisionFit(name) != nullptr; });
    if (!parameter.decides || !known) {
      reader.fail(fitted, fmt::format("`fit` is for a parameter that `decides`, and names some of {}", decisionFitNames()));
    }
  }
}

/// What its value may be, beside its type: words of it, one a class, a range.
void readForm(TableReader &reader, PluginParameter &parameter) {
  if (const toml::node *members = reader.get("members")) {
    parameter.members = stringsOf(reader, members, "members");
    const bool balanced = parameter.type == Type::numbers && parameter.members == std::vector<std::string>{"balanced"};
    if (parameter.type != Type::enumeration && !balanced) {
      reader.fail(members, "only a parameter of type enum has `members`, and one of type numbers the word `balanced`");
    }
    for (const std::string &member : parameter.members) {
      if (!isName(member)) {
        reader.fail(members, "a member is made of lower-case letters, digits and `_`");
      }
    }
  }
  if (parameter.type == Type::enumeration && parameter.members.empty()) {
    reader.fail(nullptr, "a parameter of type enum needs `members`");
  }
  if (reader.get("each") != nullptr) {
    parameter.eachClass = oneOf(reader, "each", {"class"}) == "class";
    if (parameter.type != Type::numbers) {
      reader.fail(reader.get("each"), "only a parameter of type numbers has one for `each` class");
    }
  }
  if (reader.get("names") != nullptr) {
    parameter.className = oneOf(reader, "names", {"class"}) == "class";
    if (parameter.type != Type::string || !reader.flag("optional", false)) {
      reader.fail(reader.get("names"), "only an optional parameter of type string `names` a class");
    }
  }
  parameter.oneForAll = reader.flag("one_for_all", false);
  if (parameter.oneForAll && !parameter.eachClass) {
    reader.fail(reader.get("one_for_all"), "only of numbers for `each` class can one stand for all");
  }
  readDecision(reader, parameter);
  if (reader.get("range") != nullptr) {
    parameter.range = parameter.whole = oneOf(reader, "range", {"whole"}) == "whole";
    if (parameter.type != Type::numbers) {
      reader.fail(reader.get("range"), "only a parameter of type numbers is a `range`");
    }
  }
  parameter.wholeText = reader.flag("whole_text", false);
}

Result<PluginParameter> readParameter(const toml::table &table, const std::string &path) {
  const toml::node *nameNode = table.get("name");
  const std::string called = nameNode != nullptr && nameNode->is_string() ? nameNode->as_string()->get() : "";
  TableReader reader(table, path, called.empty() ? "a parameter" : fmt::format("parameter `{}`", called));
  PluginParameter parameter;
  parameter.name = reader.text("name", true);
  if (reader.ok() && !isName(parameter.name)) {
    reader.fail(nameNode, "a name is made of lower-case letters, digits and `_`");
  }
  const std::string type = reader.text("type", true);
  const auto *found = std::find_if(std::begin(typeNames), std::end(typeNames), [&](const auto &entry) { return entry.first == type; });
  if (found != std::end(typeNames)) {
    parameter.type = found->second;
  } else {
    reader.fail(table.get("type"), fmt::format("unknown type `{}`; types are bool, int, float, string, path, enum, "
                                               "strings, numbers",
                                               type));
  }
  readForm(reader, parameter);
  parameter.hasMinimum = reader.number("minimum", parameter.minimum);
  parameter.hasMaximum = reader.number("maximum", parameter.maximum);
  const bool numeric = parameter.type == Type::integer || parameter.type == Type::number || parameter.type == Type::numbers;
  if ((parameter.hasMinimum || parameter.hasMaximum) && !numeric) {
    reader.fail(nullptr, "only numbers have `minimum` and `maximum`");
  }
  if (parameter.hasMinimum && parameter.hasMaximum && !(parameter.minimum <= parameter.maximum)) {
    reader.fail(nullptr, "`minimum` is above `maximum`");
  }
  parameter.required = reader.flag("required", false);
  parameter.optional = reader.flag("optional", false);
  const toml::node *defaultNode = reader.get("default");
  if ((defaultNode != nullptr ? 1 : 0) + (parameter.required ? 1 : 0) + (parameter.optional ? 1 : 0) != 1) {
    reader.fail(nullptr, "a parameter has either a `default`, `required = true` or `optional = true`");
  } else if (defaultNode != nullptr && reader.ok()) {
    parameter.defaultValue = valueOf(reader, defaultNode, parameter);
    const auto outside = [&](double value) {
      return std::isnan(value) || (parameter.hasMinimum && value < parameter.minimum) ||
             (parameter.hasMaximum && value > parameter.maximum);
    };
    bool wrong = false;
    if (const auto *integer = std::get_if<std::int64_t>(&parameter.defaultValue)) {
      wrong = outside(static_cast<double>(*integer));
    } else if (const auto *number = std::get_if<double>(&parameter.defaultValue)) {
      wrong = outside(*number);
    } else if (const auto *list = std::get_if<std::vector<double>>(&parameter.defaultValue)) {
      wrong = std::any_of(list->begin(), list->end(), outside);
    }
    if (wrong) {
      reader.fail(defaultNode, "`default` lies outside `minimum` and `maximum`");
    }
  }
  for (const auto &[key, names] : {std::pair("files", &parameter.files), std::pair("beside", &parameter.beside)}) {
    const toml::node *node = reader.get(key);
    if (node == nullptr) {
      continue;
    }
    *names = stringsOf(reader, node, key);
    const bool plain = std::none_of(names->begin(), names->end(), [](const std::string &name) {
      return name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos;
    });
    if (parameter.type != Type::path || !plain) {
      reader.fail(node, fmt::format("`{}` are names of files in the folder of a parameter of type path", key));
    }
  }
  parameter.help = reader.text("help", true);
  PENSTOCK_TRY(reader.finish());
  return parameter;
}

/// The parameter names in the braces of `f1_{average}`; false where braces do not match.
bool bracesOf(const std::string &name, std::vector<std::string> &names) {
  std::size_t at = 0;
  while ((at = name.find_first_of("{}", at)) != std::string::npos) {
    const std::size_t end = name.find_first_of("{}", at + 1);
    if (name[at] != '{' || end == std::string::npos || name[end] != '}') {
      return false;
    }
    names.push_back(name.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return true;
}

/// "parameter=member" of a parameter of type enum; nothing where the key is not there.
void readMember(TableReader &reader, const toml::table &table, const char *key, const PluginManifest &manifest, std::string &name,
                std::string &value) {
  const std::string text = reader.text(key, false);
  if (text.empty()) {
    return;
  }
  const std::size_t equals = text.find('=');
  name = text.substr(0, equals);
  value = equals == std::string::npos ? "" : text.substr(equals + 1);
  const PluginParameter *parameter = manifest.find(name);
  if (parameter == nullptr || parameter->type != Type::enumeration ||
      std::find(parameter->members.begin(), parameter->members.end(), value) == parameter->members.end()) {
    reader.fail(table.get(key), fmt::format("`{}` is \"parameter=member\" of a parameter of type enum", key));
  }
}

Result<StandardMetric> readStandard(const toml::table &table, const std::string &path, const PluginManifest &manifest) {
  TableReader reader(table, path, "a standard use");
  StandardMetric use;
  use.target = oneOf(reader, "target", {"class", "number", "set", "tags"});
  use.decision = reader.text("decision", false);
  if (!reader.number("place", use.place)) {
    reader.fail(nullptr, "`place` is missing: the number by which standard metrics are ordered");
  }
  readMember(reader, table, "with", manifest, use.parameter, use.value);
  PENSTOCK_TRY(reader.finish());
  return use;
}

Result<MetricResult> readResult(const toml::table &table, const std::string &path, const PluginManifest &manifest) {
  TableReader reader(table, path, "a result");
  MetricResult result;
  result.name = reader.text("name", true);
  result.higherIsBetter = reader.flag("higher_is_better", true);
  result.hasMinimum = reader.number("minimum", result.minimum);
  result.hasMaximum = reader.number("maximum", result.maximum);
  std::vector<std::string> names;
  std::string plain = result.name;
  if (const std::size_t open = plain.find("[{");
      open != std::string::npos && plain.ends_with("}]")) { // of the class that a parameter names
    plain.erase(open);
  }
  plain.erase(std::remove_if(plain.begin(), plain.end(), [](char c) { return c == '{' || c == '}'; }), plain.end());
  if (reader.ok() && (!isName(plain) || !bracesOf(result.name, names))) {
    reader.fail(table.get("name"), "a name is made of lower-case letters, digits, `_` and parameters "
                                   "in braces");
  }
  for (const std::string &name : names) {
    const PluginParameter *parameter = manifest.find(name);
    if (parameter != nullptr && parameter->className && result.name.ends_with("[{" + name + "}]")) {
      continue;
    }
    if (parameter == nullptr || parameter->optional ||
        (parameter->type != Type::enumeration && parameter->type != Type::integer && parameter->type != Type::boolean)) {
      reader.fail(table.get("name"), fmt::format("`{{{}}}` names no parameter of type enum, int or bool", name));
    }
  }
  readMember(reader, table, "when", manifest, result.parameter, result.value);
  result.unless = reader.text("unless", false);
  if (const PluginParameter *parameter = manifest.find(result.unless);
      !result.unless.empty() && (parameter == nullptr || !parameter->optional || parameter->type != Type::string)) {
    reader.fail(table.get("unless"), "`unless` names an optional parameter of type string");
  }
  PENSTOCK_TRY(reader.finish());
  return result;
}

/// One target, or, for a metric that judges several kinds, a list of them.
void readTargets(TableReader &reader, PluginManifest &manifest) {
  static const std::set<std::string> known = {"class", "number", "set", "tags"};
  const toml::node *node = reader.get("target");
  if (node == nullptr && rowOf(manifest.kind).optionalTarget) {
    return;
  }
  const bool several = rowOf(manifest.kind).severalTargets;
  if (node != nullptr && node->is_array() && several) {
    manifest.targets = stringsOf(reader, node, "target");
  } else {
    manifest.targets = {reader.text("target", true)};
  }
  const bool good = !manifest.targets.empty() && std::all_of(manifest.targets.begin(), manifest.targets.end(),
                                                             [](const auto &target) { return known.count(target) != 0; });
  if (!good) {
    reader.fail(node, several ? "`target` must be `class`, `number`, `set` or `tags`, or a list of them"
                              : "`target` must be `class`, `number`, `set` or `tags`");
  }
}

Status readAbi(TableReader &reader, PluginManifest &manifest) {
  const std::string abi = reader.text("abi", true);
  const std::size_t dot = abi.find('.');
  const auto digits = [](std::string_view text) {
    return !text.empty() && text.size() <= 4 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (dot == std::string::npos || !digits(abi.substr(0, dot)) || !digits(abi.substr(dot + 1))) {
    reader.fail(reader.get("abi"), "`abi` must be written as \"major.minor\"");
    return {};
  }
  manifest.abiMajor = std::atoi(abi.substr(0, dot).c_str());
  manifest.abiMinor = std::atoi(abi.substr(dot + 1).c_str());
  return {};
}

Result<PluginManifest> manifestOf(const toml::table &table, const std::string &path) {
  TableReader reader(table, path, "plugin");
  PluginManifest manifest;
  manifest.name = reader.text("name", true);
  if (reader.ok() && !isName(manifest.name)) {
    reader.fail(reader.get("name"), "a name is made of lower-case letters, digits and `_`");
  }
  std::vector<std::string> kinds;
  for (const PluginKindRow &one : pluginKinds) {
    kinds.push_back(one.name);
  }
  const PluginKindRow *const named = findKind(oneOf(reader, "kind", kinds));
  const PluginKindRow &row = named == nullptr ? pluginKinds[0] : *named;
  manifest.kind = row.kind;
  manifest.version = reader.text("version", true);
  PENSTOCK_TRY(readAbi(reader, manifest));
  manifest.summary = reader.text("summary", true);
  manifest.fits = row.fits && reader.flag("fits", false);
  if (row.input) {
    manifest.input = oneOf(reader, "input", {"vector", "sequence"});
  }
  if (row.target) {
    readTargets(reader, manifest);
  }
  manifest.standard = row.input && row.target && !row.optionalTarget && reader.flag("standard", false);
  if (const toml::node *const scale = row.input && row.target && !row.afterTraining ? reader.get("scale") : nullptr) {
    manifest.scale = reader.text("scale", false);
    const FeatureOperator *const named = findFeatureOperator(manifest.scale);
    if (!manifest.takes("number") || named == nullptr || !named->fits || !named->inverts) {
      reader.fail(scale, "`scale` names an operator of features with an inverse that fits on train, such as standardize, of a head that "
                         "predicts a number");
    }
  }
  if (const toml::node *const meanings = row.results ? reader.get("meanings") : nullptr) {
    manifest.meanings = stringsOf(reader, meanings, "meanings");
  }
  manifest.features = row.results && reader.flag("features", false);
  manifest.bringsLibraries = reader.flag("brings_libraries", false);
  manifest.keepsRecords = row.afterTraining && reader.flag("keeps_records", false);
  if (row.results && reader.get("state") != nullptr) {
    manifest.linearState = oneOf(reader, "state", {"constant", "linear"}) == "linear";
  }
  std::string library = reader.text("library", false);
  if (library.empty()) {
    library = "lib" + manifest.name + ".so";
  } else if (library.find('/') != std::string::npos) {
    reader.fail(reader.get("library"), "`library` is a file beside plugin.toml, not a path");
  }
  const std::vector<const toml::table *> parameters = reader.tables("parameters");
  const std::vector<const toml::table *> results = row.results ? reader.tables("results") : std::vector<const toml::table *>();
  const std::vector<const toml::table *> standard = row.results ? reader.tables("standard") : std::vector<const toml::table *>();
  PENSTOCK_TRY(reader.finish());
  for (const toml::table *entry : parameters) {
    PENSTOCK_ASSIGN(PluginParameter parameter, readParameter(*entry, path));
    if (manifest.find(parameter.name) != nullptr) {
      return invalidInput(fmt::format("{}:{}: parameter `{}` is declared twice", path, entry->source().begin.line, parameter.name));
    }
    if (row.place == PluginPlace::source && (parameter.type == Type::path || parameter.name == "path")) {
      return invalidInput(fmt::format("{}:{}: parameter `{}` of a source is {}; the file that it reads is given in front of its parameters",
                                      path, entry->source().begin.line, parameter.name,
                                      parameter.name == "path" ? "named `path`" : "a path"));
    }
    manifest.parameters.push_back(std::move(parameter));
  }
  for (const toml::table *entry : results) {
    PENSTOCK_ASSIGN(MetricResult result, readResult(*entry, path, manifest));
    manifest.results.push_back(std::move(result));
  }
  for (const toml::table *entry : standard) {
    PENSTOCK_ASSIGN(StandardMetric use, readStandard(*entry, path, manifest));
    manifest.measured.push_back(std::move(use));
  }
  const fs::path folder = fs::path(path).parent_path();
  manifest.folder = folder.string();
  manifest.library = (folder / library).string();
  return manifest;
}

/// plugin.toml files at `folder`, or one or two folders below it, in name order.
void collect(const fs::path &folder, int depth, std::vector<std::string> &found) {
  std::error_code error;
  if (fs::exists(folder / "plugin.toml", error)) { // one that is no regular file is refused when it is read
    found.push_back((folder / "plugin.toml").string());
    return;
  }
  if (depth == 0) {
    return;
  }
  std::vector<fs::path> below;
  fs::directory_iterator it(folder, fs::directory_options::skip_permission_denied, error), end;
  while (!error && it != end) {
    std::error_code ignored;
    if (it->is_directory(ignored)) {
      below.push_back(it->path());
    }
    it.increment(error);
  }
  std::sort(below.begin(), below.end());
  for (const fs::path &path : below) {
    collect(path, depth - 1, found);
  }
}

std::vector<std::string> splitColons(const char *text) {
  std::vector<std::string> parts;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    if (colon != 0) {
      parts.emplace_back(rest.substr(0, colon));
    }
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  return parts;
}

} // namespace

const PluginParameter *PluginManifest::find(std::string_view parameter) const {
  for (const PluginParameter &candidate : parameters) {
    if (candidate.name == parameter) {
      return &candidate;
    }
  }
  return nullptr;
}

std::string PluginManifest::purpose() const {
  std::string text = input.empty() ? "" : "takes a " + input;
  if (!targets.empty()) {
    text += (text.empty() ? "" : ", ") + fmt::format("{} a {}", rowOf(kind).verb, fmt::join(targets, " or a "));
  }
  return text;
}

bool PluginManifest::takes(std::string_view target) const { return std::find(targets.begin(), targets.end(), target) != targets.end(); }

bool PluginManifest::asksFor(std::string_view meaning) const {
  return std::find(meanings.begin(), meanings.end(), meaning) != meanings.end();
}

std::vector<MetricResult> PluginManifest::resultsFor(const std::vector<PluginValue> &values) const {
  std::vector<MetricResult> filled;
  for (const MetricResult &result : results) {
    bool given = true;
    for (std::size_t i = 0; i < parameters.size() && i < values.size(); ++i) {
      const auto *text = std::get_if<std::string>(&values[i]);
      given = given && (parameters[i].name != result.parameter || (text != nullptr && *text == result.value));
      const bool isThere = text != nullptr && !text->empty();
      given = given && !(isThere && parameters[i].name == result.unless);
      given = given && (isThere || !parameters[i].className || !result.name.ends_with("[{" + parameters[i].name + "}]"));
    }
    if (given) {
      filled.push_back(result);
    }
  }
  for (MetricResult &result : filled) {
    for (std::size_t i = 0; i < parameters.size() && i < values.size(); ++i) {
      const std::string brace = "{" + parameters[i].name + "}";
      std::string text;
      if (const auto *string = std::get_if<std::string>(&values[i])) {
        text = *string;
      } else if (const auto *integer = std::get_if<std::int64_t>(&values[i])) {
        text = std::to_string(*integer);
      } else if (const auto *flag = std::get_if<bool>(&values[i])) {
        text = *flag ? "true" : "false";
      } else {
        continue;
      }
      for (std::size_t at = 0; (at = result.name.find(brace, at)) != std::string::npos;) {
        result.name.replace(at, brace.size(), text);
        at += text.size();
      }
    }
  }
  return filled;
}

Result<PluginManifest> parsePluginManifest(std::string_view text, const std::string &path) {
  toml::parse_result parsed = toml::parse(text, path);
  if (!parsed) {
    return invalidInput(fmt::format("{}:{}: {}", path, parsed.error().source().begin.line, parsed.error().description()));
  }
  Result<PluginManifest> manifest = manifestOf(parsed.table(), path);
  if (manifest.ok()) {
    manifest->textHash = hash64(text);
  }
  return manifest;
}

Result<PluginManifest> readPluginManifest(const std::string &path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error).lexically_normal();
  if (error) {
    return environmentError(fmt::format("{}: {}", path, error.message()));
  }
  PENSTOCK_ASSIGN(const Descriptor file, openRegularFile(absolute.string()));
  PENSTOCK_ASSIGN(const std::string text, readBeginning(file.get(), absolute.string(), maximumManifestBytes + 1));
  if (text.size() > maximumManifestBytes) {
    return invalidInput(fmt::format("{}: a manifest is at most 1 MiB", absolute.string()));
  }
  return parsePluginManifest(text, absolute.string());
}

/// Where plugins that come with the command may lie, as it is built and as it is installed.
static std::vector<std::string> ownFolders() {
  const std::string own = commandFolder();
  if (own.empty()) {
    return {};
  }
  const fs::path prefix = fs::path(own).parent_path();
  return {(prefix / "plugins").string(), (prefix / "lib" / "penstock" / "plugins").string()};
}

std::string treePlugins() {
  std::error_code error;
  for (const std::string &folder : ownFolders()) {
    if (fs::is_directory(folder, error)) {
      return folder;
    }
  }
  return "";
}

Result<std::vector<PluginManifest>> findPlugins(const std::vector<std::string> &extra, std::vector<Status> *problems) {
  std::vector<std::string> folders;
  if (const char *listed = std::getenv("PENSTOCK_PLUGINS")) {
    folders = splitColons(listed);
  }
  folders.insert(folders.end(), extra.begin(), extra.end());
  std::error_code error;
  for (const std::string &folder : folders) {
    if (!fs::is_directory(folder, error)) {
      Status missing = invalidInput(fmt::format("the plugin folder `{}` does not exist; it was named by `--plugins`, `use` "
                                                "or PENSTOCK_PLUGINS",
                                                folder));
      if (problems == nullptr) {
        return missing;
      }
      problems->push_back(std::move(missing));
    }
  }
  const std::vector<std::string> own = ownFolders();
  folders.insert(folders.end(), own.begin(), own.end());

  std::vector<PluginManifest> manifests;
  for (const std::string &folder : folders) {
    std::vector<std::string> paths;
    collect(folder, 2, paths);
    for (const std::string &path : paths) {
      Result<PluginManifest> manifest = readPluginManifest(path);
      if (!manifest.ok()) {
        if (problems == nullptr) {
          return manifest.status();
        }
        problems->push_back(manifest.status());
        continue;
      }
      const bool shadowed = std::any_of(manifests.begin(), manifests.end(), [&](const PluginManifest &other) {
        return other.name == manifest->name && other.kind == manifest->kind;
      });
      if (!shadowed) {
        manifests.push_back(std::move(manifest).value());
      }
    }
  }
  std::sort(manifests.begin(), manifests.end(),
            [](const auto &a, const auto &b) { return a.kind != b.kind ? a.kind < b.kind : a.name < b.name; });
  return manifests;
}

} // namespace penstock
