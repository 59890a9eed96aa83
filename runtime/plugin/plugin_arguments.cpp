#include "runtime/plugin/plugin_arguments.h"

#include "runtime/base/nearest.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace penstock {
namespace {

using Json = nlohmann::json;
using Type = PluginParameter::Type;

PenstockString stringView(const std::string &text) { return {text.data(), text.size()}; }

std::int32_t kindOf(Type type) {
  switch (type) {
  case Type::boolean:
    return PENSTOCK_VALUE_BOOL;
  case Type::integer:
    return PENSTOCK_VALUE_INT;
  case Type::number:
    return PENSTOCK_VALUE_FLOAT;
  case Type::strings:
    return PENSTOCK_VALUE_STRINGS;
  case Type::numbers:
    return PENSTOCK_VALUE_NUMBERS;
  case Type::string:
  case Type::path:
  case Type::enumeration:
    return PENSTOCK_VALUE_STRING;
  }
  return PENSTOCK_VALUE_STRING;
}

class Arguments final : public PluginArguments {
public:
  /// `absent`: of each parameter, whether it is an optional one that was not given; plugins do not see these.
  Arguments(const PluginManifest &manifest, std::vector<PluginValue> given, const std::vector<bool> &absent) : held(std::move(given)) {
    names.reserve(held.size());
    lists.resize(held.size());
    items.reserve(held.size());
    for (std::size_t i = 0; i < held.size(); ++i) {
      if (absent[i]) {
        continue;
      }
      names.push_back(manifest.parameters[i].name);
      PenstockValue &item = items.emplace_back();
      item.name = stringView(names.back());
      item.kind = kindOf(manifest.parameters[i].type);
      if (const auto *flag = std::get_if<bool>(&held[i])) {
        item.integer = *flag ? 1 : 0;
      } else if (const auto *integer = std::get_if<std::int64_t>(&held[i])) {
        item.integer = *integer;
      } else if (const auto *number = std::get_if<double>(&held[i])) {
        item.number = *number;
      } else if (const auto *text = std::get_if<std::string>(&held[i])) {
        item.string = stringView(*text);
      } else if (const auto *texts = std::get_if<std::vector<std::string>>(&held[i])) {
        for (const std::string &text : *texts) {
          lists[i].push_back(stringView(text));
        }
        item.strings = lists[i].data();
        item.count = static_cast<std::int64_t>(lists[i].size());
      } else if (const auto *numbers = std::get_if<std::vector<double>>(&held[i])) {
        item.numbers = numbers->data();
        item.count = static_cast<std::int64_t>(numbers->size());
      }
    }
    parameters.struct_size = sizeof parameters;
    parameters.values = {static_cast<std::int32_t>(items.size()), sizeof(PenstockValue), items.data()};
  }

  const PenstockParameters *view() const override { return &parameters; }
  const std::vector<PluginValue> &values() const override { return held; }

private:
  std::vector<PluginValue> held;
  std::vector<std::string> names;
  std::vector<std::vector<PenstockString>> lists;
  std::vector<PenstockValue> items;
  PenstockParameters parameters{};
};

Status mistake(const PluginManifest &manifest, const PluginParameter &parameter, const std::string &reason) {
  return invalidInput(fmt::format("parameter `{}` of `{}`: {}", parameter.name, manifest.name, reason));
}

Status checkRange(const PluginManifest &manifest, const PluginParameter &parameter, double value) {
  if (!std::isfinite(value)) {
    return mistake(manifest, parameter, "the number is not finite");
  }
  if (parameter.hasMinimum && value < parameter.minimum) {
    return mistake(manifest, parameter, fmt::format("{:g} is below the least value {:g}", value, parameter.minimum));
  }
  if (parameter.hasMaximum && value > parameter.maximum) {
    return mistake(manifest, parameter, fmt::format("{:g} is above the largest value {:g}", value, parameter.maximum));
  }
  return {};
}

Result<PluginValue> absolutePath(const PluginManifest &manifest, const PluginParameter &parameter, const std::string &path) {
  if (path.find('\0') != std::string::npos) {
    return mistake(manifest, parameter, "a path has no zero byte");
  }
  if (path.empty()) {
    return PluginValue(path);
  }
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) {
    return mistake(manifest, parameter, error.message());
  }
  return PluginValue(absolute.lexically_normal().string());
}

