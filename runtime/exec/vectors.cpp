#include "runtime/exec/vectors.h"

#include "runtime/base/temporary_name.h"
#include "runtime/data/bytes.h"
#include "runtime/data/record_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <unordered_map>

namespace penstock {

namespace {

constexpr std::string_view blanks = " \t";

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) {
    line.remove_suffix(1);
  }
  return line;
}

std::int64_t fieldsOf(std::string_view line) {
  std::int64_t count = 0;
  for (std::size_t at = 0; (at = line.find_first_not_of(blanks, at)) != std::string_view::npos;
       at = std::min(line.find_first_of(blanks, at), line.size())) {
    ++count;
  }
  return count;
}

/// The two whole numbers of a first line; false where it is one of a token.
bool isHeader(std::string_view line) { return fieldsOf(line) == 2 && line.find_first_not_of("0123456789 \t") == std::string_view::npos; }

/// Calls `take(number of the line, line)` for each until it returns false.
template <typename Take> Status eachLine(const std::string &file, Take take) {
  PENSTOCK_ASSIGN(std::unique_ptr<ByteSource> source, openFileSource(file));
  ByteWindow window(std::move(source));
  PENSTOCK_ASSIGN(const ForeignFormat foreign, window.open());
  if (foreign) {
    return invalidInput(fmt::format("it is {}; {}", foreign.what, foreign.remedy));
  }
  std::size_t searched = 0;
  for (std::int64_t number = 1;;) {
    const void *end = window.size() > searched ? std::memchr(window.data() + searched, '\n', window.size() - searched) : nullptr;
    if (end == nullptr && !window.atEnd()) {
      searched = window.size();
      if (searched > ByteWindow::limit) {
        return invalidInput(fmt::format("line {} has no end within 64 MiB", number));
      }
      PENSTOCK_TRY(window.fill());
      continue;
    }
    if (end == nullptr && window.size() == 0) {
      return {};
    }
    const std::size_t size = end == nullptr ? window.size() : static_cast<std::size_t>(static_cast<const char *>(end) - window.data());
    PENSTOCK_ASSIGN(const bool more, take(number, trimmed({window.data(), size})));
    if (!more) {
      return {};
    }
    window.consume(std::min(size + 1, window.size()));
    searched = 0;
    ++number;
  }
}

} // namespace

Result<std::int64_t> vectorWidth(const std::string &file) {
  std::int64_t width = 0;
  PENSTOCK_TRY(eachLine(file, [&](std::int64_t number, std::string_view line) -> Result<bool> {
    if (number == 1 && isHeader(line)) {
      return true;
    }
    width = fieldsOf(line) - 1;
    return false;
  }));
  if (width < 1) {
    return invalidInput("its first row has no numbers");
  }
  return width;
}

Status readVectors(const std::string &file, std::int64_t width, const std::function<float *(std::string_view token)> &place) {
  return eachLine(file, [&](std::int64_t number, std::string_view line) -> Result<bool> {
    const std::size_t end = line.find_first_of(blanks);
    if (line.empty() || (number == 1 && isHeader(line))) {
      return true;
    }
    float *const to = place(line.substr(0, end));
    if (to == nullptr) {
      return true;
    }
    const char *at = line.data() + std::min(end, line.size()), *const last = line.data() + line.size();
    for (std::int64_t i = 0; i < width; ++i) {
      while (at < last && (*at == ' ' || *at == '\t')) {
        ++at;
      }
      const auto [next, error] = std::from_chars(at, last, to[i]);
      if (error != std::errc() || !std::isfinite(to[i])) {
        return invalidInput(fmt::format("number {} of line {} is none that float32 can hold", i + 1, number));
      }
      at = next;
    }
    if (std::string_view(at, static_cast<std::size_t>(last - at)).find_first_not_of(blanks) != std::string_view::npos) {
      return invalidInput(fmt::format("line {} has more than {} numbers", number, width));
    }
    return true;
  });
}

namespace {

/// Reads the rows of the tokens of `tokenizer` to `rows` (NULL: nowhere, they are judged alone). The note says how many there are.
Result<std::string> readTable(const VectorsSpec &table, const Tokenizer &tokenizer, std::int64_t width, float *rows) {
  std::unordered_map<std::string, std::int32_t> wanted;
  for (std::int64_t id = 0; id < tokenizer.vocabularySize(); ++id) {
    PENSTOCK_ASSIGN(const auto token, tokenizer.token(static_cast<std::int32_t>(id)));
    wanted.emplace(token, static_cast<std::int32_t>(id));
  }
  const std::size_t all = wanted.size();
  std::vector<float> unused(static_cast<std::size_t>(width));
  const Status read = readVectors(table.file, width, [&](std::string_view token) -> float * {
    const auto found = wanted.find(std::string(token));
    if (found == wanted.end()) {
      return nullptr;
    }
    float *const row = rows == nullptr ? unused.data() : rows + found->second * width;
    wanted.erase(found);
    return row;
  });
  if (!read.ok()) {
    return environmentError("the vectors in `" + table.file + "` cannot be used: " + read.message());
  }
  return fmt::format("{} of the {} tokens of `{}` have a row in `{}`, the others begin at random", all - wanted.size(), all, table.feature,
                     table.file);
}

/// A folder that is gone at the end.
struct PassingFolder {
  std::string path;
  ~PassingFolder() {
    std::error_code error;
    std::filesystem::remove_all(path, error);
  }
};

} // namespace

Status loadVectors(Model &model, const std::vector<VectorsSpec> &tables, const std::shared_ptr<const Dataset> &train, PluginHost &host,
                   std::vector<std::string> &notes) {
  if (tables.empty()) {
    return {};
  }
  PENSTOCK_ASSIGN(const HostTensors parameters, model.fetch(TensorClass::parameter));
  for (const VectorsSpec &table : tables) {
    const auto view = std::find_if(parameters.views().begin(), parameters.views().end(),
                                   [&](const TensorView &one) { return one.name == table.parameter; });
    if (view == parameters.views().end()) {
      continue; // nothing reads it
    }
    PENSTOCK_ASSIGN(const std::shared_ptr<const Tokenizer> tokenizer, tokenizerOf(train, table.feature, host));
    PENSTOCK_ASSIGN(std::string note, readTable(table, *tokenizer, view->shape.back(), parameters.of(*view)));
    notes.push_back(std::move(note));
  }
  return model.store(parameters);
}

Result<std::vector<std::string>> vectorsOfFacts(const std::vector<VectorsSpec> &tables, const RecordsSpec &records,
                                                const std::string &facts, PluginHost &host) {
  std::vector<std::string> notes;
  if (tables.empty()) {
    return notes;
  }
  std::error_code error;
  const PassingFolder folder{temporaryName((std::filesystem::temp_directory_path(error) / "penstock-vectors").string())};
  PENSTOCK_ASSIGN(const FittedFolder fitted, writeFitted(records, facts, folder.path));
  PENSTOCK_ASSIGN(const std::shared_ptr<const ReadyRecords> ready, readyRecords(records, fitted, host));
  for (const VectorsSpec &table : tables) {
    PENSTOCK_ASSIGN(const std::int64_t width, vectorWidth(table.file));
    for (std::size_t i = 0; i < ready->program.features.size(); ++i) {
      if (ready->program.features[i].name == table.feature) {
        PENSTOCK_ASSIGN(std::string note, readTable(table, *ready->fitted.features[i].tokenizer, width, nullptr));
        notes.push_back(std::move(note));
      }
    }
  }
  return notes;
}

} // namespace penstock
