#include "compiler/frontend/signatures.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

namespace penstock::frontend {

using namespace parameters;
using Type = PluginParameter::Type;

namespace {

ParameterSpec rate(double value) { return real("lr", value, 0, unbounded, "learning rate", true); }
ParameterSpec decay(double value) { return real("weight_decay", value, 0, unbounded, "decay of weights other than biases and norms"); }
ParameterSpec warmup() {
  ParameterSpec spec;
  spec.name = "warmup";
  spec.type = Type::number;
  spec.stepsOrShare = true;
  spec.defaultValue = 0.0;
  spec.help = "share of all steps, or a number of steps, in which the rate grows from 0";
  return spec;
}

} // namespace

const std::vector<Signature> &optimizers() {
  static const std::vector<Signature> list = {
      {"sgd",
       {},
       {rate(1e-2), real("momentum", 0, 0, 1, "share of the last step that is kept", false, true),
        flag("nesterov", false, "Nesterov's form of momentum"), decay(0)}},
      {"adam",
       {},
       {rate(1e-3), real("beta1", 0.9, 0, 1, "decay of the mean", false, true),
        real("beta2", 0.999, 0, 1, "decay of the mean square", false, true), real("epsilon", 1e-8, 0, unbounded, "added to the root", true),
        decay(0)}},
      {"adamw",
       {},
       {rate(1e-3), real("beta1", 0.9, 0, 1, "decay of the mean", false, true),
        real("beta2", 0.999, 0, 1, "decay of the mean square", false, true), real("epsilon", 1e-8, 0, unbounded, "added to the root", true),
        decay(1e-2)}},
  };
  return list;
}

const std::vector<Signature> &schedules() {
  static const std::vector<Signature> list = {{"constant", {}, {warmup()}}, {"linear", {}, {warmup()}}, {"cosine", {}, {warmup()}}};
  return list;
}

const std::vector<Signature> &devices() {
  static const std::vector<Signature> list = [] {
    ParameterSpec card = size("card", std::int64_t{0}, "which one, of those that the driver shows");
    card.minimum = 0;
    card.hasMaximum = true;
    card.maximum = 1023;
    return std::vector<Signature>{{"cpu", {}, {}}, {"cuda", {}, {card}}};
  }();
  return list;
}

const std::vector<Signature> &confidences() {
  static const std::vector<Signature> list = [] {
    ParameterSpec samples = size("samples", std::int64_t{1000}, "how often records are drawn"),
                  seed = size("seed", std::int64_t{42}, "of the draws");
    seed.minimum = 0;
    seed.maximum = 9.2e18;
    return std::vector<Signature>{
        {"bootstrap", {}, {real("level", 0.95, 0, 1, "share of the samples that lie in the interval", true, true), samples, seed}}};
  }();
  return list;
}

std::vector<Signature> sources(const std::vector<PluginManifest> &plugins) {
  std::vector<Signature> list = {
      {"csv",
       {},
       {path("path", "the file; `{split}` stands for the split"), text("delimiter", ",", "the sign between cells"),
        choice("quote", {"double", "none"}, "double",
               "quotes around a cell, doubled within it; none: a quote is a character as any other")}},
      {"jsonl", {}, {path("path", "the file; `{split}` stands for the split")}},
      {"conll",
       {},
       {path("path", "the file; `{split}` stands for the split"), strings("columns", "the names of the columns of a line, in their order"),
        text("comment", "", "lines before a record that begin so are skipped; empty: none is")}},
  };
  for (const PluginManifest &plugin : plugins) {
    if (rowOf(plugin.kind).place == PluginPlace::source) {
      list.push_back(signatureOf(plugin));
    }
  }
  return list;
}

const std::vector<Signature> &columnTypes() {
  static const std::vector<Signature> list = [] {
    std::vector<Signature> types;
    for (const ColumnType &type : columnTypeRows()) {
      Signature &made = types.emplace_back(type.name);
      made.parameters.push_back(text("from", "", "name of the column in the data; by default the name here"));
      for (const PluginParameter &parameter : type.parameters) {
        made.parameters.push_back(parameterOf(parameter));
      }
    }
    return types;
  }();
  return list;
}

const Signature &splitSignature() {
  static const Signature signature = [] {
    ParameterSpec by = text("by", "", "the column whose cells decide, each by its hash"),
                  order = text("order", "", "the column in whose order the splits follow each other"),
                  train = real("train", 0, 0, 1, "share of train; without it the rest");
    by.column = order.column = by.absent = order.absent = train.absent = true;
    return Signature{"split", {}, {by, order, train, real("dev", 0.1, 0, 1, "share of dev"), real("test", 0.1, 0, 1, "share of test")}};
  }();
  return signature;
}

Signature signatureOf(const FeatureOperator &row) {
  Signature signature = {row.name, {{"x", Accepts::any}}, {}};
  for (const PluginParameter &parameter : row.parameters) {
    signature.parameters.push_back(parameterOf(parameter));
  }
  return signature;
}

const std::vector<SettingSpec> &trainSettings() {
  static const std::vector<SettingSpec> list = [] {
    const TrainSpec train;
    const ObjectiveSpec objective;
    const auto count = [](const char *name, std::int64_t value, std::int64_t minimum, double maximum, const char *help) {
      ParameterSpec spec = size(name, value, help);
      spec.hasMinimum = spec.hasMaximum = true;
      spec.minimum = static_cast<double>(minimum);
      spec.maximum = maximum;
      return SettingSpec{name, spec};
    };
    constexpr double many = 1 << 20, most = 1e15;
    return std::vector<SettingSpec>{
        {"optimizer", {}, true},
        {"schedule", {}, true},
        {"epochs"},
        {"steps"},
        count("batch", train.batch, 1, many, "records a part of a step"),
        count("seed", static_cast<std::int64_t>(train.seed), 0, 9.2e18, "of weights, order and dropout"),
        {"clip_norm", real("clip_norm", objective.clipNorm, 0, unbounded, "the gradient's longest norm; 0: any"), true},
        count("log_every", train.logEvery, 1, most, "steps a line of the log"),
        {"validate"},
        {"keep"},
        {"minimize", {}, true},
        {"freeze"},
        {"rates"},
        count("accumulate", train.accumulate, 1, many, "parts a step"),
        {"shuffle", flag("shuffle", train.shuffle, "whether every epoch has an order of its own; `false`: that of the files")},
        {"from", {}, false, true},
        {"grow",
         flag("grow", train.grow,
              "with `from`: whether classes that the earlier run lacks stand behind its own; `false`: they are refused"),
         false, false, true}};
  }();
  return list;
}

const std::vector<std::string> &settingsOf(const std::string &block) {
  static const std::vector<std::string> train = [] {
    std::vector<std::string> names;
    for (const SettingSpec &setting : trainSettings()) {
      names.push_back(setting.name);
    }
    return names;
  }();
  static const std::vector<std::string> objective = [] {
    std::vector<std::string> names = {"moves"};
    for (const SettingSpec &setting : trainSettings()) {
      if (setting.ofObjective) {
        names.push_back(setting.name);
      }
    }
    return names;
  }();
  static const std::vector<std::string> target = {"device", "level", "precision", "kernels", "threads"};
  static const std::vector<std::string> data = {"source"};
  static const std::vector<std::string> evaluate = {"train", "dev", "test", "confidence", "last"};
  static const std::vector<std::string> deploy = {"input", "output"};
  static const std::vector<std::string> none;
  return block == "train"       ? train
         : block == "objective" ? objective
         : block == "target"    ? target
         : block == "data"      ? data
         : block == "evaluate"  ? evaluate
         : block == "deploy"    ? deploy
                                : none;
}

ParameterSpec parameterOf(const PluginParameter &parameter) {
  ParameterSpec spec;
  static_cast<PluginParameter &>(spec) = parameter;
  spec.absent = parameter.optional;
  return spec;
}

Signature signatureOf(const PluginManifest &manifest) {
  Signature signature;
  signature.name = manifest.name;
  const PluginKindRow &kind = rowOf(manifest.kind);
  if (kind.place == PluginPlace::source) {
    signature.parameters.push_back(path("path", "the file; `{split}` stands for the split"));
  }
  for (const PluginParameter &parameter : manifest.parameters) {
    signature.parameters.push_back(parameterOf(parameter));
  }
  if (kind.input) {
    signature.operands.push_back({"x", manifest.input == "sequence" ? Accepts::sequence : Accepts::vector});
  }
  if (kind.input && kind.target && !(kind.optionalTarget && manifest.targets.empty())) {
    const auto target =
        std::find_if(std::begin(targetTypes), std::end(targetTypes), [&](const TargetType &one) { return manifest.takes(one.type); });
    signature.operands.push_back({"target", target == std::end(targetTypes) ? Accepts::anyTarget : target->accepts});
  }
  if (kind.place == PluginPlace::text) {
    signature.operands.push_back({"text", Accepts::any});
    ParameterSpec limit = size("max_length", std::int64_t{0}, "the most tokens of a record; 0: no limit");
    limit.minimum = 0;
    signature.parameters.push_back(limit);
    signature.parameters.push_back(
        choice("truncate", {"longest_first", "first", "second"}, "longest_first", "which text of a pair `max_length` cuts"));
  } else if (kind.place == PluginPlace::evaluate) {
    signature.parameters.push_back(text("answer", "", "the answer that is judged, where the model has several"));
  }
  return signature;
}

std::string describeParameterType(const ParameterSpec &spec) {
  if (spec.stepsOrShare) {
    return "a percentage or a number of steps";
  }
  std::string words;
  for (const std::string &member : spec.members) {
    words += (words.empty() ? "`" : ", `") + member + "`";
  }
  for (const std::string &fitted : spec.fitted) {
    words += (words.empty() ? "`" : ", `") + fitted + "`";
  }
  switch (spec.type) {
  case Type::boolean:
    return "`true` or `false`";
  case Type::integer:
    return "a whole number";
  case Type::number:
    return "a number" + (words.empty() ? "" : ", or " + words);
  case Type::string:
    return "a string";
  case Type::path:
    return "a path";
  case Type::enumeration:
    return "one of its words";
  case Type::strings:
    return words.empty() ? "a list of strings" : "words of " + words;
  case Type::numbers:
    return spec.range ? "a range, such as `0..1`"
                      : (spec.oneForAll   ? std::string("a number, a list of them, or one by the name of a class")
                         : spec.eachClass ? "a list of numbers, or of numbers by the name of a class"
                                          : "a list of numbers") +
                            (words.empty() ? "" : ", or " + words);
  }
  return "a value";
}

std::string formatNumber(double value) {
  if (std::isnan(value)) { // known only with the facts
    return "?";
  }
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, result.ptr);
}

