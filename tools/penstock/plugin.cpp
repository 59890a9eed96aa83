// `penstock plugin list|info|run|test|new`: what plugins there are, what they take, and one of them tried alone or begun.
#include "tools/command_line/named_input.h"
#include "tools/penstock/commands.h"
#include "tools/penstock/plugin_new.h"
#include "tools/penstock/plugin_rows.h"

#include "plugins/sdk/conformance/conformance.h"
#include "runtime/base/file.h"
#include "runtime/base/parameter_text.h"
#include "runtime/base/printable.h"
#include "runtime/data/input_format.h"
#include "runtime/data/rows.h"
#include "runtime/exec/interrupt.h"
#include "runtime/plugin/plugin_host.h"
#include "runtime/plugin/plugin_wrapped.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <set>

namespace penstock {
namespace {

using Json = nlohmann::ordered_json;
using Type = PluginParameter::Type;

constexpr std::size_t batchLines = 512;

struct PluginOptions {
  bool json = false;
  std::string name, kind, input = "-", out;
  std::vector<std::string> sets, files;
};

std::string dump(const Json &value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json valueJson(const PluginValue &value) {
  return std::visit([](const auto &held) { return Json(held); }, value);
}

Json manifestJson(const PluginManifest &manifest) {
  Json described = {{"name", manifest.name},       {"kind", kindName(manifest.kind)},
                    {"version", manifest.version}, {"abi", fmt::format("{}.{}", manifest.abiMajor, manifest.abiMinor)},
                    {"summary", manifest.summary}, {"library", manifest.library}};
  const PluginKindRow &kind = rowOf(manifest.kind);
  if (kind.fits) {
    described["fits"] = manifest.fits;
  }
  if (kind.input) {
    described["input"] = manifest.input;
  }
  if (!manifest.targets.empty()) {
    if (manifest.targets.size() == 1) {
      described["target"] = manifest.targets[0];
    } else {
      described["target"] = manifest.targets;
    }
  }
  if (!manifest.meanings.empty()) {
    described["meanings"] = manifest.meanings;
  }
  if (manifest.keepsRecords) {
    described["keeps_records"] = true;
  }
  described["parameters"] = Json::array();
  for (const PluginParameter &parameter : manifest.parameters) {
    Json entry = {{"name", parameter.name}, {"type", typeText(parameter, " | ")}};
    if (parameter.type == Type::enumeration) {
      entry["type"] = "enum";
      entry["members"] = parameter.members;
    }
    entry["required"] = parameter.required;
    if (parameter.optional) {
      entry["optional"] = true;
    } else if (!parameter.required) {
      entry["default"] = valueJson(parameter.defaultValue);
    }
    if (parameter.hasMinimum) {
      entry["minimum"] = parameter.minimum;
    }
    if (parameter.hasMaximum) {
      entry["maximum"] = parameter.maximum;
    }
    entry["help"] = parameter.help;
    described["parameters"].push_back(std::move(entry));
  }
  if (kind.results) {
    described["results"] = Json::array();
    for (const MetricResult &result : manifest.results) {
      described["results"].push_back({{"name", result.name}, {"higher_is_better", result.higherIsBetter}});
    }
  }
  return described;
}

void printManifest(const PluginManifest &manifest) {
  std::string text = fmt::format("{} {} {}\n  {}\n", kindName(manifest.kind), manifest.name, manifest.version, manifest.summary);
  const auto add = [&](const std::string &line) { text += line; };
  if (manifest.fits) {
    add("  fitted on train\n");
  }
  if (const std::string purpose = manifest.purpose(); !purpose.empty()) {
    add("  " + purpose + "\n");
  }
  if (manifest.keepsRecords) {
    add("  keeps records of train: a run with it holds texts of its data\n");
  }
  for (const MetricResult &result : manifest.results) {
    add(fmt::format("  gives `{}` ({} is better)\n", result.name, result.higherIsBetter ? "higher" : "lower"));
  }
  add(fmt::format("  library: {}\n", manifest.library));
  if (!manifest.parameters.empty()) {
    add("\nparameters:\n");
  }
  for (const PluginParameter &parameter : manifest.parameters) {
    const std::string given = parameter.required   ? std::string("required")
                              : parameter.optional ? std::string("optional")
                                                   : "default " + dump(valueJson(parameter.defaultValue));
    const std::string range = rangeText(parameter);
    add(fmt::format("  {}: {}{}, {}\n      {}\n", parameter.name, typeText(parameter, " | "), range.empty() ? "" : " (" + range + ")",
                    given, parameter.help));
  }
  fmt::print("{}", printableLines(text));
}

Result<const PluginManifest *> findByName(const PluginHost &host, const std::string &name, const std::string &kind) {
  std::vector<const PluginManifest *> found;
  for (const PluginManifest &manifest : host.manifests()) {
    if (manifest.name == name && (kind.empty() || kind == kindName(manifest.kind))) {
      found.push_back(&manifest);
    }
  }
  if (found.size() == 1) {
    return found.front();
  }
  if (found.size() > 1) {
    return usageError(fmt::format("there are several plugins `{}`; add --kind", name));
  }
  std::vector<std::string> names;
  for (const PluginManifest &manifest : host.manifests()) {
    names.push_back(manifest.name);
  }
  return usageError(
      fmt::format("there is no plugin `{}`; `penstock plugin list` shows all{}", name, names.empty() ? " (none was found)" : ""));
}

Status listPlugins(PluginHost &host, const PluginOptions &options) {
  Json all = Json::array();
  Status worst;
  for (const PluginManifest &manifest : host.manifests()) {
    const Result<const PenstockPlugin *> loaded = host.load(manifest.name, manifest.kind);
    if (options.json) {
      Json entry = manifestJson(manifest);
      entry["usable"] = loaded.ok();
      if (!loaded.ok()) {
        entry["reason"] = loaded.status().message();
      }
      all.push_back(std::move(entry));
    } else {
      fmt::print("{:<10} {:<22} {:<8} {}\n", kindName(manifest.kind), manifest.name, printable(manifest.version),
                 loaded.ok() ? printable(manifest.summary) : "(cannot be used)");
      if (!loaded.ok()) {
        std::fprintf(stderr, "penstock: %s\n", printableLines(loaded.status().message()).c_str());
      }
    }
  }
  for (const Status &problem : host.problems()) {
    std::fprintf(stderr, "penstock: %s\n", printableLines(problem.message()).c_str());
  }
  if (options.json) {
    fmt::print("{}\n", dump(all));
  }
  return worst;
}

/// A value of `--set` in the form that its parameter wants; what does not fit stays a string and is refused later.
Json valueOf(const PluginParameter *parameter, const std::string &text) {
  if (parameter == nullptr) {
    return text;
  }
  const auto number = [](std::string digits) {
    digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
    double scale = 1;
    if (digits.size() > 1 && digits.back() == '%') {
      digits.pop_back();
      scale = 0.01;
    }
    Json parsed = Json::parse(digits, nullptr, false);
    return parsed.is_number() && scale != 1 ? Json(parsed.get<double>() * scale) : parsed;
  };
  switch (parameter->type) {
  case Type::boolean:
    return text == "true" ? Json(true) : text == "false" ? Json(false) : Json(text);
  case Type::integer:
  case Type::number: {
    const Json parsed = number(text);
    return parsed.is_number() ? parsed : Json(text);
  }
  case Type::string:
  case Type::path:
  case Type::enumeration:
    return text;
  case Type::strings:
  case Type::numbers: {
    const Json parsed = Json::parse(text, nullptr, false);
    if (parsed.is_array()) {
      return parsed;
    }
    Json list = Json::array();
    for (std::size_t at = 0; !text.empty() && at <= text.size();) {
      const std::size_t comma = std::min(text.find(',', at), text.size());
      const std::string item = text.substr(at, comma - at);
      const Json parsedItem = parameter->type == Type::numbers ? number(item) : Json(item);
      list.push_back(parsedItem.is_discarded() ? Json(item) : parsedItem);
      at = comma + 1;
    }
    return list;
  }
  }
  return text;
}

Result<std::string> parametersJson(const PluginManifest &manifest, const std::vector<std::string> &sets) {
  Json given = Json::object();
  for (const std::string &set : sets) {
    const std::size_t equals = set.find('=');
    if (equals == std::string::npos || equals == 0) {
      return usageError(fmt::format("`--set {}` is not of the form parameter=value", set));
    }
    const std::string name = set.substr(0, equals);
    given[name] = valueOf(manifest.find(name), set.substr(equals + 1));
  }
  return dump(given);
}

/// The lines of the input, one JSON object each; empty lines are skipped.
class JsonLines {
public:
  static Result<std::unique_ptr<JsonLines>> open(const std::string &path) {
    auto lines = std::make_unique<JsonLines>();
    const bool standard = isStandardInput(path);
    lines->name = standard ? "standard input" : printable(path);
    PENSTOCK_ASSIGN(auto bytes, openNamedInput(standard ? "" : path, lines->name, "penstock", lines->failed));
    lines->rows = makePlainLines(std::move(bytes));
    PENSTOCK_TRY(lines->rows->begin());
    lines->rows->select({"line"});
    return lines;
  }

  /// False at the end.
  Result<bool> next(Json &value) {
    for (;;) {
      RowError error;
      PENSTOCK_ASSIGN(const RowStep step, rows->next(row, error));
      if (step == RowStep::end) {
        return false;
      }
      if (step == RowStep::error) {
        return invalidInput(error.inFile(name));
      }
      const std::string_view text = row.cells[0].text;
      if (text.find_first_not_of(" \t") == std::string_view::npos) {
        continue;
      }
      value = Json::parse(text, nullptr, false);
      if (!value.is_object()) {
        return mistake("one JSON object a line is needed");
      }
      return true;
    }
  }

  /// Writes out what was answered; the errno of the first failure.
  int flush() {
    flushAnswers(failed);
    return failed;
  }

  Status mistake(const std::string &reason) const { return invalidInput(fmt::format("{}:{}: {}", name, row.line, reason)); }

private:
  std::string name;
  std::unique_ptr<RowSource> rows;
  Row row;
  int failed = 0;
};

Status writeLine(const std::string &line) {
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() || std::fputc('\n', stdout) == EOF) {
    return environmentError(fmt::format("standard output: {}", std::strerror(errno)));
  }
  return {};
}

Status encodeBatch(const Tokenizer &tokenizer, const std::vector<std::string> &texts) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  Tokenizer::Tokens tokens;
  PENSTOCK_TRY(tokenizer.encode(views, -1, true, tokens));
  for (std::size_t t = 0; t < texts.size(); ++t) {
    Json ids = Json::array(), names = Json::array(), offsets = Json::array();
    for (auto i = static_cast<std::size_t>(tokens.offsets[t]); i < static_cast<std::size_t>(tokens.offsets[t + 1]); ++i) {
      PENSTOCK_ASSIGN(std::string token, tokenizer.token(tokens.ids[i]));
      ids.push_back(tokens.ids[i]);
      names.push_back(std::move(token));
      offsets.push_back({tokens.starts[i], tokens.ends[i]});
    }
    PENSTOCK_TRY(writeLine(dump({{"ids", ids}, {"tokens", names}, {"offsets", offsets}})));
  }
  return {};
}

/// Appends the next text; false at the end.
Result<bool> nextText(JsonLines &lines, std::vector<std::string> &texts) {
  Json line;
  PENSTOCK_ASSIGN(const bool more, lines.next(line));
  if (!more) {
    return false;
  }
  const auto text = line.find("text");
  if (text == line.end() || !text->is_string()) {
    return lines.mistake("an object with a string `text` is needed");
  }
  texts.push_back(text->get<std::string>());
  return true;
}

Status runTokenizer(PluginHost &host, const PluginManifest &manifest, const std::string &parameters, JsonLines &lines) {
  std::vector<std::string> texts;
  std::string state;
  bool more = true;
  if (manifest.fits) {
    PENSTOCK_ASSIGN(std::unique_ptr<TokenizerFit> fit, fitTokenizer(host, manifest.name, parameters));
    for (const PluginNote &note : fit->notes()) {
      fmt::print(stderr, "penstock: warning: {}{}\n", note.parameter.empty() ? "" : "`" + note.parameter + "`: ", note.text);
    }
    while (more) {
      PENSTOCK_ASSIGN(more, nextText(lines, texts));
    }
    PENSTOCK_TRY(fit->add(std::vector<std::string_view>(texts.begin(), texts.end())));
    PENSTOCK_ASSIGN(state, fit->end());
  }
  PENSTOCK_ASSIGN(const std::shared_ptr<const Tokenizer> tokenizer, makeTokenizer(host, manifest.name, parameters, state));
  if (manifest.fits) {
    return encodeBatch(*tokenizer, texts);
  }
  while (more) {
    texts.clear();
    while (more && texts.size() < batchLines) {
      PENSTOCK_ASSIGN(more, nextText(lines, texts));
    }
    PENSTOCK_TRY(encodeBatch(*tokenizer, texts));
  }
  return {};
}

/// A class may be written as a string or a number; it is known by its text.
std::string className(const Json &value) { return value.is_string() ? value.get<std::string>() : dump(value); }

Result<const Json *> listOf(const JsonLines &lines, const Json &line, const char *key) {
  const auto found = line.find(key);
  if (found == line.end() || !found->is_array()) {
    return lines.mistake(fmt::format("an object with a list `{}` is needed", key));
  }
  return &*found;
}

Result<std::vector<double>> numbersOf(const JsonLines &lines, const Json &list, const char *key) {
  std::vector<double> numbers;
  for (const Json &item : list) {
    if (!item.is_number()) {
      return lines.mistake(fmt::format("`{}` must be a list of numbers", key));
    }
    numbers.push_back(item.get<double>());
  }
  return numbers;
}

/// What one line of a metric's input holds, as columns.
struct Judged {
  JudgingSpec spec;
  std::vector<Column> answers; // what means the target, and probabilities where there are scores
  Column gold;
  std::vector<double> weights;
  std::int64_t records = 0;
};

/// Numbers for each record, side by side.
struct Scores {
  std::vector<double> values;
  std::size_t width = 0;
  bool positive = false; // one was given for the second of two classes
};

/// `"score"` of classes or sets: a list of as many numbers for each record, or one number for each. One for two classes is the probability
/// of the second.
Result<Scores> readScores(const JsonLines &lines, const Json &line, std::size_t classes) {
  PENSTOCK_ASSIGN(const Json *rows, listOf(lines, line, "score"));
  Scores scores;
  scores.width = classes;
  std::size_t width = 1;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const Json &row = (*rows)[i];
    PENSTOCK_ASSIGN(std::vector<double> numbers, numbersOf(lines, row.is_array() ? row : Json::array({row}), "score"));
    width = i == 0 ? numbers.size() : width;
    if (numbers.size() != width || width == 0) {
      return lines.mistake(
          fmt::format("`score` must have as many numbers for each record; record {} has {}, the first has {}", i, numbers.size(), width));
    }
    scores.positive = width == 1 && classes == 2;
    if (scores.positive) {
      numbers.insert(numbers.begin(), 1 - numbers[0]);
    }
    scores.values.insert(scores.values.end(), numbers.begin(), numbers.end());
  }
  if (!rows->empty() && width != classes && !scores.positive) {
    return lines.mistake(fmt::format(
        "`score` has {} numbers a record for {} labels; give one a label, or the probability of the second of two", width, classes));
  }
  return scores;
}

