// Folders, files and records for the tests of runtime/data, and a tokenizer of their own.
#pragma once

#include "runtime/base/fields_json.h"
#include "runtime/data/bytes.h"
#include "runtime/data/data_plugins.h"
#include "runtime/data/dataset.h"
#include "runtime/data/record_program.h"
#include "runtime/data/record_reader.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

namespace penstock::test {

using Json = nlohmann::json;

class Folder {
public:
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "penstock-test-XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path, error);
  }
  std::string operator/(const std::string &name) const { return path + "/" + name; }
  std::string write(const std::string &name, const std::string &text) const {
    std::filesystem::create_directories(std::filesystem::path(path + "/" + name).parent_path());
    std::ofstream(path + "/" + name, std::ios::binary) << text;
    return path + "/" + name;
  }
  std::string path;
};

/// Gives at most `piece` bytes a read, so that rows straddle reads everywhere.
class Pieces : public ByteSource {
public:
  Pieces(std::string text, std::size_t piece) : text(std::move(text)), piece(piece) {}
  Result<std::size_t> read(char *into, std::size_t size) override {
    const std::size_t count = std::min({size, piece, text.size() - at});
    text.copy(into, count, at);
    at += count;
    return count;
  }

private:
  std::string text;
  std::size_t piece, at = 0;
};

/// Text as the input of a RecordReader.
inline Result<std::unique_ptr<RecordReader>> openRecordsWith(const RecordsSpec &records, const FittedFolder &fitted, DataPlugins &factory,
                                                             RecordInput input) {
  PENSTOCK_ASSIGN(std::shared_ptr<const ReadyRecords> ready, readyRecordsWith(records, fitted, factory));
  return RecordReader::open(std::move(ready), std::move(input));
}

inline RecordInput recordsOf(const std::string &text, const std::string &format, const std::string &path = "in") {
  return {std::make_unique<Pieces>(text, 1U << 20), path, format};
}

