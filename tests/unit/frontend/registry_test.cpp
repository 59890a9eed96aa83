// The registry, the specification and the tests tell of the same rules.
#include "compiler/diagnostics/registry.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

using namespace penstock::diagnostics;

namespace {

std::string source() {
  const char *folder = std::getenv("PENSTOCK_SOURCE");
  return folder != nullptr ? folder : ".";
}

std::string read(const std::filesystem::path &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::set<std::string> clausesOfTheSpecification() {
  const std::string text = read(source() + "/docs/spec/language.md");
  EXPECT_FALSE(text.empty());
  std::set<std::string> clauses;
  const std::regex clause(R"(\[([A-Z][0-9]+)\])");
  for (auto it = std::sregex_iterator(text.begin(), text.end(), clause); it != std::sregex_iterator(); ++it) {
    clauses.insert((*it)[1]);
  }
  return clauses;
}

} // namespace

TEST(Registry, EveryClauseHasADiagnosticAndEveryDiagnosticAClause) {
  std::set<std::string> cited;
  for (const DiagnosticInfo &info : registry()) {
    EXPECT_TRUE(cited.insert(std::string(info.clause)).second) << info.id << " shares the clause " << info.clause;
  }
  EXPECT_EQ(cited, clausesOfTheSpecification());
}

TEST(Registry, EveryIdHasATestInLit) {
  std::set<std::string> tested = {"internal-mistake"}; // below: no input may reach it
  const std::regex check(R"re(CHECK[A-Z-]*:.*"id":"([a-z0-9-]+)")re");
  std::size_t files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(source() + "/tests/lit/diagnostics")) {
    if (!entry.is_regular_file()) {
      continue;
    }
    ++files;
    const std::string text = read(entry.path());
    for (auto it = std::sregex_iterator(text.begin(), text.end(), check); it != std::sregex_iterator(); ++it) {
      tested.insert((*it)[1]);
    }
  }
  EXPECT_GT(files, 50u);
  std::set<std::string> ids;
  for (const DiagnosticInfo &info : registry()) {
    EXPECT_TRUE(ids.insert(std::string(info.id)).second) << info.id << " is registered twice";
  }
  EXPECT_EQ(ids, tested);
}

TEST(Registry, EveryEntrySaysWhatAndWhy) {
  for (const DiagnosticInfo &info : registry()) {
    EXPECT_FALSE(info.message.empty()) << info.id;
    EXPECT_FALSE(info.reason.empty()) << info.id;
    EXPECT_FALSE(info.fix.empty() && info.otherwise.empty()) << info.id;
  }
}

TEST(Registry, AnUnregisteredIdIsReportedAsAMistakeOfOurs) {
  DiagnosticList list;
  list.report("no-such-id", {});
  ASSERT_EQ(list.all().size(), 1u);
  EXPECT_EQ(list.all()[0].id, "internal-mistake");
  EXPECT_NE(list.all()[0].message.find("no-such-id"), std::string::npos);
}

TEST(DiagnosticList, StopsAtTheLimitAndCountsOn) {
  DiagnosticList list;
  for (int i = 0; i < 130; ++i) {
    SourceRange range;
    range.begin = static_cast<std::uint32_t>(i);
    const Arguments name = {{"name", "n" + std::to_string(i)}};
    list.report("unknown-name", range, name);
    list.report("unknown-name", range, name); // an exact repetition
  }
  EXPECT_EQ(list.all().size(), 100u);
  EXPECT_EQ(list.errors(), 130u);
  EXPECT_EQ(list.dropped(), 30u);
}

TEST(DiagnosticList, KeepsTheFirstOfThoseThatSayTheSame) {
  DiagnosticList list;
  for (int i = 0; i < 30000; ++i) {
    SourceRange range;
    range.begin = static_cast<std::uint32_t>(i);
    list.report("division-by-zero", range);
  }
  list.report("unknown-name", {}, {{"name", "n"}});
  EXPECT_EQ(list.all().size(), 11u);
  EXPECT_EQ(list.errors(), 30001u);
  EXPECT_EQ(list.dropped(), 29990u);
}

TEST(Nearest, FindsWhatWasMeantAndNothingElse) {
  EXPECT_EQ(nearest("acuracy", {"accuracy", "f1"}), "accuracy");
  EXPECT_EQ(nearest("tokesn", {"tokens", "text"}), "tokens");
  EXPECT_EQ(nearest("x", {"accuracy", "f1"}), "");
  EXPECT_EQ(nearest("", {"a"}), "");
}
