#include "compiler/frontend/check/conversion.h"

#include "compiler/frontend/other_tools.h"

namespace penstock::frontend {

using diagnostics::quotedList;
using Type = PluginParameter::Type;

namespace {

/// One conversion: a value, what is wanted, and why it may not be.
class Conversion {
public:
  Conversion(const Value &given, const ParameterSpec &wanted, Mismatch &problem) : value(given), spec(wanted), mismatch(problem) {}

  std::optional<Attribute> run(const std::string &folder) {
    if (value.kind == Value::Kind::error) {
      return std::nullopt;
    }
    if (spec.stepsOrShare) {
      return stepsOrShare();
    }
    switch (spec.type) {
    case Type::boolean:
      return value.kind == Value::Kind::boolean ? std::optional<Attribute>(value.flag) : wrong();
    case Type::integer:
      if (value.kind != Value::Kind::integer) {
        return wrong();
      }
      if (value.integer != unknownSize && !within(static_cast<double>(value.integer))) {
        return std::nullopt;
      }
      return value.integer;
    case Type::number:
      if (!value.isNumber()) {
        return wrong();
      }
      return within(value.asDouble()) ? std::optional<Attribute>(value.asDouble()) : std::nullopt;
    case Type::string:
      return value.kind == Value::Kind::string || (spec.column && value.kind == Value::Kind::column) ? std::optional<Attribute>(value.text)
             : spec.column                                                                           ? wrong("write the name of a column")
                                                                                                     : wrong("put it into quotes");
    case Type::path:
      if (value.kind == Value::Kind::list && spec.several) {
        return paths(folder);
      }
      if (value.kind != Value::Kind::path && value.kind != Value::Kind::string) {
        return wrong();
      }
      return joinPath(value.kind == Value::Kind::path ? "/" : folder, value.text);
    case Type::enumeration:
      return member();
    case Type::strings:
      return strings();
    case Type::numbers:
      return numbers();
    }
    return wrong();
  }

private:
  std::optional<Attribute> fail(const char *id, diagnostics::Arguments arguments) {
    mismatch = {id, std::move(arguments)};
    return std::nullopt;
  }
  std::optional<Attribute> wrong(const std::string &hint = "") {
    return fail("wrong-type", {{"name", spec.name}, {"expected", describeParameterType(spec)}, {"found", describe(value)}, {"hint", hint}});
  }
  std::optional<Attribute> outside(const std::string &shown, const std::string &rule, const std::string &hint = "") {
    return fail("out-of-range", {{"name", spec.name}, {"value", shown}, {"rule", rule}, {"hint", hint}});
  }

  bool inside(double number) const {
    const bool low = spec.hasMinimum && (spec.openMinimum ? number <= spec.minimum : number < spec.minimum);
    const bool high = spec.hasMaximum && (spec.openMaximum ? number >= spec.maximum : number > spec.maximum);
    return !low && !high;
  }
  /// A number that is not known yet is within every range.
  bool within(double number) {
    if (std::isnan(number) || inside(number)) {
      return true;
    }
    std::string rule;
    if (spec.hasMinimum) {
      rule = (spec.openMinimum ? "greater than " : "at least ") + formatNumber(spec.minimum);
    }
    if (spec.hasMaximum) {
      rule += std::string(rule.empty() ? "" : " and ") + (spec.openMaximum ? "less than " : "at most ") + formatNumber(spec.maximum);
    }
    // A share that was written without its sign.
    const bool share = spec.type == Type::number && spec.hasMaximum && spec.maximum == 1 && number > 1 && number <= 100;
    const bool whole = value.kind == Value::Kind::integer && static_cast<double>(value.integer) == number;
    outside(whole ? std::to_string(value.integer) : formatNumber(number), rule,
            share && inside(number / 100) ? "did you mean `" + formatNumber(number) + "%`?" : "");
    return false;
  }

  std::optional<Attribute> stepsOrShare() {
    if (value.kind == Value::Kind::quantity && (value.text == "steps" || value.text == "step")) {
      if (value.number < 0 || value.number > 1e15 || value.number != std::floor(value.number)) {
        return outside(formatNumber(value.number) + " steps", "a whole number of steps, not below 0");
      }
      return std::vector<double>{-1, value.number};
    }
    if (!value.isNumber()) {
      return wrong("write `10%` or `100 steps`");
    }
    const double number = value.asDouble();
    if (number < 0 || number > 1) {
      return outside(formatNumber(number), "between 0% and 100%, or a number of `steps`");
    }
    return std::vector<double>{number, -1};
  }

