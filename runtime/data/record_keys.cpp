#include "runtime/data/record_keys.h"

#include <algorithm>
#include <cstdint>

namespace penstock {

static bool isText(const ColumnSpec &column) { return column.type == ColumnSpec::Type::text || column.type == ColumnSpec::Type::words; }

std::vector<bool> sameColumns(const RecordProgram &program) {
  const bool hasText = std::any_of(program.columns.begin(), program.columns.end(), isText);
  std::vector<bool> same;
  for (const ColumnSpec &column : program.columns) {
    same.push_back(isText(column) || (!hasText && column.type != ColumnSpec::Type::id));
  }
  for (const LinkedInput &input : program.inputs) {
    if (input.target && input.column >= 0) {
      same[static_cast<std::size_t>(input.column)] = !input.weighs; // what a record counts makes it no other one
    }
  }
  return same;
}

void appendPart(std::string_view part, std::string &to) {
  const std::uint64_t size = part.size();
  to.append(reinterpret_cast<const char *>(&size), sizeof(size));
  to.append(part);
}

RecordKeys::RecordKeys(const RecordProgram &given) : program(given), features(given.columns.size()) {
  for (std::size_t i = program.features.size(); i-- > 0;) {
    const LinkedFeature &feature = program.features[i];
    for (std::size_t text = feature.textsEach(); text-- > 0;) {
      features[feature.columnOf(text)] = &feature;
    }
  }
}

std::string_view RecordKeys::textOf(std::size_t column, const Cell &cell) {
  const ColumnSpec &spec = program.columns[column];
  const LinkedFeature *const feature = features[column];
  const auto clean = [&](std::string_view text) {
    scratch.resize(std::max(scratch.size(), feature->cleans.size()));
    for (std::size_t i = 0; i < feature->cleans.size(); ++i) {
      text = cleanText(text, feature->cleans[i], scratch[i]);
    }
    return text;
  };
  if (feature == nullptr) {
    return cell.text;
  }
  const Cell given = judgeCell(spec, cell) == CellState::value ? cell : Cell{};
  if (!feature->cutFromWords) {
    return clean(given.text);
  }
  itemsOf(given, items, feature->words);
  list.clear();
  for (const std::string_view item : items) {
    appendPart(clean(item), list);
  }
  return list;
}

bool RecordKeys::join(const Row &row, const std::vector<std::size_t> &columns, std::string &to) {
  to.clear();
  bool anyText = false, told = false;
  for (const std::size_t column : columns) {
    const std::string_view text = textOf(column, row.cells[column]);
    if (isText(program.columns[column])) {
      anyText = true;
      told = told || !isEmpty(text);
    }
    appendPart(text, to);
  }
  return told || !anyText;
}

} // namespace penstock
