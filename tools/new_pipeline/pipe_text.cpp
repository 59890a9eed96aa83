#include "tools/new_pipeline/pipe_text.h"

#include "runtime/base/printable.h"
#include "runtime/base/splits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace penstock {

namespace {

using Type = PlannedColumn::Type;

std::string quoted(const std::string &text) {
  std::string out = "\"";
  for (const char c : text) {
    out += c == '"' || c == '\\' ? std::string("\\") + c : c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string(1, c);
  }
  return out + "\"";
}

std::string joined(const std::vector<std::string> &parts, const std::string &between) {
  std::string text;
  for (const std::string &part : parts) {
    text += (text.empty() ? "" : between) + part;
  }
  return text;
}

std::string quotedList(const std::vector<std::string> &items) {
  std::vector<std::string> all;
  for (const std::string &item : items) {
    all.push_back(quoted(item));
  }
  return "[" + joined(all, ", ") + "]";
}

/// A number as the language writes it.
std::string numeral(double value) { return fmt::format("{}", value); }

/// What a comment says, on one line.
std::string remark(const std::string &text) { return text.empty() ? "" : "  # " + printable(text, 160); }

class Writer {
public:
  Writer(const Plan &plan, const RawForm &form, const RawProfile &profile, const DataPlace &place, const std::string &name)
      : plan(plan), form(form), profile(profile), place(place), name(name), target(plan.target()) {}

  std::string write() {
    head();
    dataBlock();
    featuresBlock();
    modelBlock();
    trainBlock();
    evaluateBlock();
    return text;
  }

private:
  template <typename... Values> void line(fmt::format_string<Values...> format, Values &&...values) {
    text += fmt::format(format, std::forward<Values>(values)...) + "\n";
  }

  void head() {
    line("# Written by `{}`, of {} records. Change what you like: `penstock check` says what is wrong.", printable(place.command),
         profile.rows);
    line("pipe 1\n");
    const char *const asks = plan.kind == TaskKind::classify ? "which" : plan.kind == TaskKind::regress ? "how much is" : "what are";
    line("pipeline {} {}\n", name,
         quoted(plan.kind == TaskKind::tag ? "what stands where?" : fmt::format("{} {}?", asks, printable(target.name, 40))));
    line("param data: path = {}\n", quoted(place.path));
  }

  // ---- data

  /// One path where only the name of the split differs.
  std::vector<std::string> files() const {
    if (place.files.empty()) {
      return {"data"};
    }
    std::vector<std::string> given;
    bool alike = place.files.size() == 3;
    const std::string extension = place.files.at("train").substr(std::string("train").size());
    for (const char *const split : splitNames) {
      if (const auto found = place.files.find(split); found != place.files.end()) {
        alike = alike && found->second == split + extension;
        given.push_back(std::string(split) + ": data / " + quoted(found->second));
      }
    }
    return alike ? std::vector<std::string>{"data / " + quoted("{split}" + extension)} : given;
  }

  std::string source() const {
    std::vector<std::string> given = files();
    if (form.format == RowFormat::csv && form.csv.delimiter != ',') {
      given.push_back("delimiter: " + quoted(std::string(1, form.csv.delimiter)));
    }
    if (form.format == RowFormat::csv && !form.csv.quotes) {
      given.push_back("quote: none");
    }
    if (form.format == RowFormat::csv && form.csv.decimal != '.') {
      given.push_back("decimal: " + quoted(std::string(1, form.csv.decimal)));
    }
    if (form.format == RowFormat::csv && !form.csv.header) {
      given.push_back("header: false");
    }
    if (form.encoding != Encoding::utf8) {
      given.push_back(std::string("encoding: ") + wordsOf(form.encoding)[static_cast<std::size_t>(form.encoding)]);
    }
    if (form.format == RowFormat::conll) {
      given.push_back("columns: " + quotedList(form.names));
    }
    if (profile.malformed > 0 && form.format != RowFormat::conll) {
      given.push_back(fmt::format("skip_bad: {}", profile.malformed + profile.malformed / 2));
    }
    std::string flow = (form.format == RowFormat::csv     ? "csv("
                        : form.format == RowFormat::jsonl ? "jsonl("
                                                          : "conll(") +
                       joined(given, ", ") + ")";
    if (target.profile->missing > 0 && form.format != RowFormat::conll) {
      flow += fmt::format(" |> drop({}: empty)", target.name);
    }
    if (place.files.empty()) {
      flow += " |> split(" + (splitKey().empty() ? "" : "by: " + splitKey() + ", ") + "dev: 10%, test: 10%)";
    }
    return flow;
  }

