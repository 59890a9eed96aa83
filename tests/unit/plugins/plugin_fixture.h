// A host with the in-tree plugins, and what tests of single plugins share.
#pragma once

#include "runtime/plugin/plugin_host.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace penstock {

class PluginTest : public ::testing::Test {
protected:
  void SetUp() override {
    auto made = PluginHost::create();
    ASSERT_TRUE(made.ok()) << made.status().message();
    host = *made;
    for (const Status &problem : host->problems()) {
      ADD_FAILURE() << problem.message();
    }
  }

  std::shared_ptr<const Tokenizer> fitted(const std::string &plugin, const std::string &parameters, const std::vector<std::string> &texts) {
    auto fit = fitTokenizer(*host, plugin, parameters);
    if (!fit.ok()) {
      ADD_FAILURE() << fit.status().message();
      return nullptr;
    }
    EXPECT_TRUE((*fit)->add(std::vector<std::string_view>(texts.begin(), texts.end())).ok());
    const auto state = (*fit)->end();
    EXPECT_TRUE(state.ok());
    auto tokenizer = makeTokenizer(*host, plugin, parameters, *state);
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    return *tokenizer;
  }

  static Tokenizer::Tokens encodeOne(const Tokenizer &tokenizer, std::string_view text, std::int64_t most = -1) {
    Tokenizer::Tokens tokens;
    const Status encoded = tokenizer.encode({&text, 1}, most, true, tokens);
    EXPECT_TRUE(encoded.ok()) << encoded.message();
    return tokens;
  }

  /// The pieces of the text that the offsets name.
  static std::vector<std::string> pieces(std::string_view text, const Tokenizer::Tokens &tokens) {
    std::vector<std::string> found;
    for (std::size_t i = 0; i < tokens.ids.size(); ++i) {
      found.emplace_back(text.substr(tokens.starts[i], tokens.ends[i] - tokens.starts[i]));
    }
    return found;
  }

  std::shared_ptr<PluginHost> host;
};

/// Records to judge as plain lists; what does not apply is empty.
struct PlainRecords {
  std::vector<std::int32_t> gold, predicted;         // of tags: of words
  std::vector<std::int64_t> offsets;                 // of tags: the words of each record
  std::vector<std::uint8_t> goldSets, predictedSets; // records x classes
  std::vector<double> goldNumbers, predictedNumbers, weights;
  std::vector<double> scores; // records x width; one for two classes is the probability of the second
  std::size_t width = 0;
  bool exact = true; // scores are given in double precision
};

/// The same as columns.
class PlainColumns {
public:
  PlainColumns(const PlainRecords &plain, const std::vector<std::string> &names, const std::vector<std::string> &others = {}) {
    const bool sets = !plain.goldSets.empty(), numbers = names.empty();
    const std::string meaning = numbers ? "number" : sets ? "set" : !plain.offsets.empty() ? "tags" : "class";
    spec.gold = targetField("gold", meaning, names, others);
    spec.answers = {targetField("answer", meaning, names, others)};
    weights = plain.weights;
    answers = columnsOf(spec.answers);
    gold = Column(spec.gold);
    if (numbers) {
      gold.of<double>() = plain.goldNumbers;
      answers[0].of<double>() = plain.predictedNumbers;
      gold.rows = answers[0].rows = static_cast<std::int64_t>(plain.goldNumbers.size());
    } else if (sets) {
      put(gold, plain.goldSets, spec.gold.classes.size());
      put(answers[0], plain.predictedSets, spec.gold.classes.size());
    } else {
      gold.of<std::int32_t>() = plain.gold;
      answers[0].of<std::int32_t>() = plain.predicted;
      gold.rows = answers[0].rows = static_cast<std::int64_t>(plain.offsets.empty() ? plain.gold.size() : plain.offsets.size() - 1);
      gold.offsets = answers[0].offsets = plain.offsets;
    }
    if (!plain.scores.empty()) {
      putScores(plain, names);
    }
  }
  JudgedRecords view() const { return {gold.rows, &answers, &gold, nullptr, weights.empty() ? nullptr : weights.data()}; }
  JudgingSpec spec;

private:
  static void put(Column &column, const std::vector<std::uint8_t> &bits, std::size_t width) {
    for (std::size_t at = 0; at < bits.size(); at += width) {
      for (std::size_t c = 0; c < width; ++c) {
        if (bits[at + c] != 0) {
          column.of<std::int32_t>().push_back(static_cast<std::int32_t>(c));
        }
      }
      column.endRow();
    }
  }
  void putScores(const PlainRecords &plain, const std::vector<std::string> &names) {
    std::vector<std::string> columns = names;
    columns.resize(plain.width == 1 && names.size() == 2 ? 2 : plain.width);
    spec.answers.push_back(probabilitiesField(columns, plain.exact ? PENSTOCK_F64 + 0 : PENSTOCK_F32 + 0));
    answers.emplace_back(spec.answers.back());
    std::vector<double> values;
    for (const double score : plain.scores) {
      if (plain.width == 1 && names.size() == 2) {
        values.push_back(1 - score);
      }
      values.push_back(score);
    }
    if (plain.exact) {
      answers[1].of<double>() = std::move(values);
    } else {
      answers[1].of<float>().assign(values.begin(), values.end());
    }
    answers[1].rows = gold.rows;
  }

  std::vector<Column> answers;
  Column gold;
  std::vector<double> weights;
};

inline std::string readWhole(const std::filesystem::path &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Folder of the golden fixtures, or empty.
inline std::string goldenFolder() {
  std::vector<std::filesystem::path> places;
  if (const char *given = std::getenv("PENSTOCK_GOLDEN")) {
    places.emplace_back(given);
  }
  if (const char *shared = std::getenv("PENSTOCK_SHARED")) {
    places.push_back(std::filesystem::path(shared) / "golden");
  }
  if (const char *source = std::getenv("PENSTOCK_SOURCE")) {
    places.push_back(std::filesystem::path(source).parent_path() / "shared" / "golden");
  }
  for (const auto &place : places) {
    std::error_code error;
    if (std::filesystem::is_directory(place, error)) {
      return place.string();
    }
  }
  return "";
}

} // namespace penstock