std::string formatShare(double share) {
  if (!std::isfinite(share)) {
    return formatNumber(share);
  }
  // The shortest digits of the number with their point two places on, so that nothing is rounded.
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof digits - 1, share, std::chars_format::scientific).ptr;
  const std::string text(digits, end);
  const std::size_t e = text.find('e');
  double percentage = 0;
  if (e != std::string::npos) {
    const std::string moved = text.substr(0, e) + "e" + std::to_string(std::stoi(text.substr(e + 1)) + 2);
    std::from_chars(moved.data(), moved.data() + moved.size(), percentage);
  }
  return formatNumber(percentage) + "%";
}

std::string formatCall(const PluginManifest &metric, const Attributes &parameters, const std::string &answer) {
  std::string inside = answer.empty() ? "" : "answer: " + answer;
  for (const PluginParameter &parameter : metric.parameters) {
    const auto given = parameters.find(parameter.name);
    if (given == parameters.end() && parameter.optional) {
      continue;
    }
    const ParameterSpec spec = parameterOf(parameter);
    const Attribute value = given != parameters.end() ? given->second : defaultOf(spec);
    inside += (inside.empty() ? "" : ", ") + parameter.name + ": " + formatAttribute(value, &spec);
  }
  return inside.empty() ? metric.name : metric.name + "(" + inside + ")";
}

