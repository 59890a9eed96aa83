#include "tools/penstock-docs/answers_page.h"

#include "runtime/plugin/plugin_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

namespace penstock {
namespace {

constexpr std::int64_t exampleWidth = 3; // of a vector that flows into a learner

std::string elementOf(const ColumnField &field) {
  switch (field.element) {
  case PENSTOCK_BOOL:
    return "`true` or `false`";
  case PENSTOCK_I32:
  case PENSTOCK_I64:
    return "a whole number";
  case PENSTOCK_F32:
  case PENSTOCK_F64:
    return "a number";
  case PENSTOCK_TEXT:
    return "a text";
  case PENSTOCK_CLASS:
    return "the name of a class, `null` for none";
  default:
    return "an object";
  }
}

bool isByClass(const ColumnField &field) {
  return field.shape == PENSTOCK_WIDE && field.element != PENSTOCK_CLASS && !field.classes.empty();
}

std::string jsonOf(const ColumnField &field) {
  const std::string one = elementOf(field);
  return isByClass(field) ? "an object: by class " + one
         : field.shape == PENSTOCK_WIDE
             ? (field.width == exampleWidth ? "as many as the vector has: " : fmt::format("a list of {}: ", field.width)) + one
         : field.isList() ? "a list: " + one
                          : one;
}

std::string csvOf(const ColumnField &field, const std::string &name) {
  return field.isList()                 ? "`" + name + "`, JSON"
         : isByClass(field)             ? "`" + name + ".CLASS` each"
         : field.shape == PENSTOCK_WIDE ? fmt::format("`{}.0`, `{}.1`, ...", name, name)
                                        : "`" + name + "`";
}

/// A line a field; those of an object behind it. `inList`: of a list's objects, which CSV has within a cell.
void addFields(const Schema &fields, const std::string &before, bool inList, std::string &page) {
  for (const ColumnField &field : fields) {
    const std::string name = before + field.name;
    const bool isStruct = field.element == PENSTOCK_STRUCT;
    page += fmt::format("| `{}` | {} | {} | {} |\n", name, jsonOf(field), inList || (isStruct && !field.isList()) ? "" : csvOf(field, name),
                        field.meaning);
    addFields(field.fields, name + ".", inList || field.isList(), page);
  }
}

/// A target as the plugin takes one; none where it takes none.
std::optional<ColumnField> targetOf(const PluginManifest &manifest) {
  using Form = std::pair<const char *, std::vector<std::string>>;
  for (const Form &form :
       std::array<Form, 4>{Form{"class", {"A", "B"}}, Form{"number", {}}, Form{"set", {"A", "B"}}, Form{"tags", {"O", "B-X", "I-X"}}}) {
    if (manifest.takes(form.first) && !manifest.targets.empty()) {
      return targetField("target", form.first, form.second);
    }
  }
  return std::nullopt;
}

Result<Schema> schemaOf(PluginHost &host, const PluginManifest &manifest) {
  const std::optional<ColumnField> target = targetOf(manifest);
  if (manifest.kind == PluginKind::head) {
    PENSTOCK_ASSIGN(const std::unique_ptr<const Head> head, makeHead(host, manifest.name, "", target ? &*target : nullptr));
    return head->schema();
  }
  LearningSpec learning;
  learning.width = exampleWidth;
  if (target) {
    learning.targets.push_back(*target);
  }
  PENSTOCK_ASSIGN(const std::unique_ptr<LearnerFit> fit, fitLearner(host, manifest.name, "", learning));
  std::string state;
  if (fit != nullptr) {
    const std::vector<float> values(exampleWidth, 1.0F);
    const std::int64_t row = 1;
    const PenstockString text = {"a", 1};
    LearnerExamples examples;
    examples.records = 1;
    examples.values = values.data();
    examples.rows = &row;
    examples.texts = &text;
    PENSTOCK_TRY(fit->add(examples));
    PENSTOCK_ASSIGN(state, fit->end());
  }
  PENSTOCK_ASSIGN(const std::unique_ptr<const Learner> learner, makeLearner(host, manifest.name, "", learning, state));
  return learner->schema();
}

} // namespace

std::string answersPage() {
  std::string page =
      "# Fields of answers\n\nFrom the schemas that heads and learners describe; do not edit. `predict` and artifacts print them "
      "([deploying](../guides/deploy.md#what-comes-out)); of several answers each stands under its name, in CSV with it and a dot "
      "before the field. What is missing is left out of JSON, and an empty cell of CSV. Classes, labels and tags are those of the "
      "target.\n\n"
      "Around the fields stand\n\n| JSON | CSV | is |\n|---|---|---|\n"
      "| `row` | `row` | the number of the record in the input, from 1 |\n"
      "| `unit`, `rows` | `unit`, `first_row`, `row` | of records of several rows: their unit, and the numbers of the first and last row "
      "|\n"
      "| COLUMN | COLUMN | columns of the input that `--with` names |\n"
      "| `ids` | `id.COLUMN` | the columns of type `id`, behind the fields, where the input has them |\n"
      "| `gold` | `gold.COLUMN` | what the model was to predict, where the input has it |\n"
      "| `error` | `error` | why the record has no answer: then JSON has no field |\n";
  Result<std::shared_ptr<PluginHost>> host = PluginHost::create();
  if (!host.ok()) {
    std::fprintf(stderr, "penstock-docs: %s\n", host.status().message().c_str());
    return {};
  }
  std::vector<PluginManifest> all = (*host)->manifests();
  std::sort(all.begin(), all.end(), [](const PluginManifest &a, const PluginManifest &b) {
    return std::pair(a.kind != PluginKind::head, a.name) < std::pair(b.kind != PluginKind::head, b.name);
  });
  for (const PluginManifest &manifest : all) {
    if (manifest.kind != PluginKind::head && manifest.kind != PluginKind::learner) {
      continue;
    }
    const Result<Schema> schema = schemaOf(**host, manifest);
    if (!schema.ok()) {
      std::fprintf(stderr, "penstock-docs: %s\n", schema.status().message().c_str());
      return {};
    }
    page += fmt::format("\n## {}\n\n{}.\n\n| field | in JSON | in CSV | means |\n|---|---|---|---|\n", manifest.name, manifest.summary);
    addFields(*schema, "", false, page);
  }
  return page;
}

} // namespace penstock
