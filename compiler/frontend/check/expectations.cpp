#include "compiler/frontend/check/expectations.h"

namespace penstock::frontend {

using diagnostics::nearest;
using diagnostics::quotedList;

Expectations::Expectations(const Program &files, const Records &data, const Measures &measured, Scopes &names, Settings &set,
                           Evaluator &evaluating, SettingValues &reading, Reporter &reports)
    : program(files), records(data), measures(measured), scopes(names), settings(set), evaluator(evaluating), values(reading),
      reporter(reports) {}

void Expectations::read() {
  evaluated = readBlock("evaluate", "expect");
  if (program.block("deploy") != nullptr || settings.overridesBlock("deploy")) {
    readDeploy();
  }
}

std::vector<ExpectationSpec> Expectations::readBlock(const std::string &name, const std::string &key) {
  std::vector<ExpectationSpec> read;
  struct Expected {
    std::string name, demands;
    Span span;
  };
  std::vector<Expected> texts; // one for all that is expected of a result, in the order of the file
  const Block *const block = program.block(name.c_str());
  for (std::size_t i = 0; block != nullptr && i < block->entries.size(); ++i) {
    const Entry &entry = block->entries[i];
    ExpectationSpec one;
    if (entry.kind == Entry::Kind::expect && readExpect(entry, name, one)) {
      const auto same = std::find_if(texts.begin(), texts.end(), [&](const Expected &other) { return other.name == one.name(); });
      if (same == texts.end()) {
        texts.push_back({one.name(), one.demand(), entry.span});
      } else {
        same->demands += ", " + one.demand();
      }
      read.push_back(std::move(one));
    }
  }
  for (Expected &text : texts) {
    settings.resolve(key + "." + text.name, std::move(text.demands), Origin::file, text.span);
  }
  return read;
}

bool Expectations::readExpect(const Entry &entry, const std::string &block, ExpectationSpec &expectation) {
  const SourceRange range = entry.span.range();
  expectation.place = range.file.text() + ":" + std::to_string(range.line) + ":" + std::to_string(range.column);
  expectation.comparison = entry.comparison;
  const bool named = readQuantity(entry.value, block, expectation);
  Place place;
  const Value bound = evaluator.evaluate(entry.bound, scopes.top, place);
  if (!named || bound.kind == Value::Kind::error || entry.comparison.empty() || !readBound(bound, entry.bound.span, expectation)) {
    return false;
  }
  if (!expectation.split.empty()) {
    measures.checkBound(entry.bound.span, expectation.split, expectation.metric, expectation.bound);
  }
  return true;
}

namespace {

Signature signatureOf(const QuantityRow &row) {
  Signature signature;
  signature.name = row.name;
  if (row.answering) {
    signature.parameters = {integerSetting("batch", 1, 1, 1e6), integerSetting("threads", 1, 1, 4096)};
  }
  return signature;
}

/// "`ms`, `s`, `min` or `h`"
std::string unitsOf(Counted counted) {
  return quotedList(namesOf(units, [&](const UnitRow &unit) { return unit.counted == counted; }));
}

} // namespace

bool Expectations::readQuantity(const Expression &expression, const std::string &block, ExpectationSpec &expectation) {
  const Expression &callee = calleeOf(expression);
  const std::string name = callee.kind == Expression::Kind::name ? callee.text : "";
  const QuantityRow *const row = findRow(quantities, name);
  expectation.metric = name;
  if (row != nullptr && block == "deploy") {
    Place place;
    const BoundCall bound =
        evaluator.bind(signatureOf(*row), expression.span, argumentsOf(expression), std::nullopt, {}, scopes.top, place, "");
    if (bound.good && row->answering) {
      expectation.batch = std::get<std::int64_t>(bound.attributes.at("batch"));
      expectation.threads = std::get<std::int64_t>(bound.attributes.at("threads"));
    }
    return bound.good;
  }
  if (row != nullptr) {
    reporter.report("unknown-quantity", expression.span,
                    {{"name", name},
                     {"block", block},
                     {"rule", "`evaluate` expects results of the model; `penstock build` measures `" + name + "`, of the artifact"},
                     {"hint", "write it in `deploy { ... }`"}});
    return false;
  }
  const std::vector<std::string> splits = {"test", "dev", "train"};
  const bool isResult =
      name.empty() || std::any_of(splits.begin(), splits.end(), [&](const auto &split) { return measures.has(split, name); });
  if (block == "deploy" && !isResult) {
    const std::vector<std::string> names = namesOf(quantities);
    const std::string near = nearest(name, names);
    reporter.report("unknown-quantity", expression.span,
                    {{"name", name},
                     {"block", block},
                     {"rule", "`deploy` expects " + quotedList(names) + ", or a result that `evaluate` measures, such as `test.accuracy`"},
                     {"hint", near.empty() ? "" : "did you mean `" + near + "`?"}});
    return false;
  }
  bool higher = true;
  const auto result = measures.resultName(expression, splits, &expectation.split, &higher);
  expectation.metric = result.value_or("");
  return result.has_value();
}

bool Expectations::readBound(const Value &bound, const Span &span, ExpectationSpec &expectation) {
  const QuantityRow *const row = expectation.split.empty() ? findRow(quantities, expectation.metric) : nullptr;
  const UnitRow *const unit = bound.kind == Value::Kind::quantity ? findRow(units, bound.text) : nullptr;
  if (row == nullptr ? bound.isNumber() : unit != nullptr && unit->counted == row->counted) {
    expectation.bound = row == nullptr ? bound.asDouble() : bound.number;
    expectation.unit = row == nullptr ? "" : unit->name;
    return true;
  }
  diagnostics::Arguments arguments = {
      {"name", expectation.name()}, {"found", describe(bound)}, {"rule", "a result is compared with a number"}};
  if (row != nullptr) {
    const bool isTime = row->counted == Counted::time;
    arguments["rule"] = "`" + expectation.metric + "` is " + (isTime ? "a time" : "a number of bytes") + ", in " + unitsOf(row->counted);
    arguments["hint"] = bound.isNumber() ? "write its unit: `" + excerpt(span, 40) + (isTime ? " ms`" : " MB`")
                        : isTime         ? "write a time, such as `20 ms`"
                                         : "write bytes, such as `60 MB`";
  }
  reporter.report("bad-expect", span, std::move(arguments));
  return false;
}

void Expectations::readDeploy() {
  const Block *const block = program.block("deploy");
  for (std::size_t i = 0; block != nullptr && i < block->entries.size(); ++i) {
    const Entry &entry = block->entries[i];
    if (entry.kind != Entry::Kind::expect && entry.kind != Entry::Kind::setting) {
      reporter.report("misplaced-entry", entry.span,
                      {{"entry", "this entry"}, {"block", "`deploy`"}, {"rule", "`deploy` has `input`, `output` and `expect`s"}});
    }
  }
  const BlockSettings given = settings.of("deploy");
  std::vector<std::string> forms = {"auto", "lines", "csv", "tsv", "jsonl", "conll"};
  if (const std::string &source = records.data().source; !source.empty() && std::find(forms.begin(), forms.end(), source) == forms.end()) {
    forms.push_back(source);
  }
  const auto input = values.simple(given, "deploy", parameters::choice("input", std::move(forms), "auto", "the form of records"));
  const auto output = values.simple(given, "deploy", *plainSetting("deploy", "output"));
  if (input && std::get<std::string>(*input) != "auto") {
    deployed.input = std::get<std::string>(*input);
  }
  deployed.output = output ? std::get<std::string>(*output) : "";
  deployed.expectations = readBlock("deploy", "deploy.expect");
}

} // namespace penstock::frontend