/// The classes are the line's `labels`, as a model would know them, and behind them what else is named; all that are named where there
/// are no `labels`.
Status readClasses(const JsonLines &lines, const Json &line, const std::vector<const Json *> &lists, std::vector<std::string> &names,
                   std::vector<std::string> &others, std::map<std::string, std::int32_t> &numberOf) {
  const auto put = [&](const std::string &name, std::vector<std::string> &into) {
    const bool isNew = numberOf.emplace(name, static_cast<std::int32_t>(numberOf.size())).second;
    if (isNew) {
      into.push_back(name);
    }
    return isNew;
  };
  const bool labelled = line.contains("labels");
  if (labelled) {
    PENSTOCK_ASSIGN(const Json *labels, listOf(lines, line, "labels"));
    for (const Json &label : *labels) {
      if (!put(className(label), names)) {
        return lines.mistake(fmt::format("`labels` has `{}` twice", className(label)));
      }
    }
  }
  std::set<std::string> seen;
  for (const Json *list : lists) {
    for (const Json &item : *list) {
      for (const Json &one : item.is_array() ? item : Json::array({item})) {
        if (!one.is_null()) { // no answer
          seen.insert(className(one));
        }
      }
    }
  }
  for (const std::string &name : seen) {
    put(name, labelled ? others : names);
  }
  return {};
}

