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