inline std::string slurp(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Words split at spaces; id 0 is the unknown word, the others are numbered by first appearance in train.
class FakeTokenizer : public Tokenizer {
public:
  explicit FakeTokenizer(const std::string &state) {
    std::istringstream lines(state);
    for (std::string word; std::getline(lines, word);) {
      words.emplace(word, static_cast<std::int32_t>(words.size() + 1));
    }
  }
  std::int64_t vocabularySize() const override { return static_cast<std::int64_t>(words.size()) + 1; }
  std::int32_t unknownId() const override { return 0; }
  Result<std::string> token(std::int32_t) const override { return std::string(); }
  Status encode(std::span<const std::string_view> texts, std::int64_t maxTokens, bool, Tokens &tokens) const override {
    tokens.clear();
    for (const std::string_view text : texts) {
      if (!refuses.empty() && text == refuses) {
        return invalidInput("`fake`: refused");
      }
      std::int64_t count = 0;
      std::istringstream split{std::string(text)};
      for (std::string word; (maxTokens < 0 || count < maxTokens) && split >> word; ++count) {
        const auto found = words.find(word);
        tokens.ids.push_back(found == words.end() ? 0 : found->second);
      }
      tokens.offsets.push_back(static_cast<std::int64_t>(tokens.ids.size()));
    }
    return Status::success();
  }
  const SpecialTokens &specialTokens() const override { return special; }
  SpecialTokens special;
  std::string refuses;

private:
  std::map<std::string, std::int32_t> words;
};

class FakeFit : public TokenizerFit {
public:
  Status add(const std::vector<std::string_view> &texts) override {
    for (const std::string_view text : texts) {
      std::istringstream split{std::string(text)};
      for (std::string word; split >> word;) {
        if (seen.emplace(word, true).second) {
          state += word + "\n";
        }
      }
    }
    return Status::success();
  }
  Result<std::string> end() override { return state; }

private:
  std::map<std::string, bool> seen;
  std::string state;
};

/// A row a line: its words, under the names that the first line has; `?` is missing, a line `!` is a problem, at `!!` it gives up.
class FakeSource : public Source {
public:
  class Reader : public SourceReader {
  public:
    explicit Reader(const ReadBytes &read) {
      std::string text(1U << 16, ' ');
      text.resize(read(text.data(), text.size()).value());
      lines.str(text);
      std::string line;
      std::getline(lines, line);
      std::istringstream words(line);
      for (std::string word; words >> word;) {
        ColumnField &field = fields.emplace_back();
        field.name = word;
        field.element = word[0] == 'n' ? PENSTOCK_F64 : PENSTOCK_TEXT;
        field.shape = word[0] == 'w' ? PENSTOCK_LIST : PENSTOCK_EACH;
      }
    }
    const Schema &schema() const override { return fields; }
    Status select(const std::vector<int> &places) override {
      selected = places;
      return {};
    }
    Result<bool> next(SourceRows &rows) override {
      rows = {};
      for (const int place : selected) {
        rows.columns.emplace_back(fields[static_cast<std::size_t>(place)]);
      }
      std::string line;
      while (rows.rows < 2 && std::getline(lines, line)) { // two rows at once
        ++number;
        if (line == "!!") {
          return invalidInput("it gives up");
        }
        if (line == "!") {
          rows.problems.push_back({rows.rows, number + 1, 3, "it is wrong", false});
          continue;
        }
        std::istringstream split(line);
        std::vector<std::string> words;
        for (std::string word; split >> word;) {
          words.push_back(word);
        }
        for (std::size_t i = 0; i < selected.size(); ++i) {
          const auto place = static_cast<std::size_t>(selected[i]);
          put(rows.columns[i], fields[place], place < words.size() ? words[place] : "?");
        }
        ++rows.rows;
        rows.lines.push_back(number + 1);
      }
      return rows.rows > 0 || !rows.problems.empty();
    }

  private:
    static void put(Column &column, const ColumnField &field, const std::string &word) {
      if (field.element == PENSTOCK_F64) {
        column.of<double>().push_back(word == "?" ? 0 : std::stod(word));
      } else if (field.isList()) {
        for (const char c : word) {
          column.texts().push_back({&c, 1});
        }
        return column.endRow();
      } else {
        column.texts().push_back(word);
      }
      column.present.push_back(word != "?");
      ++column.rows;
    }
    std::istringstream lines;
    Schema fields;
    std::vector<int> selected;
    std::int64_t number = 0;
  };
  Result<std::unique_ptr<SourceReader>> open(ReadBytes read) const override {
    auto reader = std::make_unique<Reader>(read);
    if (!reader->schema().empty() && reader->schema()[0].name == "!!") {
      return invalidInput("it knows no such file");
    }
    return std::unique_ptr<SourceReader>(std::move(reader));
  }
};

/// Tokenizers `fake` (fits) and `fixed` (reads its words from the file at its parameter `vocabulary`), and the source `spaced`.
class FakeFactory : public DataPlugins {
public:
  std::string version = "1.2.3", build;
  std::atomic<int> made{0}, fitted{0};
  Tokenizer::SpecialTokens special; // of the tokenizers made from now on
  std::string refuses;              // a text that they do not take

  Result<TokenizerInfo> info(const std::string &plugin) override {
    if (plugin != "fake" && plugin != "fixed") {
      return invalidInput("no tokenizer `" + plugin + "`");
    }
    return plugin == "fake" ? TokenizerInfo{version, true, {}, build} : TokenizerInfo{version, false, {{"vocabulary"}}, build};
  }
  Result<std::shared_ptr<const Tokenizer>> make(const std::string &plugin, const std::string &parameters,
                                                const std::string &state) override {
    ++made;
    std::string words = state;
    if (plugin == "fixed") {
      words = slurp(Json::parse(parameters).at("vocabulary").get<std::string>());
    }
    auto tokenizer = std::make_shared<FakeTokenizer>(words);
    tokenizer->special = special;
    tokenizer->refuses = refuses;
    return std::shared_ptr<const Tokenizer>(std::move(tokenizer));
  }
  Result<std::unique_ptr<TokenizerFit>> fit(const std::string &, const std::string &) override {
    ++fitted;
    return std::unique_ptr<TokenizerFit>(std::make_unique<FakeFit>());
  }
  Result<MadeSource> source(const std::string &plugin, const std::string &) override {
    if (plugin != "spaced") {
      return invalidInput("no source `" + plugin + "`");
    }
    return MadeSource{std::make_shared<FakeSource>(), version + build};
  }
};

/// CSV files FOLDER/{split}.csv with columns text and label, words as ids.
inline Json textProgram(const Folder &folder) {
  return {{"sources", {{{"kind", "csv"}, {"path", folder / "{split}.csv"}, {"options", Json::object()}}}},
          {"split", {{"by", "file"}}},
          {"columns",
           {{{"name", "text"}, {"type", "text"}, {"from", "text"}},
            {{"name", "label"}, {"type", "class"}, {"from", "label"}, {"classes", nullptr}}}},
          {"features",
           {{{"name", "tokens"},
             {"columns", {"text"}},
             {"axis", "tokens"},
             {"steps",
              {{{"op", "clean"}, {"parameters", {{"lowercase", true}, {"unicode", "nfc"}, {"strip", true}}}},
               {{"op", "tokenize"}, {"plugin", "fake"}, {"parameters", Json::object()}, {"max_length", 5}}}}}}},
          {"inputs",
           {{{"name", "tokens"}, {"kind", "ids"}, {"axis", "tokens"}, {"feature", "tokens"}, {"target", false}},
            {{"name", "label"}, {"kind", "class"}, {"column", "label"}, {"target", true}}}}};
}

/// By its name in the language: `longest_first`, `first`, `second`.
inline Truncation truncationOf(const std::string &word) {
  Truncation truncation = Truncation::longestFirst;
  readField(FieldJson(word), truncation, JsonPlace());
  return truncation;
}

/// Whether the records are no value, or one that cannot be interpreted.
inline bool isRefused(const Json &json) {
  const Result<RecordsSpec> spec = readJson<RecordsSpec>(FieldJson::parse(json.dump(), nullptr, false), "the test");
  return !spec.ok() || !RecordProgram::link(*spec).ok();
}

/// The records that JSON describes; without sources where it describes none.
inline RecordsSpec specOf(const Json &json) {
  const Result<RecordsSpec> spec = readJson<RecordsSpec>(FieldJson::parse(json.dump(), nullptr, false), "the test");
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  return spec.ok() ? *spec : RecordsSpec();
}

inline std::vector<Json> problemsOf(const Json &facts, const std::string &id) {
  std::vector<Json> found;
  for (const Json &problem : facts.at("problems")) {
    if (problem.at("id") == id) {
      found.push_back(problem);
    }
  }
  return found;
}

} // namespace penstock::test