/// `[["O", "B-part"], ["O"]]`: a list of tags for each text.
Status checkSequences(const JsonLines &lines, const Json &gold, const Json &predicted) {
  for (const auto &[key, list] : {std::pair("gold", &gold), std::pair("predicted", &predicted)}) {
    if (std::any_of(list->begin(), list->end(), [](const Json &sequence) { return !sequence.is_array(); })) {
      return lines.mistake(fmt::format("`{}` must be a list with a list of tags for each text", key));
    }
  }
  for (std::size_t i = 0; i < gold.size(); ++i) {
    if (gold[i].size() != predicted[i].size()) {
      return lines.mistake("the lists of `gold` and `predicted` do not have the same lengths");
    }
  }
  return {};
}

/// A row for each item: a class, or a list of classes. `inOrder`: a set's labels go by their numbers, each once, and null is no label.
void putClasses(const Json &list, bool inOrder, const std::map<std::string, std::int32_t> &numberOf, Column &column) {
  std::vector<std::int32_t> &values = column.of<std::int32_t>();
  const auto numberFor = [&](const Json &item) { return item.is_null() ? -1 : numberOf.at(className(item)); };
  for (const Json &item : list) {
    if (column.offsets.empty()) {
      values.push_back(numberFor(item));
      ++column.rows;
      continue;
    }
    std::vector<std::int32_t> row;
    for (const Json &one : item.is_array() ? item : Json::array({item})) {
      row.push_back(numberFor(one));
    }
    if (inOrder) {
      std::sort(row.begin(), row.end());
      row.erase(std::unique(row.begin(), row.end()), row.end());
      std::erase(row, -1);
    }
    values.insert(values.end(), row.begin(), row.end());
    column.endRow();
  }
}

