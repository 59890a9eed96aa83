#include "tools/penstock/plugin_rows.h"

#include "runtime/base/printable.h"
#include "runtime/data/rows.h"
#include "tools/command_line/named_input.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>

namespace penstock {

namespace {

using Json = nlohmann::ordered_json;

Json cellJson(const Cell &cell, std::vector<std::string_view> &items) {
  if (!cell.present) {
    return nullptr;
  }
  if (!cell.list) {
    return cell.text;
  }
  itemsOf(cell, items);
  Json list = Json::array();
  for (const std::string_view item : items) {
    list.push_back(item);
  }
  return list;
}

} // namespace

Status printRows(PluginHost &host, const std::string &plugin, const std::string &parameters, const std::string &path) {
  const std::string name = path.empty() ? "standard input" : printable(path);
  int failed = 0;
  PENSTOCK_ASSIGN(std::shared_ptr<const Source> source, makeSource(host, plugin, parameters));
  PENSTOCK_ASSIGN(auto bytes, openNamedInput(path, name, "penstock", failed));
  const std::unique_ptr<RowSource> rows = makePluginRows(std::move(bytes), std::move(source));
  PENSTOCK_TRY(rows->begin());
  const std::vector<std::string> names = rows->names();
  rows->select(names, std::vector<bool>(names.size(), true));
  Row row;
  RowError error;
  std::vector<std::string_view> items;
  std::int64_t all = 0, wrong = 0;
  std::string first;
  for (; failed == 0; ++all) {
    PENSTOCK_ASSIGN(const RowStep step, rows->next(row, error));
    if (step == RowStep::end) {
      break;
    }
    Json line = Json::object();
    if (step == RowStep::error) {
      line["error"] = error.inFile(name);
      first = wrong++ == 0 ? error.inFile(name) : first;
    }
    for (std::size_t i = 0; step == RowStep::row && i < names.size(); ++i) {
      line[names[i]] = cellJson(row.cells[i], items);
    }
    const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
      return environmentError(fmt::format("standard output: {}", std::strerror(errno)));
    }
  }
  flushAnswers(failed);
  if (failed != 0) {
    return environmentError(fmt::format("standard output: {}", std::strerror(failed)));
  }
  return wrong == 0 ? Status::success() : invalidInput(fmt::format("{} of {} rows cannot be read; the first: {}", wrong, all, first));
}

} // namespace penstock
