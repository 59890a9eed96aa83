#include "compiler/frontend/signatures.h"

#include "runtime/base/level_names.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <map>

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
        flag("nesterov", false, "Nesterov's form of momentum"), decay(0)},
       "stochastic gradient descent: a step against the gradient"},
      {"adam",
       {},
       {rate(1e-3), real("beta1", 0.9, 0, 1, "decay of the mean", false, true),
        real("beta2", 0.999, 0, 1, "decay of the mean square", false, true), real("epsilon", 1e-8, 0, unbounded, "added to the root", true),
        decay(0)},
       "a step of each weight's own size, by running means of its gradient and of the gradient's square"},
      {"adamw",
       {},
       {rate(1e-3), real("beta1", 0.9, 0, 1, "decay of the mean", false, true),
        real("beta2", 0.999, 0, 1, "decay of the mean square", false, true), real("epsilon", 1e-8, 0, unbounded, "added to the root", true),
        decay(1e-2)},
       "adam, whose decay of weights is no part of the gradient; what encoders are fine-tuned with"},
  };
  return list;
}

const std::vector<Signature> &schedules() {
  static const std::vector<Signature> list = {{"constant", {}, {warmup()}, "the rate of the optimizer throughout"},
                                              {"linear", {}, {warmup()}, "falls to 0 at the last step, on a line"},
                                              {"cosine", {}, {warmup()}, "falls to 0 at the last step, on half a wave of the cosine"}};
  return list;
}

const std::vector<Signature> &devices() {
  static const std::vector<Signature> list = [] {
    ParameterSpec card = size("card", std::int64_t{0}, "which one, of those that the driver shows");
    card.minimum = 0;
    card.hasMaximum = true;
    card.maximum = 1023;
    return std::vector<Signature>{{"cpu", {}, {}, "the processor"}, {"cuda", {}, {card}, "a card of NVIDIA"}};
  }();
  return list;
}

const std::vector<Signature> &confidences() {
  static const std::vector<Signature> list = [] {
    ParameterSpec samples = size("samples", std::int64_t{1000}, "how often records are drawn"),
                  seed = size("seed", std::int64_t{42}, "of the draws");
    seed.minimum = 0;
    seed.maximum = 9.2e18;
    return std::vector<Signature>{{"bootstrap",
                                   {},
                                   {real("level", 0.95, 0, 1, "share of the samples that lie in the interval", true, true), samples, seed},
                                   "records drawn with repetition"}};
  }();
  return list;
}

namespace {

ParameterSpec absent(ParameterSpec spec) {
  spec.absent = true;
  spec.required = false;
  return spec;
}
ParameterSpec files(const char *name, const char *help) {
  ParameterSpec spec = absent(path(name, help));
  spec.several = true;
  return spec;
}
ParameterSpec sourcePath() { return files("path", "the file, or several; `{split}` stands for the split"); }
ParameterSpec fewest(ParameterSpec spec) {
  spec.minimum = 0;
  spec.defaultValue = std::int64_t{0};
  return spec;
}

/// What a source reads, whatever it is.
void addFiles(Signature &source) {
  source.parameters.push_back(files("train", "the files of train, in place of `path`"));
  source.parameters.push_back(files("dev", "those of dev"));
  source.parameters.push_back(files("test", "those of test"));
}

} // namespace