/// The class of each record that scores best, or the labels from 0.5 on.
void putBest(const Scores &scores, Column &column) {
  std::vector<std::int32_t> &values = column.of<std::int32_t>();
  for (std::size_t at = 0; at < scores.values.size(); at += scores.width) {
    const double *const row = scores.values.data() + at;
    if (!column.offsets.empty()) {
      for (std::size_t c = 0; c < scores.width; ++c) {
        if (row[c] >= 0.5) {
          values.push_back(static_cast<std::int32_t>(c));
        }
      }
      column.endRow();
      continue;
    }
    values.push_back(scores.positive ? (row[1] >= 0.5 ? 1 : 0)
                                     : static_cast<std::int32_t>(std::max_element(row, row + scores.width) - row));
    ++column.rows;
  }
}

/// Lists of lists are sequences of tags for a metric of tags, for one that takes no sets, and where `level` is set.
Result<std::unique_ptr<Judged>> readJudged(const JsonLines &lines, const Json &line, const PluginManifest &manifest,
                                           const std::string &parameters) {
  auto judged = std::make_unique<Judged>();
  PENSTOCK_ASSIGN(const Json *const gold, listOf(lines, line, "gold"));
  judged->records = static_cast<std::int64_t>(gold->size());
  const bool nested = !gold->empty() && gold->front().is_array();
  const Json set = Json::parse(parameters, nullptr, false);
  const bool tags = manifest.takes("tags") || (nested && (!manifest.takes("set") || (set.is_object() && set.contains("level"))));
  const std::string meaning = manifest.takes("number") ? "number" : tags ? "tags" : manifest.takes("set") && nested ? "set" : "class";
  const bool numbers = meaning == "number", scored = line.contains("score"), predicts = line.contains("predicted") || !scored;
  const Json *predicted = nullptr;
  for (const char *key : {"predicted", "score", "weights"}) {
    if (!(key[0] == 'p' ? predicts : line.contains(key))) {
      continue;
    }
    PENSTOCK_ASSIGN(const Json *list, listOf(lines, line, key));
    if (list->size() != gold->size()) {
      return lines.mistake(fmt::format("`gold` has {} entries, `{}` has {}", gold->size(), key, list->size()));
    }
    predicted = key[0] == 'p' || (key[0] == 's' && numbers && predicted == nullptr) ? list : predicted;
    if (key[0] == 'w') {
      PENSTOCK_ASSIGN(judged->weights, numbersOf(lines, *list, key));
    }
  }
  if (numbers) {
    judged->spec.gold = targetField("gold", meaning, {});
    judged->spec.answers = {targetField("predicted", meaning, {})};
    judged->gold = Column(judged->spec.gold);
    judged->answers = columnsOf(judged->spec.answers);
    PENSTOCK_ASSIGN(judged->gold.of<double>(), numbersOf(lines, *gold, "gold"));
    PENSTOCK_ASSIGN(judged->answers[0].of<double>(), numbersOf(lines, *predicted, predicts ? "predicted" : "score"));
    judged->gold.rows = judged->answers[0].rows = judged->records;
    return judged;
  }
  if (tags) {
    if (predicted == nullptr) {
      return lines.mistake("an object with a list `predicted` is needed");
    }
    PENSTOCK_TRY(checkSequences(lines, *gold, *predicted));
  }
  std::map<std::string, std::int32_t> numberOf;
  std::vector<const Json *> lists = {gold};
  if (predicted != nullptr) {
    lists.push_back(predicted);
  }
  std::vector<std::string> names, others;
  PENSTOCK_TRY(readClasses(lines, line, lists, names, others, numberOf));
  Scores scores;
  if (scored) {
    PENSTOCK_ASSIGN(scores, readScores(lines, line, names.size()));
  }
  judged->spec.gold = targetField("gold", meaning, names, others);
  judged->spec.answers = {targetField("predicted", meaning, names, others)};
  if (scored) {
    judged->spec.answers.push_back(probabilitiesField(names, PENSTOCK_F64));
  }
  judged->gold = Column(judged->spec.gold);
  judged->answers = columnsOf(judged->spec.answers);
  putClasses(*gold, meaning == "set", numberOf, judged->gold);
  if (predicted != nullptr) {
    putClasses(*predicted, meaning == "set", numberOf, judged->answers[0]);
  } else {
    putBest(scores, judged->answers[0]);
  }
  if (scored) {
    judged->answers[1].of<double>() = std::move(scores.values);
    judged->answers[1].rows = judged->records;
  }
  return judged;
}