std::string quote(const std::string &text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += c == '\n' ? std::string("\\n") : c == '\t' ? std::string("\\t") : std::string(1, c);
  }
  return out + "\"";
}

std::string formatAttribute(const Attribute &attribute, const ParameterSpec *spec) {
  const auto list = [](const auto &items, auto one) {
    std::string out = "[";
    for (std::size_t i = 0; i < items.size(); ++i) {
      out += (i > 0 ? ", " : "") + one(items[i]);
    }
    return out + "]";
  };
  if (const auto *flag = std::get_if<bool>(&attribute)) {
    return *flag ? "true" : "false";
  }
  if (const auto *integer = std::get_if<std::int64_t>(&attribute)) {
    return *integer == unknownSize ? "?" : std::to_string(*integer);
  }
  if (const auto *number = std::get_if<double>(&attribute)) {
    return formatNumber(*number);
  }
  if (const auto *string = std::get_if<std::string>(&attribute)) {
    return spec != nullptr && (!spec->members.empty() || !spec->fitted.empty()) ? *string : quote(*string);
  }
  if (const auto *integers = std::get_if<std::vector<std::int64_t>>(&attribute)) {
    return list(*integers, [](std::int64_t value) { return std::to_string(value); });
  }
  if (const auto *numbers = std::get_if<std::vector<double>>(&attribute)) {
    if (spec != nullptr && spec->oneForAll && numbers->size() == 1) {
      return formatNumber((*numbers)[0]);
    }
    if (spec != nullptr && spec->range && numbers->size() == 2) {
      return formatNumber((*numbers)[0]) + ".." + formatNumber((*numbers)[1]);
    }
    if (spec != nullptr && spec->stepsOrShare && numbers->size() == 2) {
      return (*numbers)[1] >= 0 ? formatNumber((*numbers)[1]) + " steps" : formatShare((*numbers)[0]);
    }
    return list(*numbers, formatNumber);
  }
  if (spec != nullptr && spec->eachClass) { // names with a number behind each
    const auto &named = std::get<std::vector<std::string>>(attribute);
    std::vector<std::string> pairs;
    for (std::size_t i = 0; i + 1 < named.size(); i += 2) {
      pairs.push_back("[" + quote(named[i]) + ", " + named[i + 1] + "]");
    }
    return list(pairs, [](const std::string &pair) { return pair; });
  }
  const bool isWords = spec != nullptr && !spec->members.empty();
  return list(std::get<std::vector<std::string>>(attribute), [&](const std::string &item) { return isWords ? item : quote(item); });
}