std::vector<Signature> sources(const std::vector<PluginManifest> &plugins) {
  const ParameterSpec encoding = absent(
                          choice("encoding", {"utf8", "utf16", "latin1", "cp1252"}, "utf8", "how the text is written; by default utf8")),
                      skipBad = absent(fewest(size("skip_bad", "the most rows with mistakes that are left out and counted; by default 0")));
  std::vector<Signature> list = {
      {"csv",
       {},
       {sourcePath(), text("delimiter", ",", "the sign between cells"),
        choice("quote", {"double", "none"}, "double", "quotes around a cell, doubled within it; none: a quote is a character as any other"),
        absent(
            text("decimal", ".", "`,`: cells of numbers have a decimal comma, and dots between groups of three digits; by default a dot")),
        encoding, absent(fewest(size("skip", "lines before the header that are left out; by default 0"))),
        absent(
            flag("header", true, "false: the first row is a record, and columns are known by their numbers, `from: 1`; by default true")),
        skipBad},
       "lines of cells with a sign between them, and a line of names first"},
      {"jsonl", {}, {sourcePath(), encoding, skipBad}, "a JSON object a line"},
      {"conll",
       {},
       {sourcePath(), strings("columns", "the names of the columns of a line, in their order"),
        text("comment", "", "lines before a record that begin so are skipped; empty: none is"), encoding, skipBad},
       "a word a line, with its tags in columns; an empty line ends a sentence"},
  };
  for (Signature &source : list) {
    addFiles(source);
  }
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
      made.help = type.help;
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
    ParameterSpec by = text("by", "",
                            "the column, declared or of the data, whose cells decide, each by its hash; without it what equal records "
                            "have in common: their texts, or else all but ids"),
                  order = text("order", "", "the column in whose order the splits follow each other"),
                  stratify = text("stratify", "", "a column of classes, each of which is split by these shares"),
                  train = real("train", 0, 0, 1, "share of train; without it the rest"), dev = real("dev", 0.1, 0, 1, "share of dev"),
                  folds = size("folds", std::int64_t{5}, "parts of what is not test, each of which is dev once"),
                  fold = size("fold", std::int64_t{0}, "the part that is dev in this run, from 0"),
                  refit = flag("refit", false, "whether one more run, of all folds, is what answers");
    folds.hasMinimum = folds.hasMaximum = fold.hasMinimum = true;
    folds.minimum = 2;
    folds.maximum = 1000;
    fold.minimum = 0;
    by.column = order.column = stratify.column = true;
    for (ParameterSpec *one : {&by, &order, &stratify, &train, &dev, &folds, &fold, &refit}) {
      one->absent = true;
    }
    return Signature{"split",
                     {},
                     {by, order, stratify, train, dev, real("test", 0.1, 0, 1, "share of test"), folds, fold, refit},
                     "makes train, dev and test of one file"};
  }();
  return signature;
}

Signature signatureOf(const CellOperator &row) {
  Signature signature = {row.name, {}, {}};
  for (const PluginParameter &parameter : row.parameters) {
    signature.parameters.push_back(parameterOf(parameter));
  }
  return signature;
}

Signature signatureOf(const FeatureOperator &row) {
  Signature signature = {row.name, {{"x", Accepts::any}}, {}, row.help};
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
        {.name = "optimizer",
         .ofObjective = true,
         .help = "how a step follows from the gradient",
         .standard = "adam",
         .example = "adam(lr: 3e-3)",
         .calls = optimizers},
        {.name = "schedule",
         .ofObjective = true,
         .help = "how the learning rate changes over the steps",
         .standard = "constant",
         .example = "linear(warmup: 10%)",
         .calls = schedules},
        {.name = "epochs", .help = "how often training reads the records of train; or `steps`", .standard = "1", .example = "10"},
        {.name = "steps", .help = "how many steps are made, in place of `epochs`", .example = "2000"},
        count("batch", train.batch, 1, many, "records a part of a step"),
        count("seed", static_cast<std::int64_t>(train.seed), 0, 9.2e18, "of weights, order and dropout"),
        {"clip_norm", real("clip_norm", objective.clipNorm, 0, unbounded, "the gradient's longest norm; 0: any"), true},
        count("log_every", train.logEvery, 1, most, "steps a line of the log"),
        {.name = "validate",
         .help = "when dev is measured: `every(1 epoch)`, `every(100 steps)` or `never`",
         .standard = "every(1 epoch)",
         .example = "every(100 steps)"},
        {.name = "keep",
         .help = "which weights the run keeps: `last`, or those of the best evaluation on dev; `patience` ends the training "
                 "after so many evaluations without a better one",
         .standard = "last",
         .example = "best(dev.accuracy, patience: 3)"},
        {.name = "minimize",
         .ofObjective = true,
         .help = "an expression of losses, and of `l2` of weights",
         .standard = "the loss of the one answer",
         .example = "answer.loss + 1e-4 * l2(answer)"},
        {.name = "freeze", .help = "weights that are not trained, by the paths that `explain` prints", .standard = "[]", .example = "[x]"},
        {.name = "rates",
         .help = "factors of the learning rate: `times(WEIGHTS, FACTOR)`, and `decay(LAYERS, FACTOR)`, which grows smaller "
                 "from layer to layer",
         .standard = "[]",
         .example = "[times(answer, 10)]"},
        count("accumulate", train.accumulate, 1, many, "parts a step"),
        {"shuffle", flag("shuffle", train.shuffle, "whether every epoch has an order of its own; `false`: that of the files")},
        {.name = "from",
         .takesText = true,
         .help = "the earlier run whose weights, vocabularies and classes training begins with",
         .standard = "none",
         .example = "run(\"runs/last_year\")"},
        {.name = "grow",
         .plain = flag("grow", train.grow,
                       "with `from`: whether classes that the earlier run lacks stand behind its own; `false`: they are refused"),
         .quiet = true},
        {.name = "weights",
         .help = "a column that says what each record counts in losses and metrics: 2 as if it stood there twice",
         .standard = "1 each",
         .example = "price"}};
  }();
  return list;
}