Status runMetric(PluginHost &host, const PluginManifest &manifest, const std::string &parameters, JsonLines &lines) {
  while (true) {
    Json line;
    PENSTOCK_ASSIGN(const bool more, lines.next(line));
    if (!more) {
      return {};
    }
    PENSTOCK_ASSIGN(const std::unique_ptr<Judged> judged, readJudged(lines, line, manifest, parameters));
    const auto atLine = [&](const Status &status) { return Status(status.code(), lines.mistake(status.message()).message()); };
    Result<std::unique_ptr<Metric>> made = makeMetric(host, manifest.name, parameters, judged->spec);
    if (!made.ok()) {
      return atLine(made.status());
    }
    const std::unique_ptr<Metric> metric = std::move(made).value();
    const double *const weights = judged->weights.empty() ? nullptr : judged->weights.data();
    if (const Status added = metric->add({judged->records, &judged->answers, &judged->gold, nullptr, weights}); !added.ok()) {
      return atLine(added);
    }
    const Result<Metric::Values> result = metric->result();
    if (!result.ok()) {
      return atLine(result.status());
    }
    Json values = Json::object();
    for (const auto &[name, value] : result->values) {
      values[name] = std::isfinite(value) ? Json(value) : Json(nullptr);
    }
    PENSTOCK_TRY(writeLine(dump({{"values", values}, {"text", result->text}})));
  }
}