  /// Records with one text stay together.
  std::string splitKey() const {
    const PlannedColumn *best = nullptr;
    for (const PlannedColumn &column : plan.columns) {
      const bool reads = column.type == Type::text || column.type == Type::words;
      if (reads && (best == nullptr || column.profile->characters > best->profile->characters)) {
        best = &column;
      }
    }
    return best == nullptr ? "" : best->name;
  }

  std::string typeOf(const PlannedColumn &column) const {
    std::vector<std::string> given;
    if (form.format == RowFormat::csv && !form.csv.header) {
      given.push_back(fmt::format("from: {}", column.place + 1));
    } else if (column.name != column.profile->name) {
      given.push_back("from: " + quoted(column.profile->name));
    }
    std::string name = describe(column.type);
    if (column.type == Type::number && !column.missing.empty() && !column.target) {
      given.push_back("missing: " + quotedList(column.missing));
    }
    if (column.type == Type::classId && !column.target) {
      if (const std::vector<std::string> missing = missingOf(column); !missing.empty()) {
        given.push_back("missing: " + quotedList(missing));
      }
    }
    if (column.type == Type::time && !column.format.empty()) {
      given.push_back("format: " + quoted(column.format));
    }
    if (column.type == Type::set && !column.separator.empty()) {
      given.push_back("separator: " + quoted(column.separator));
    }
    if (column.type == Type::tags && column.scheme != "none") {
      given.push_back("scheme: " + column.scheme);
    }
    const bool trims = column.profile->padded > 0 && (column.type == Type::classId || column.type == Type::id);
    return name + "(" + joined(given, ", ") + ")" + (trims ? " |> trim" : "");
  }

  static std::vector<std::string> missingOf(const PlannedColumn &column) {
    std::vector<std::string> missing;
    for (const auto &[value, count] : column.profile->values) {
      if (meansMissing(value)) {
        missing.push_back(value);
      }
    }
    std::sort(missing.begin(), missing.end());
    if (column.profile->missing > 0 || !missing.empty()) {
      missing.insert(missing.begin(), "");
    }
    return missing;
  }

  void dataBlock() {
    line("data {{\n  source: {}", source());
    for (const PlannedColumn &column : plan.columns) {
      if (column.type != Type::none) {
        line("  column {} = {}{}", column.name, typeOf(column),
             remark(column.target ? "what is predicted" + (column.note.empty() ? "" : "; " + column.note) : column.note));
      }
    }
    for (const PlannedColumn &column : plan.columns) {
      if (column.type == Type::none && form.format != RowFormat::conll) {
        line("{}",
             "  # left out: " +
                 (column.profile->name.empty() ? fmt::format("column {}", column.place + 1) : printable(quoted(column.profile->name), 60)) +
                 ", " + printable(column.why, 160));
      }
    }
    line("}}\n");
  }

  // ---- features

  std::vector<const PlannedColumn *> inputs(Type type) const {
    std::vector<const PlannedColumn *> found;
    for (const PlannedColumn &column : plan.columns) {
      if (column.type == type && !column.target) {
        found.push_back(&column);
      }
    }
    return found;
  }

