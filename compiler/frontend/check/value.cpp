#include "compiler/frontend/check/value.h"

namespace penstock::frontend {

const char *originName(Origin origin) {
  switch (origin) {
  case Origin::standard:
    return "default";
  case Origin::file:
    return "file";
  case Origin::search:
    return "search default";
  case Origin::commandLine:
    return "command line";
  }
  return "file";
}

Value integerValue(std::int64_t number) {
  Value value(Value::Kind::integer);
  value.integer = number;
  return value;
}

Value floatingValue(double number) {
  Value value(Value::Kind::floating);
  value.number = number;
  return value;
}

Value valueOf(const Attribute &attribute) {
  Value value;
  if (const auto *flag = std::get_if<bool>(&attribute)) {
    value.kind = Value::Kind::boolean;
    value.flag = *flag;
  } else if (const auto *integer = std::get_if<std::int64_t>(&attribute)) {
    value = integerValue(*integer);
  } else if (const auto *number = std::get_if<double>(&attribute)) {
    value = floatingValue(*number);
  } else if (const auto *text = std::get_if<std::string>(&attribute)) {
    value.kind = Value::Kind::string;
    value.text = *text;
  }
  return value;
}

std::string describe(const Value &value) {
  switch (value.kind) {
  case Value::Kind::boolean:
    return "`true` or `false`";
  case Value::Kind::integer:
    return value.integer == unknownSize ? "a whole number" : "the whole number " + std::to_string(value.integer);
  case Value::Kind::floating:
    return std::isnan(value.number) ? "a number" : "the number " + formatNumber(value.number);
  case Value::Kind::string:
    return "a string";
  case Value::Kind::path:
    return "a path";
  case Value::Kind::word:
    return "the word `" + value.text + "`";
  case Value::Kind::quantity:
    return "a quantity in `" + value.text + "`";
  case Value::Kind::list:
    return "a list";
  case Value::Kind::range:
    return "a range";
  case Value::Kind::column:
    return "the column `" + value.text + "`";
  case Value::Kind::draft:
    return value.draft->flow == Flow::number || value.draft->flow == Flow::index ? "what `" + value.draft->column() + "` becomes"
           : value.draft->flow == Flow::time                                     ? "the time `" + value.draft->column() + "`"
                                                                                 : "a text without a tokenizer";
  case Value::Kind::feature:
    return (value.draft->flow == Flow::ids ? "the ids of `" : "the feature `") + value.text + "`";
  case Value::Kind::node:
    return value.node >= 0 ? describeType(value.type) : "a value";
  case Value::Kind::head:
    return "the result of a head";
  case Value::Kind::instance:
    return "an instance";
  case Value::Kind::error:
  case Value::Kind::unknown:
    break;
  }
  return "a value";
}

} // namespace penstock::frontend
