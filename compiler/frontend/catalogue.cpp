#include "compiler/frontend/catalogue.h"

#include <algorithm>

namespace penstock::frontend {

using Type = PluginParameter::Type;

namespace {

/// The names that examples use: a text, tokens of it, a sequence `x`, a vector `v`, and a column for each kind of target.
std::string exampleOperand(Accepts accepts) {
  switch (accepts) {
  case Accepts::ids:
  case Accepts::index:
    return "tokens";
  case Accepts::vector:
  case Accepts::logits:
    return "v";
  case Accepts::tagsTarget:
    return "tags";
  case Accepts::classTarget:
  case Accepts::labelTarget:
  case Accepts::anyTarget:
    return "label";
  case Accepts::numberTarget:
    return "price";
  case Accepts::setTarget:
    return "labels";
  default:
    return "x";
  }
}

std::string exampleValue(const ParameterSpec &parameter) {
  const bool isShare = parameter.hasMaximum && parameter.maximum <= 1;
  switch (parameter.type) {
  case Type::boolean:
    return "true";
  case Type::integer:
    return formatNumber(std::clamp(8.0, parameter.hasMinimum ? parameter.minimum : 0, parameter.hasMaximum ? parameter.maximum : 8));
  case Type::number:
    return isShare ? "10%" : "1";
  case Type::enumeration:
    return parameter.members.empty() ? "" : parameter.members.front();
  case Type::strings: {
    const auto word = [&](std::size_t i) { return i < parameter.members.size() ? parameter.members[i] : quote(i == 0 ? "word" : "pos"); };
    return parameter.members.empty() ? "[" + word(0) + ", " + word(1) + "]" : word(0) + ", " + word(1); // words may stand by themselves
  }
  case Type::numbers:
    return parameter.range ? "0..1" : "[1, 2]";
  case Type::path:
    return quote("folder");
  case Type::string:
    return parameter.column ? parameter.name : quote(parameter.name);
  }
  return "";
}

/// `linear(8)`, `conv1d(width: 8, maps: 8)`: with what must be given.
std::string exampleCall(const Signature &signature, std::vector<std::string> arguments, const std::string &file = "") {
  std::vector<const ParameterSpec *> required;
  for (const ParameterSpec &parameter : signature.parameters) {
    const bool isFolder =
        parameter.type == Type::path && &parameter == &signature.parameters.front(); // of an encoder: what one begins with
    if (parameter.required || isFolder || (parameter.column && !parameter.absent)) {
      required.push_back(&parameter);
    }
  }
  for (std::size_t i = 0; i < required.size(); ++i) {
    const bool isFile = i == 0 && !file.empty();
    const bool named = required.size() > 1 && !isFile;
    arguments.push_back((named ? required[i]->name + ": " : "") + (isFile ? quote(file) : exampleValue(*required[i])));
  }
  std::string text = signature.name;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    text += (i == 0 ? "(" : ", ") + arguments[i];
  }
  return arguments.empty() ? text : text + ")";
}

/// `x |> linear(8)`, `concat(v, v)`, `noise(8)`.
std::string exampleFlow(const Signature &signature) {
  std::vector<std::string> arguments;
  for (std::size_t i = 1; i < signature.operands.size(); ++i) {
    arguments.push_back(exampleOperand(signature.operands[i].accepts));
  }
  if (signature.operands.empty()) {
    const std::string call = exampleCall(signature, arguments);
    return call.ends_with(")") ? call : call + "()";
  }
  if (signature.operands[0].accepts == Accepts::variadic) {
    return exampleCall(signature, {"v", "w"});
  }
  return exampleOperand(signature.operands[0].accepts) + " |> " + exampleCall(signature, arguments);
}

std::vector<CatalogueEntry> ofSignatures(const std::vector<Signature> &list, const std::string &before, const std::string &after) {
  std::vector<CatalogueEntry> entries;
  for (const Signature &signature : list) {
    entries.push_back({signature, signature.help, {}, before + exampleCall(signature, {}) + after});
  }
  return entries;
}

CatalogueGroup sourcesGroup(const std::vector<PluginManifest> &plugins) {
  CatalogueGroup group{"Sources", "Where the records come from: the value of `source` in `data`.", {}};
  for (const Signature &signature : sources(plugins)) {
    group.entries.push_back(
        {signature, signature.help, {}, "data { source: " + exampleCall(signature, {}, "data/{split}." + signature.name) + " }"});
  }
  const Signature &split = splitSignature();
  group.entries.push_back({split, split.help, {}, "data { source: csv(\"data.csv\") |> split(by: \"text\", dev: 10%, test: 10%) }"});
  return group;
}

/// The name of a column that an operator takes in an example.
std::string exampleColumn(Flow flow) {
  return flow == Flow::text ? "text" : flow == Flow::time ? "day" : flow == Flow::index ? "label" : "price";
}

CatalogueGroup rowsGroup() {
  CatalogueGroup group{
      "Operators of rows", "They stand behind the source, and say which rows are records; `predict` answers every row.", {}};
  for (const RowOperator &row : rowOperators()) {
    group.entries.push_back(
        {{row.name, {}, {}}, row.help, {}, "data { source: csv(\"data/{split}.csv\") |> " + std::string(row.form) + " }"});
  }
  return group;
}

CatalogueGroup cellsGroup() {
  CatalogueGroup group{"Operators of cells", "They stand behind the type of a column, and hold wherever a cell is read.", {}};
  for (const CellOperator &row : cellOperators()) {
    const Signature signature = signatureOf(row);
    std::string takes;
    for (const Flow flow : row.takes) {
      takes += (takes.empty() ? "" : ", ") + std::string(penstock::describe(flow));
    }
    const std::string call = row.pairs ? std::string(row.name) + "([[\"old\", \"new\"]])" : exampleCall(signature, {});
    group.entries.push_back({signature, row.help, {{"takes", takes}}, "data { column label = class() |> " + call + " }"});
  }
  return group;
}

CatalogueGroup operatorsGroup() {
  CatalogueGroup group{
      "Operators of features",
      "They stand behind columns, and what they fit is that of train; they make an input of the batch, in double precision, "
      "rounded once.",
      {}};
  for (const FeatureOperator &row : featureOperators()) {
    const Signature signature = signatureOf(row);
    CatalogueEntry entry{signature, row.help, {}, {}};
    entry.facts.emplace_back("takes", std::string(penstock::describe(row.takes)) + (row.fills    ? " that may be missing"
                                                                                    : row.single ? ", one a record"
                                                                                                 : ""));
    entry.facts.emplace_back("gives", penstock::describe(row.gives));
    if (row.fits) {
      entry.facts.emplace_back("fitted", "on train");
    }
    if (row.inverts) {
      entry.facts.emplace_back("on a target", "it may stand there; answers and metrics are of the column");
    }
    // What makes no input of the batch goes on to a tokenizer.
    entry.example = "features { y = " + exampleColumn(row.takes) + " |> " + exampleCall(signature, {}) +
                    (row.gives == Flow::text ? " |> words" : "") + " }";
    group.entries.push_back(std::move(entry));
  }
  return group;
}

CatalogueGroup operationsGroup() {
  CatalogueGroup group{
      "Operations", "They stand in `model`. An operand is what flows in, or the first argument; parameters follow in this order.", {}};
  for (const BuiltinOp &op : builtinOps()) {
    CatalogueEntry entry{op.signature, op.help, {}, {}};
    for (const OperandSpec &operand : op.signature.operands) {
      entry.facts.emplace_back("operand `" + operand.name + "`", describeAccepts(operand.accepts));
    }
    entry.example = "model { y = " + exampleFlow(op.signature) + " }";
    group.entries.push_back(std::move(entry));
  }
  // What takes names or calls, and so is no operation of the table.
  const auto form = [&](const char *name, const char *help, const char *example) {
    group.entries.push_back({{name, {}, {}}, help, {}, example});
  };
  form("width", "the width of a value, a whole number", "model { y = x |> linear(width(x)) }");
  form("count", "the number of classes of a class column, of labels of a set column, or of tags of a tags column",
       "model { y = v |> linear(count(label)) }");
  form("repeat", "`repeat(n, call)`: n calls one after another, each with weights of its own", "model { y = x |> repeat(2, linear(8)) }");
  form("l2", "half the sum of squares of every weight below a binding that decays, or of all of them",
       "train { minimize: answer.loss + 1e-4 * l2(answer) }");
  return group;
}

/// A group for the plugins of a kind.
CatalogueGroup pluginsGroup(const PluginKindRow &kind, const std::vector<PluginManifest> &plugins) {
  CatalogueGroup group{kind.heading, {}, {}};
  for (const PluginManifest &plugin : plugins) {
    if (plugin.kind != kind.kind) {
      continue;
    }
    Signature signature = signatureOf(plugin);
    CatalogueEntry entry{signature, plugin.summary, {}, {}};
    if (std::string purpose = plugin.purpose(); !purpose.empty()) {
      entry.facts.emplace_back("use", std::move(purpose));
    }
    std::string results;
    for (const MetricResult &result : plugin.results) {
      results += (results.empty() ? "`" : ", `") + result.name + "`" + (result.higherIsBetter ? "" : " (lower is better)");
    }
    if (!results.empty()) {
      entry.facts.emplace_back("results", results);
    }
    if (plugin.fits) {
      entry.facts.emplace_back("fitted", "on train");
    }
    switch (kind.place) {
    case PluginPlace::text:
      signature.operands.clear(); // its operand is a column
      entry.example = "features { tokens = text |> " + exampleCall(signature, {}) + " }";
      break;
    case PluginPlace::model:
      entry.example = "model { answer = " + exampleFlow(signature) + " }";
      break;
    default:
      entry.example = "evaluate { test: [" + exampleCall(signature, {}) + "] }";
    }
    group.entries.push_back(std::move(entry));
  }
  return group;
}

} // namespace