const std::vector<BlockSpec> &blocksWithSettings() {
  static const std::vector<BlockSpec> blocks = [] {
    // The settings that take one of some words.
    const auto word = [](const char *name, std::vector<std::string> members, const char *standard, const char *help) {
      return SettingSpec{name, choice(name, std::move(members), standard, help)};
    };
    std::vector<SettingSpec> objective = {{.name = "moves", .help = "the weights that this objective changes", .example = "answer"}};
    std::copy_if(trainSettings().begin(), trainSettings().end(), std::back_inserter(objective),
                 [](const SettingSpec &setting) { return setting.ofObjective; });
    const auto metrics = [](const char *split, const char *example) {
      return SettingSpec{.name = split, .help = std::string("the metrics of ") + split, .standard = "none", .example = example};
    };
    std::vector<std::string> levels = {"auto"};
    levels.insert(levels.end(), levelNames.begin(), levelNames.end());
    ParameterSpec threads = size("threads", std::int64_t{0}, "threads that compute; 0: one a core");
    threads.minimum = 0;
    threads.hasMaximum = true;
    threads.maximum = 4096;
    return std::vector<BlockSpec>{
        {"data",
         "which records there are, with a `column` for each thing that is read",
         {{.name = "source",
           .help = "the files: a call of a source, which may flow into `split` and `drop`; `penstock ops` lists sources",
           .example = "csv(\"data/{split}.csv\")"}}},
        {"train", "how the model is trained; a file without it trains nothing", trainSettings()},
        {"objective", "within `train`: one of several things to minimize, with a name", objective},
        {"evaluate",
         "what is measured of each split, and what is expected: `expect test.f1_macro >= 0.8`",
         {metrics("train", "[accuracy]"),
          metrics("dev", "[accuracy, f1(average: macro)]"),
          metrics("test", "[f1, classification_report]"),
          {.name = "confidence",
           .help = "gives every value an interval",
           .standard = "none",
           .example = "bootstrap(level: 95%)",
           .calls = confidences},
          {.name = "last",
           .help = "splits that are measured on the last record of each unit alone, of pipelines with `series`",
           .standard = "[]",
           .example = "[test]"}}},
        {"target",
         "what computes; it changes speed, never meaning",
         {{.name = "device", .help = "the processor or a card", .standard = "cpu", .example = "cuda", .calls = devices},
          word("level", levels, "auto", "instructions of the processor; auto: the best of the machine"),
          word("precision", {"fp32", "bf16"}, "fp32", "bf16 rounds the operands of matrix products"),
          word("kernels", {"auto", "penstock", "onednn", "tuned"}, "auto", "whose code multiplies matrices"),
          {"threads", threads}}},
        {"deploy",
         "what the command of an artifact does unasked, and what `penstock build` holds against it: `expect size <= 60 MB`",
         {{.name = "input",
           .help = "the form of records whose file has no name that tells: `auto`, `lines`, `csv`, `tsv`, `jsonl`, `conll` or the "
                   "name of a plugin's source",
           .standard = "auto",
           .example = "jsonl"},
          word("output", {"jsonl", "csv"}, "jsonl", "the form of answers that go to no file whose name tells")}}};
  }();
  return blocks;
}

const ParameterSpec *plainSetting(std::string_view block, std::string_view name) {
  for (const BlockSpec &one : blocksWithSettings()) {
    for (const SettingSpec &setting : one.settings) {
      if (one.name == block && setting.name == name) {
        return setting.plain ? &*setting.plain : nullptr;
      }
    }
  }
  return nullptr;
}

const std::vector<std::string> &settingsOf(const std::string &block) {
  static const std::map<std::string, std::vector<std::string>> names = [] {
    std::map<std::string, std::vector<std::string>> all;
    for (const BlockSpec &one : blocksWithSettings()) {
      for (const SettingSpec &setting : one.settings) {
        all[one.name].push_back(setting.name);
      }
    }
    return all;
  }();
  static const std::vector<std::string> none;
  const auto found = names.find(block);
  return found == names.end() ? none : found->second;
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
  signature.help = manifest.summary;
  const PluginKindRow &kind = rowOf(manifest.kind);
  if (kind.place == PluginPlace::source) {
    signature.parameters.push_back(sourcePath());
  }
  for (const PluginParameter &parameter : manifest.parameters) {
    signature.parameters.push_back(parameterOf(parameter));
  }
  if (kind.place == PluginPlace::source) {
    addFiles(signature);
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
    return spec.several ? "a path, a list of paths, or `glob(\"*.csv\")`" : "a path";
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

} // namespace penstock::frontend