Result<PluginValue> convert(const PluginManifest &manifest, const PluginParameter &parameter, const Json &value) {
  const auto wanted = [&](const char *what) {
    return mistake(manifest, parameter, fmt::format("{} is needed, this is {}", what, value.type_name()));
  };
  switch (parameter.type) {
  case Type::boolean:
    if (!value.is_boolean()) {
      return wanted("true or false");
    }
    return PluginValue(value.get<bool>());
  case Type::integer: {
    if (!value.is_number_integer()) {
      return wanted("a whole number");
    }
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
      return mistake(manifest, parameter, "the number is too large");
    }
    const std::int64_t number = value.get<std::int64_t>();
    PENSTOCK_TRY(checkRange(manifest, parameter, static_cast<double>(number)));
    return PluginValue(number);
  }
  case Type::number: {
    if (!value.is_number()) {
      return wanted("a number");
    }
    const double number = value.get<double>();
    PENSTOCK_TRY(checkRange(manifest, parameter, number));
    return PluginValue(number);
  }
  case Type::string:
  case Type::path:
  case Type::enumeration: {
    if (!value.is_string()) {
      return wanted("a string");
    }
    const std::string &text = value.get_ref<const std::string &>();
    if (parameter.type == Type::path) {
      return absolutePath(manifest, parameter, text);
    }
    if (parameter.type == Type::enumeration &&
        std::find(parameter.members.begin(), parameter.members.end(), text) == parameter.members.end()) {
      const std::vector<std::string> meant = nearest(text, parameter.members);
      return mistake(manifest, parameter,
                     fmt::format("`{}` is not one of {}{}", text, fmt::join(parameter.members, ", "),
                                 meant.empty() ? "" : fmt::format("; did you mean `{}`?", meant[0])));
    }
    return PluginValue(text);
  }
  case Type::strings: {
    std::vector<std::string> texts;
    if (!value.is_array()) {
      return wanted("a list of strings");
    }
    for (const Json &item : value) {
      if (!item.is_string()) {
        return wanted("a list of strings");
      }
      texts.push_back(item.get<std::string>());
    }
    return PluginValue(texts);
  }
  case Type::numbers: {
    std::vector<double> numbers;
    const bool alone = parameter.oneForAll && value.is_number();
    if (!value.is_array() && !alone) {
      return wanted("a list of numbers");
    }
    for (const Json &item : alone ? Json::array({value}) : value) {
      if (!item.is_number()) {
        return wanted("a list of numbers");
      }
      numbers.push_back(item.get<double>());
      PENSTOCK_TRY(checkRange(manifest, parameter, numbers.back()));
    }
    if (parameter.range) {
      const bool whole = std::all_of(numbers.begin(), numbers.end(), [](double number) { return number == std::floor(number); });
      if (numbers.size() != 2 || numbers[0] > numbers[1] || (parameter.whole ? !whole : numbers[0] == numbers[1])) {
        return mistake(manifest, parameter,
                       parameter.whole ? "two whole numbers are needed, the second not below the first"
                                       : "a number and a greater one are needed");
      }
    }
    return PluginValue(numbers);
  }
  }
  return wanted("a value of the declared type");
}

std::vector<std::string> parameterNames(const PluginManifest &manifest) {
  std::vector<std::string> names;
  for (const PluginParameter &parameter : manifest.parameters) {
    names.push_back(parameter.name);
  }
  return names;
}

} // namespace

Result<std::unique_ptr<PluginArguments>> makeArguments(const PluginManifest &manifest, const std::string &json) {
  const Json given = json.empty() ? Json::object() : Json::parse(json, nullptr, false);
  if (!given.is_object()) {
    return invalidInput(fmt::format("the parameters of `{}` are not a JSON object", manifest.name));
  }
  for (const auto &[name, value] : given.items()) {
    if (manifest.find(name) == nullptr) {
      const std::vector<std::string> meant = nearest(name, parameterNames(manifest));
      return invalidInput(fmt::format("`{}` has no parameter `{}`{}", manifest.name, name,
                                      !meant.empty() ? fmt::format("; did you mean `{}`?", meant[0])
                                      : manifest.parameters.empty()
                                          ? "; it takes none"
                                          : fmt::format("; it takes {}", fmt::join(parameterNames(manifest), ", "))));
    }
  }
  std::vector<PluginValue> values;
  std::vector<bool> absent;
  for (const PluginParameter &parameter : manifest.parameters) {
    absent.push_back(parameter.optional && !given.contains(parameter.name));
    const auto it = given.find(parameter.name);
    if (it != given.end()) {
      PENSTOCK_ASSIGN(PluginValue value, convert(manifest, parameter, *it));
      values.push_back(std::move(value));
    } else if (parameter.required) {
      return invalidInput(fmt::format("`{}` needs its parameter `{}`: {}", manifest.name, parameter.name, parameter.help));
    } else if (parameter.type == Type::path && !parameter.optional) {
      PENSTOCK_ASSIGN(PluginValue value, absolutePath(manifest, parameter, std::get<std::string>(parameter.defaultValue)));
      values.push_back(std::move(value));
    } else {
      values.push_back(parameter.defaultValue);
    }
  }
  return std::unique_ptr<PluginArguments>(std::make_unique<Arguments>(manifest, std::move(values), absent));
}

} // namespace penstock