std::vector<CatalogueGroup> callables(const std::vector<PluginManifest> &plugins) {
  std::vector<CatalogueGroup> groups = {sourcesGroup(plugins), rowsGroup(), cellsGroup(), operatorsGroup()};
  const auto add = [&](PluginPlace place) {
    for (const PluginKindRow &kind : pluginKinds) {
      if (kind.place == place) {
        if (CatalogueGroup group = pluginsGroup(kind, plugins); !group.entries.empty()) {
          groups.push_back(std::move(group));
        }
      }
    }
  };
  add(PluginPlace::text);
  groups.push_back(operationsGroup());
  add(PluginPlace::model);
  add(PluginPlace::evaluate);
  groups.push_back({"Optimizers", "The value of `optimizer` in `train`.", ofSignatures(optimizers(), "train { optimizer: ", " }")});
  groups.push_back({"Schedules", "The value of `schedule` in `train`.", ofSignatures(schedules(), "train { schedule: ", " }")});
  return groups;
}

CatalogueGroup typesOfColumns() {
  CatalogueGroup group{"Types of columns", "Each has `from`, the header of the column where it is not its name.", {}};
  for (const Signature &type : columnTypes()) {
    group.entries.push_back({type, type.help, {}, "data { column name = " + exampleCall(type, {}) + " }"});
  }
  return group;
}

