#include "runtime/base/parameter_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace penstock {

std::string typeText(const PluginParameter &parameter, const char *between) {
  using Type = PluginParameter::Type;
  switch (parameter.type) {
  case Type::boolean:
    return "bool";
  case Type::integer:
    return "int";
  case Type::number:
    return "float";
  case Type::string:
    return "string";
  case Type::path:
    return "path";
  case Type::enumeration:
    return fmt::format("{}", fmt::join(parameter.members, between));
  case Type::strings:
    return "list of strings";
  case Type::numbers:
    return "list of numbers";
  }
  return "";
}

std::string rangeText(const PluginParameter &parameter) {
  if (parameter.hasMinimum && parameter.hasMaximum) {
    return fmt::format("{:g} to {:g}", parameter.minimum, parameter.maximum);
  }
  if (parameter.hasMinimum) {
    return fmt::format("at least {:g}", parameter.minimum);
  }
  return parameter.hasMaximum ? fmt::format("at most {:g}", parameter.maximum) : "";
}

} // namespace penstock