Status runPlugin(PluginHost &host, const PluginOptions &options) {
  PENSTOCK_ASSIGN(const PluginManifest *manifest, findByName(host, options.name, options.kind));
  PENSTOCK_ASSIGN(const std::string parameters, parametersJson(*manifest, options.sets));
  const PluginKindRow &kind = rowOf(manifest->kind);
  if (kind.alone[0] != '\0') {
    printManifest(*manifest);
    return usageError(fmt::format("the {} `{}` cannot be run alone: {}; use it in a .pipe file as `|> {}(...)`", kind.name, manifest->name,
                                  kind.alone, manifest->name));
  }
  if (const auto checked = host.arguments(*manifest, parameters); !checked.ok()) {
    return usageError(checked.status().message());
  }
  catchInterrupts();
  if (kind.place == PluginPlace::source) {
    return printRows(host, manifest->name, parameters, isStandardInput(options.input) ? "" : options.input);
  }
  PENSTOCK_ASSIGN(const std::unique_ptr<JsonLines> lines, JsonLines::open(options.input));
  const Status done =
      kind.place == PluginPlace::text ? runTokenizer(host, *manifest, parameters, *lines) : runMetric(host, *manifest, parameters, *lines);
  // A reader of the answers that went away ended the reading, too.
  if (const int failed = lines->flush(); failed != 0 && (done.ok() || done.code() == ErrorCode::interrupted)) {
    return environmentError(fmt::format("standard output: {}", std::strerror(failed)));
  }
  return done;
}