std::string operationsPage() {
  std::string out =
      "# Operations of the language\n\nMade from the table of built-in operations by `penstock-docs`; do not edit. An operand is "
      "what flows in, or the first argument; parameters follow in this order.\n";
  const auto cell = [](std::string text) {
    for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
      text.replace(at, 1, "\\|");
    }
    return text;
  };
  const auto parameters = [&](const Signature &signature) {
    for (const ParameterSpec &parameter : signature.parameters) {
      std::string type = describeParameterType(parameter);
      if (parameter.type == Type::enumeration) {
        type.clear();
        for (const std::string &member : parameter.members) {
          type += (type.empty() ? "`" : ", `") + member + "`";
        }
      }
      std::string value = parameter.absent ? "optional" : "required";
      if (!parameter.required && !parameter.absent) {
        value = "default " + formatAttribute(defaultOf(parameter), &parameter);
      }
      out += "| `" + parameter.name + "`: " + cell(type) + " | " + value + " | " + cell(parameter.help) + " |\n";
    }
  };
  for (const BuiltinOp &op : builtinOps()) {
    out += "\n## " + op.signature.name + "\n\n" + op.help + ".\n\n| | | |\n|---|---|---|\n";
    for (const OperandSpec &operand : op.signature.operands) {
      out += "| operand `" + operand.name + "` | " + describeAccepts(operand.accepts) + " | |\n";
    }
    parameters(op.signature);
  }
  out += "\n# Types of columns\n\nMade from column_types.def. Each has `from`, the header of the column where it is not its name.\n";
  for (std::size_t i = 0; i < columnTypes().size(); ++i) {
    out += "\n## " + columnTypes()[i].name + "\n\n" + columnTypeRows()[i].help + ".\n\n| | | |\n|---|---|---|\n";
    parameters(columnTypes()[i]);
  }
  out += "\n# Operators of features\n\nMade from feature_operators.def. They stand behind columns, and what they fit is that of train; "
         "they make an input of "
         "the batch, in double precision, rounded once.\n";
  for (const FeatureOperator &row : featureOperators()) {
    out += std::string("\n## ") + row.name + "\n\n" + row.help + ".\n\n| | | |\n|---|---|---|\n| takes | " + penstock::describe(row.takes) +
           (row.fills    ? " that may be missing"
            : row.single ? ", one a record"
                         : "") +
           " | |\n| gives | " + penstock::describe(row.gives) + " | " + (row.fits ? "fitted on train" : "") +
           (row.inverts ? std::string(row.fits ? "; " : "") + "may stand on a target" : "") + " |\n";
    parameters(signatureOf(row));
  }
  return out;
}

} // namespace penstock::frontend