  /// What is beside the texts, each part a flow of columns into numbers.
  std::vector<std::string> tableParts() const {
    std::vector<std::string> plain, skewed, filled, parts;
    for (const PlannedColumn *column : inputs(Type::number)) {
      if (column->missing.empty() && !column->ends.empty()) {
        parts.push_back(
            fmt::format("{} |> clip(to: {}..{}) |> standardize", column->name, numeral(column->ends[0]), numeral(column->ends[1])));
        continue;
      }
      (!column->missing.empty() ? filled : column->skewed ? skewed : plain).push_back(column->name);
    }
    if (!plain.empty()) {
      parts.push_back("[" + joined(plain, ", ") + "] |> standardize");
    }
    if (!skewed.empty()) {
      parts.push_back("[" + joined(skewed, ", ") + "] |> log1p |> standardize");
    }
    if (!filled.empty()) {
      parts.push_back("[" + joined(filled, ", ") + "] |> fill(by: median, indicator: true) |> standardize");
    }
    for (const PlannedColumn *column : inputs(Type::time)) {
      const bool hours = column->format.find("%H") != std::string::npos || column->profile->example.find(':') != std::string::npos;
      parts.push_back(column->name + " |> date(year, month, weekday" + (hours ? ", hour" : "") + ") |> standardize");
    }
    for (const PlannedColumn *column : inputs(Type::classId)) {
      constexpr std::int64_t few = 16;
      const std::int64_t values = column->profile->distinct();
      const auto width = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(values))));
      parts.push_back(column->name +
                      (values <= few ? " |> one_hot" : fmt::format(" |> embedding({})", std::clamp<std::int64_t>(width, 4, 32))));
    }
    return parts;
  }

  /// Texts alone and one class: then nothing is better than a line for each class, by steps that do not grow for rare words.
  bool isLinear() const { return plan.kind == TaskKind::classify && !hasTable(); }

  std::string tokens(const PlannedColumn &column) const {
    const std::string clean = column.name + " |> clean(lowercase: true) |> ";
    const char *const tokenizer = column.wide ? "characters" : "words";
    return clean + tokenizer + (isLinear() ? "(min_count: 1, ngrams: 1..2)" : "(min_count: 2)");
  }

  void featuresBlock() {
    line("features {{");
    if (plan.kind == TaskKind::tag) {
      line("  tokens = {} |> characters(min_count: 2)  # each word by itself, so that a word that train lacks is read, too",
           inputs(Type::words).front()->name);
    }
    for (const PlannedColumn *column : inputs(Type::text)) {
      line("  {}_words = {}", column->name, tokens(*column));
    }
    if (const std::vector<std::string> parts = tableParts(); !parts.empty()) {
      line("  x = concat({})", joined(parts, ",\n             "));
    }
    line("}}\n");
  }

  // ---- model

  std::string headCall() const {
    switch (plan.kind) {
    case TaskKind::classify:
      return "classify(" + target.name + ")";
    case TaskKind::regress:
      return "regress(" + target.name + ")";
    case TaskKind::multiLabel:
      return "multi_label(" + target.name + ")";
    case TaskKind::tag:
      break;
    }
    return "tag(" + target.name + (target.scheme == "none" ? ")" : ", crf: true)");
  }

  bool hasTable() const { return !tableParts().empty(); }

  void modelBlock() {
    const std::vector<const PlannedColumn *> texts = inputs(Type::text);
    line("model {{");
    std::vector<std::string> bags;
    for (const PlannedColumn *column : texts) {
      bags.push_back(column->name + "_words |> counts" + (isLinear() ? "(weight: tfidf)" : ""));
    }
    if (plan.kind == TaskKind::tag) {
      line("  read = tokens |> embedding(24) |> conv1d(7, 64) |> relu |> conv1d(7, 64) |> relu |> dropout(20%)");
      line("  answer = read |> {}", headCall());
    } else if (!hasTable()) {
      line("  answer = {} |> {}", bags.size() == 1 ? bags.front() : "concat(" + joined(bags, ", ") + ")", headCall());
    } else {
      std::vector<std::string> parts = {"x"};
      for (std::string &bag : bags) {
        parts.push_back(bag + " |> linear(32)");
      }
      const std::string in = parts.size() == 1 ? "x" : "concat(" + joined(parts, ", ") + ")";
      line("  hidden = {} |> linear(128) |> relu |> dropout(20%) |> linear(128) |> relu", in);
      line("  answer = hidden |> {}", headCall());
    }
    line("}}\n");
  }

  // ---- training

  std::string score() const {
    switch (plan.kind) {
    case TaskKind::classify:
      return "f1(average: macro)";
    case TaskKind::regress:
      return "rmse";
    case TaskKind::multiLabel:
      return "f1(average: micro)";
    case TaskKind::tag:
      break;
    }
    return target.scheme == "none" ? "accuracy" : "entity_f1";
  }

  std::string kept() const {
    switch (plan.kind) {
    case TaskKind::classify:
      return "dev.f1_macro";
    case TaskKind::regress:
      return "dev.rmse";
    case TaskKind::multiLabel:
      return "dev.f1_micro";
    case TaskKind::tag:
      break;
    }
    return "dev." + score();
  }

  struct Settings {
    std::string optimizer;
    std::int64_t epochs = 0, batch = 0;
  };

  Settings settings() const {
    const std::int64_t rows = profile.rows;
    if (isLinear()) { // rows of tf-idf have length 1, so one rate suits texts of any length
      return {"sgd(lr: 2)", std::clamp<std::int64_t>(100000 / std::max<std::int64_t>(rows, 1), 4, 15), rows < 10000 ? 4 : 8};
    }
    const bool reads = !inputs(Type::text).empty() || plan.kind == TaskKind::tag;
    const std::int64_t batch = rows < 500 || plan.kind == TaskKind::tag ? 16 : rows < 2000 ? 32 : rows < 50000 ? (reads ? 64 : 128) : 256;
    constexpr double steps = 6000; // of a training that learns something of few records and ends soon with many
    const double each = std::max(1.0, static_cast<double>(rows) * 0.8 / static_cast<double>(batch));
    return {"adamw(lr: 2e-3, weight_decay: 0.01)",
            static_cast<std::int64_t>(std::clamp(std::round(steps / each), 4.0, reads ? 40.0 : 60.0)), batch};
  }

  void trainBlock() {
    const Settings chosen = settings();
    line("train {{");
    line("  optimizer: {}", chosen.optimizer);
    line("  schedule: linear");
    line("  epochs: {}", chosen.epochs);
    line("  batch: {}", chosen.batch);
    line("  seed: 42");
    if (place.has("dev") && isLinear() && profile.rows < 10000) {
      line("  keep: last  # dev is too small to tell one epoch of such a model from the next");
    } else if (place.has("dev")) {
      line("  keep: best({})  # the weights of the epoch that dev likes best", kept());
    } else {
      line("  validate: never  # there is no dev");
    }
    line("}}\n");
  }

  void evaluateBlock() {
    std::string all = score();
    switch (plan.kind) {
    case TaskKind::classify:
      all = "accuracy, f1(average: macro), classification_report";
      break;
    case TaskKind::regress:
      all = "rmse, mae, r2";
      break;
    case TaskKind::multiLabel:
      all = "f1(average: micro), f1(average: samples), classification_report";
      break;
    case TaskKind::tag:
      all = target.scheme == "none" ? "accuracy, classification_report" : "entity_f1, classification_report(level: entity)";
      break;
    }
    line("evaluate {{");
    if (place.has("dev")) {
      line("  dev: [{}]", score());
    }
    if (place.has("test")) {
      line("  test: [{}]", all);
    }
    line("}}");
  }

  const Plan &plan;
  const RawForm &form;
  const RawProfile &profile;
  const DataPlace &place;
  const std::string &name;
  const PlannedColumn &target;
  std::string text;
};

} // namespace

std::string pipeText(const Plan &plan, const RawForm &form, const RawProfile &profile, const DataPlace &place, const std::string &name) {
  return Writer(plan, form, profile, place, name).write();
}

} // namespace penstock