/// Runs the conformance kit of the SDK on one plugin.
Status testPlugin(PluginHost &host, const PluginOptions &options) {
  PENSTOCK_ASSIGN(const PluginManifest *manifest, findByName(host, options.name, options.kind));
  PENSTOCK_ASSIGN(const std::string parameters, parametersJson(*manifest, options.sets));
  const auto arguments = host.arguments(*manifest, parameters);
  if (!arguments.ok()) {
    return usageError(arguments.status().message());
  }
  PENSTOCK_ASSIGN(const PenstockPlugin *plugin, host.load(manifest->name, manifest->kind));
  const WrappedPlugin wrapped(*plugin, *labelOf(*manifest));
  conformance::Case test;
  test.plugin = wrapped.plugin();
  test.parameters = (*arguments)->view();
  test.fits = manifest->fits;
  test.keepsRecords = manifest->keepsRecords;
  test.vectorInput = manifest->input == "vector";
  test.targets = manifest->targets;
  test.meanings = manifest->meanings;
  test.features = manifest->features;
  for (const MetricResult &result : manifest->resultsFor((*arguments)->values())) {
    test.results.push_back(result.name);
  }
  for (const std::string &file : options.files) {
    if (rowOf(manifest->kind).place != PluginPlace::source) {
      return usageError(fmt::format("`--file` is for sources, and `{}` is a {}", manifest->name, kindName(manifest->kind)));
    }
    PENSTOCK_ASSIGN(test.files.emplace_back(), readWholeFile(file));
  }
  std::vector<std::string> failures = conformance::check(test);
  for (std::string &fault : wrapped.faults()) {
    failures.push_back(std::move(fault));
  }
  if (options.json) {
    fmt::print("{}\n", dump({{"name", manifest->name}, {"failures", failures}}));
  } else {
    for (const std::string &failure : failures) {
      fmt::print("{}\n", printableLines(failure));
    }
  }
  if (!failures.empty()) {
    return invalidInput(
        fmt::format("plugin `{}` breaks its contract in {} way{}", manifest->name, failures.size(), failures.size() == 1 ? "" : "s"));
  }
  if (!options.json) {
    fmt::print("plugin `{}` keeps its contract\n", manifest->name);
  }
  return {};
}

} // namespace

