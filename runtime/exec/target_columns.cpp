#include "runtime/exec/target_columns.h"

#include <algorithm>

namespace penstock {

ColumnField targetFieldOf(const AnswerSpec &answer, std::vector<std::string> classes, std::vector<std::string> others) {
  return targetField(answer.target, answer.targetType, std::move(classes), std::move(others));
}

TargetColumn::TargetColumn(const AnswerSpec &answer, const Dataset &dataset) : dataset(dataset) {
  const std::string &type = answer.targetType, &name = answer.target;
  if (type == "number") {
    described = targetFieldOf(answer, {});
    numbers = &dataset.numbersOf(name);
    return;
  }
  described = targetFieldOf(answer, dataset.classNames(name), dataset.otherClasses(name));
  if (type == "set") {
    sets = &dataset.setsOf(name);
    otherLabels = dataset.otherLabelsOf(name);
  } else if (type == "tags") {
    ofTags = dataset.tagsOf(name);
  } else {
    classes = &dataset.classesOf(name);
  }
}

void TargetColumn::read(const std::vector<std::int64_t> &records, Column &column) const {
  column.clear();
  const auto trained = static_cast<std::size_t>(described.trained);
  for (const std::int64_t record : records) {
    const auto at = static_cast<std::size_t>(record);
    if (numbers != nullptr) {
      column.of<double>().push_back((*numbers)[at]);
    } else if (classes != nullptr) {
      column.of<std::int32_t>().push_back((*classes)[at]);
    } else if (sets != nullptr) {
      for (std::size_t label = 0; label < trained; ++label) {
        if ((*sets)[at * trained + label] != 0) {
          column.of<std::int32_t>().push_back(static_cast<std::int32_t>(label));
        }
      }
      const auto found = std::equal_range(otherLabels.records, otherLabels.records + otherLabels.count, record);
      for (const std::int64_t *one = found.first; one != found.second; ++one) {
        column.of<std::int32_t>().push_back(static_cast<std::int32_t>(trained) + otherLabels.labels[one - otherLabels.records]);
      }
      column.endRow();
    } else {
      column.of<std::int32_t>().insert(column.of<std::int32_t>().end(), ofTags.tags + ofTags.offsets[record],
                                       ofTags.tags + ofTags.offsets[record + 1]);
      column.endRow();
    }
  }
  column.rows = static_cast<std::int64_t>(records.size());
}

std::vector<std::int64_t> TargetColumn::countOthers() const {
  const auto trained = static_cast<std::int32_t>(described.trained);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(described.classCount - described.trained));
  const auto count = [&](const std::int32_t *indices, std::int64_t size, std::int32_t first) {
    for (std::int64_t i = 0; i < size; ++i) {
      if (indices[i] >= first) {
        ++counts[static_cast<std::size_t>(indices[i] - first)];
      }
    }
  };
  if (counts.empty()) {
    return counts;
  }
  if (classes != nullptr) {
    count(classes->data(), static_cast<std::int64_t>(classes->size()), trained);
  } else if (sets != nullptr) {
    count(otherLabels.labels, otherLabels.count, 0);
  } else {
    count(ofTags.tags, ofTags.offsets[dataset.records()], trained);
  }
  return counts;
}

} // namespace penstock