CatalogueGroup settingsOfBlock(const BlockSpec &block) {
  CatalogueGroup group{"Settings of `" + block.name + "`", block.help, {}};
  for (const SettingSpec &setting : block.settings) {
    CatalogueEntry entry{{setting.name, {}, {}}, setting.plain ? setting.plain->help : setting.help, {}, {}};
    std::string value = setting.example;
    if (setting.plain) {
      entry.facts.emplace_back("value", parameterValues(*setting.plain));
      entry.facts.emplace_back("default", formatAttribute(defaultOf(*setting.plain), &*setting.plain));
      value = entry.facts.back().second;
    } else if (!setting.standard.empty()) {
      entry.facts.emplace_back("default", setting.standard);
    }
    std::string calls;
    for (const Signature &call : setting.calls == nullptr ? std::vector<Signature>() : setting.calls()) {
      std::string inside;
      for (const ParameterSpec &parameter : call.parameters) {
        inside += (inside.empty() ? "" : ", ") + parameter.name + ": " + formatAttribute(defaultOf(parameter), &parameter);
      }
      calls += (calls.empty() ? "`" : ", `") + call.name + (inside.empty() ? "" : "(" + inside + ")") + "`";
    }
    if (!calls.empty()) {
      entry.facts.emplace_back("calls", calls);
    }
    const std::string inner = setting.name + ": " + value;
    entry.example = block.name == "objective" ? "train { objective NAME { " + inner + " } }" : block.name + " { " + inner + " }";
    group.entries.push_back(std::move(entry));
  }
  return group;
}

std::string parameterValues(const ParameterSpec &parameter) {
  if (parameter.type != Type::enumeration) {
    return describeParameterType(parameter);
  }
  std::string words;
  for (const std::string &member : parameter.members) {
    words += (words.empty() ? "`" : ", `") + member + "`";
  }
  return words;
}

std::string parameterDefault(const ParameterSpec &parameter) {
  return parameter.absent ? "optional" : parameter.required ? "required" : "default " + formatAttribute(defaultOf(parameter), &parameter);
}

namespace {

std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.replace(at, 1, "\\|");
  }
  return text;
}

void describe(std::string &out, const CatalogueGroup &group) {
  out += "\n# " + group.heading + "\n\n" + group.about + "\n";
  for (const CatalogueEntry &entry : group.entries) {
    out += "\n## " + entry.signature.name + "\n\n" + entry.help + ".\n";
    if (!entry.facts.empty() || !entry.signature.parameters.empty()) {
      out += "\n| | | |\n|---|---|---|\n";
    }
    for (const auto &[name, text] : entry.facts) {
      out += "| " + name + " | " + cell(text) + " | |\n";
    }
    for (const ParameterSpec &parameter : entry.signature.parameters) {
      out += "| `" + parameter.name + "`: " + cell(parameterValues(parameter)) + " | " + cell(parameterDefault(parameter)) + " | " +
             cell(parameter.help) + " |\n";
    }
    out += "\n`" + entry.example + "`\n";
  }
}

} // namespace

std::string operationsPage() {
  std::string out = "# What a file can hold\n\nMade by `penstock-docs` from the tables that the check reads; do not edit. `penstock ops`, "
                    "`penstock types` and `penstock settings` print the same, with the plugins that are there.\n";
  for (const CatalogueGroup &group : callables({})) {
    describe(out, group);
  }
  describe(out, typesOfColumns());
  for (const BlockSpec &block : blocksWithSettings()) {
    CatalogueGroup group = settingsOfBlock(block);
    group.about[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(group.about[0])));
    group.about += ".";
    describe(out, group);
  }
  return out;
}

} // namespace penstock::frontend