void addPluginCommand(CLI::App &app, CommandContext &context) {
  CLI::App *plugin = app.add_subcommand("plugin", "list, describe and try plugins");
  plugin->require_subcommand(1);
  setExamples(*plugin, {"penstock plugin list"});
  auto options = std::make_shared<PluginOptions>();
  const auto command = [&context, options](auto &&work) {
    return [&context, options, work] {
      Result<std::shared_ptr<PluginHost>> host = PluginHost::create(context.pluginFolders);
      const Status done = host.ok() ? work(**host, *options) : host.status();
      if (!done.ok()) {
        context.fail(done);
      }
    };
  };

  CLI::App *list = plugin->add_subcommand("list", "all plugins that are found, and whether they load");
  list->add_flag("--json", options->json, "print JSON");
  setExamples(*list, {"penstock plugin list"});
  list->callback(command(listPlugins));

  CLI::App *info = plugin->add_subcommand("info", "one plugin: its parameters, defaults and help");
  info->add_option("name", options->name, "name of the plugin")->required();
  info->add_option("--kind", options->kind, kindNames() + ", where the name is not enough");
  info->add_flag("--json", options->json, "print JSON");
  setExamples(*info, {"penstock plugin info classify"});
  info->callback(command([](PluginHost &host, const PluginOptions &given) -> Status {
    PENSTOCK_ASSIGN(const PluginManifest *manifest, findByName(host, given.name, given.kind));
    if (given.json) {
      fmt::print("{}\n", dump(manifestJson(*manifest)));
    } else {
      printManifest(*manifest);
    }
    return {};
  }));

  CLI::App *run =
      plugin->add_subcommand("run", "run one plugin on JSON Lines: a tokenizer on {\"text\"}, a metric on {\"labels\", "
                                    "\"gold\", \"predicted\" or \"score\"}; a source on a file of its own, whose rows it prints");
  run->add_option("name", options->name, "name of the plugin")->required();
  run->add_option("--kind", options->kind,
                  kindNames([](const PluginKindRow &row) { return row.alone[0] == '\0'; }) + ", where the name is not enough");
  run->add_option("--set", options->sets, "a parameter of the plugin (may be repeated)")
      ->type_name("PARAMETER=VALUE")
      ->allow_extra_args(false);
  run->add_option("--input", options->input, "file of JSON Lines, or that a source reads; `-` is standard input")->type_name("FILE");
  run->add_flag("--json", options->json, "the output is JSON Lines with and without it");
  setExamples(*run, {R"(echo '{"gold": ["a", "b"], "predicted": ["a", "a"]}' | penstock plugin run accuracy)"});
  run->callback(command(runPlugin));

  CLI::App *test = plugin->add_subcommand("test", "try the promises of the plugin ABI on one plugin; for authors of plugins");
  test->add_option("name", options->name, "name of the plugin")->required();
  test->add_option("--kind", options->kind, kindNames() + ", where the name is not enough");
  test->add_option("--set", options->sets, "a parameter of the plugin (may be repeated)")
      ->type_name("PARAMETER=VALUE")
      ->allow_extra_args(false);
  test->add_option("--file", options->files, "of a source: a file that it reads, which is also tried damaged (may be repeated)")
      ->type_name("FILE")
      ->allow_extra_args(false);
  test->add_flag("--json", options->json, "print JSON");
  setExamples(*test, {"penstock plugin test accuracy"});
  test->callback(command(testPlugin));

  CLI::App *fresh = plugin->add_subcommand("new", "a project for a plugin of one's own, which builds as it is");
  fresh->add_option("name", options->name, "name of the plugin: lower-case letters, digits and `_`")->required();
  fresh->add_option("--kind", options->kind, kindNames())->required();
  fresh->add_option("--out", options->out, "folder to write")->required()->type_name("DIR");
  setExamples(*fresh, {"penstock plugin new my_metric --kind metric --out my_metric"});
  fresh->callback([options, &context] {
    const PluginKindRow *const kind = findKind(options->kind);
    const Status done = kind != nullptr ? newPlugin(kind->kind, options->name, options->out)
                                        : usageError(fmt::format("`{}` is no kind of plugin; kinds are {}", options->kind, kindNames()));
    if (!done.ok()) {
      context.fail(done);
    }
  });
}

} // namespace penstock