  std::optional<Attribute> member() {
    if (value.kind != Value::Kind::word) {
      return wrong("write one of " + quotedList(spec.members));
    }
    if (std::find(spec.members.begin(), spec.members.end(), value.text) == spec.members.end()) {
      return fail("not-a-member", {{"value", value.text},
                                   {"name", spec.name},
                                   {"members", quotedList(spec.members)},
                                   {"hint", hintForWord("member", value.text, spec.members)}});
    }
    return value.text;
  }

  std::optional<Attribute> paths(const std::string &folder) {
    std::vector<std::string> items;
    for (const Value &item : value.items) {
      if (item.kind != Value::Kind::path && item.kind != Value::Kind::string) {
        return wrong();
      }
      items.push_back(joinPath(item.kind == Value::Kind::path ? "/" : folder, item.text));
    }
    return items.empty() ? wrong() : std::optional<Attribute>(items);
  }

  std::optional<Attribute> strings() {
    if (value.kind != Value::Kind::list) {
      return wrong();
    }
    std::vector<std::string> items;
    for (const Value &item : value.items) {
      if (item.kind != Value::Kind::string) {
        return wrong();
      }
      items.push_back(item.text);
    }
    return items;
  }

  /// `[["spam", 3], ["ham", 1]]`: names with a number behind each.
  std::optional<Attribute> byName() {
    std::vector<std::string> named;
    for (const Value &item : value.items) {
      const bool isPair =
          item.kind == Value::Kind::list && item.items.size() == 2 && item.items[0].kind == Value::Kind::string && item.items[1].isNumber();
      if (!isPair) {
        return wrong("write the name of a class and its number, as in `[[\"a\", 3], [\"b\", 1]]`");
      }
      if (!within(item.items[1].asDouble())) {
        return std::nullopt;
      }
      for (std::size_t i = 0; i < named.size(); i += 2) {
        if (named[i] == item.items[0].text) {
          return outside("`" + named[i] + "` twice", "a class once");
        }
      }
      named.push_back(item.items[0].text);
      named.push_back(formatNumber(item.items[1].asDouble()));
    }
    return named;
  }

  std::optional<Attribute> numbers() {
    if (spec.oneForAll && value.isNumber()) {
      return within(value.asDouble()) ? std::optional<Attribute>(std::vector<double>{value.asDouble()}) : std::nullopt;
    }
    if (value.kind != (spec.range ? Value::Kind::range : Value::Kind::list)) {
      return wrong();
    }
    if (spec.eachClass && !value.items.empty() && value.items[0].kind == Value::Kind::list) {
      return byName();
    }
    std::vector<double> items;
    for (const Value &item : value.items) {
      if (!item.isNumber()) {
        return wrong();
      }
      if (!within(item.asDouble())) {
        return std::nullopt;
      }
      if (spec.whole && item.kind != Value::Kind::integer) {
        return outside(formatNumber(item.asDouble()), "a whole number");
      }
      items.push_back(item.asDouble());
    }
    if (spec.range && (spec.whole ? items[0] > items[1] : items[0] >= items[1])) {
      return outside(formatNumber(items[0]) + ".." + formatNumber(items[1]),
                     spec.whole ? "from a number to one that is not less" : "from a number to a greater one");
    }
    return items;
  }

  const Value &value;
  const ParameterSpec &spec;
  Mismatch &mismatch;
};

} // namespace

std::optional<Attribute> convert(const Value &value, const ParameterSpec &spec, const std::string &folder, Mismatch &mismatch) {
  return Conversion(value, spec, mismatch).run(folder);
}

bool checkKnown(const Attributes &attributes, const std::string &callable, const std::map<std::string, Span> &spans, const Span &span,
                Reporter &reporter) {
  for (const auto &[name, attribute] : attributes) {
    const auto *integer = std::get_if<std::int64_t>(&attribute);
    const auto *number = std::get_if<double>(&attribute);
    if ((integer != nullptr && *integer == unknownSize) || (number != nullptr && std::isnan(*number))) {
      const auto at = spans.find(name);
      reporter.report("depends-on-data", at == spans.end() ? span : at->second, {{"name", name}, {"callable", callable}});
      return false;
    }
  }
  return true;
}

PluginValue pluginValue(const Attribute &attribute) {
  return std::visit(
      [](const auto &held) -> PluginValue {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
          return std::int64_t{0};
        } else {
          return held;
        }
      },
      attribute);
}

} // namespace penstock::frontend
