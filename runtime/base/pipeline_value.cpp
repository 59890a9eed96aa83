#include "runtime/base/pipeline_value.h"

#include "runtime/base/fields_json.h"
#include "runtime/base/quantities.h"
#include "runtime/base/record_graph.h"
#include "runtime/base/splits.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock {

std::string ExpectationSpec::name() const {
  if (!split.empty()) {
    return split + "." + metric;
  }
  const QuantityRow *const row = findRow(quantities, metric);
  if (row == nullptr || !row->answering) {
    return metric;
  }
  return fmt::format("{}(batch: {}{})", metric, batch, threads == 1 ? "" : fmt::format(", threads: {}", threads));
}

std::string ExpectationSpec::demand() const { return fmt::format("{} {}{}{}", comparison, bound, unit.empty() ? "" : " ", unit); }

std::optional<std::string_view> keyBehind(std::string_view key, std::string_view setting) {
  if (setting == "**") {
    return "";
  }
  const std::size_t dot = std::min(setting.find('.'), setting.size());
  if (dot == 0) {
    return key;
  }
  const std::string_view wanted = setting.substr(0, dot), first = key.substr(0, key.find('.'));
  if (first.empty() || (wanted != "*" && wanted != first)) {
    return std::nullopt;
  }
  return keyBehind(key.substr(std::min(first.size() + 1, key.size())), setting.substr(std::min(dot + 1, setting.size())));
}

std::string canonicalText(const PipelineValue &value, Roles roles) { return jsonTextOf(value, roles, false); }

std::string commentedText(const PipelineValue &value) {
  std::string text = "// ";
  for (const char c : jsonOf(value).dump(2, ' ', false, FieldJson::error_handler_t::replace) + "\n") {
    text += c == '\n' ? "\n// " : std::string(1, c);
  }
  return text.substr(0, text.size() - 3);
}

std::string recordsIdentity(const RecordsSpec &records) {
  RecordsSpec bare = records;
  bare.fitted.clear();
  for (SourceSpec &source : bare.sources) {
    source.path.clear();
    source.files.clear();
  }
  for (FeatureSpec &feature : bare.features) {
    for (StepSpec &step : feature.steps) {
      if (!step.plugin.empty()) {
        step.parameters.clear();
      }
    }
  }
  return jsonTextOf(bare, anyRole, false);
}

void readWhole(RecordsSpec &records, const std::string &file, std::string_view split) {
  SourceSpec &source = records.sources.front();
  source.path = file;
  source.files.clear();
  for (const char *name : splitNames) {
    source.files.emplace_back(name == split ? std::vector{file} : std::vector<std::string>());
  }
  records.split = {};
}

Role decidedBy(const std::string &key) {
  if (key.find('.') == std::string::npos) {
    return Role::measurement;
  }
  return roleOfKey<PipelineValue>(key).value_or(Role::code);
}

static std::optional<ValueDifference> differenceOf(const FieldJson &before, const FieldJson &after, const std::string &path) {
  if (before == after) {
    return std::nullopt;
  }
  if (before.is_object() && after.is_object()) {
    for (const auto &[name, one] : before.items()) {
      const auto other = after.find(name);
      if (auto found = differenceOf(one, other == after.end() ? FieldJson() : *other, path.empty() ? name : path + "." + name)) {
        return found;
      }
    }
    for (const auto &[name, one] : after.items()) {
      if (!before.contains(name)) {
        return ValueDifference{path.empty() ? name : path + "." + name, "null", textOf(one)};
      }
    }
  }
  if (before.is_array() && after.is_array() && before.size() == after.size()) {
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (auto found = differenceOf(before[i], after[i], path + "[" + std::to_string(i) + "]")) {
        return found;
      }
    }
  }
  const auto shown = [](const FieldJson &json) { return json.is_string() ? json.get<std::string>() : textOf(json); };
  return ValueDifference{path, shown(before), shown(after)};
}

std::optional<ValueDifference> differenceOf(const PipelineValue &before, const PipelineValue &after, Roles roles) {
  return differenceOf(jsonOf(before, roles), jsonOf(after, roles), "");
}

std::string jsonText(const NamedValues &values) { return jsonTextOf(values); }

} // namespace penstock
