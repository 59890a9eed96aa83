// Rows that a plugin makes, as those of any other format: cells, places, problems, facts and records to predict.
#include "runtime/data/facts.h"
#include "runtime/data/record_reader.h"

#include "support.h"

namespace penstock::test {
namespace {

/// "LINE|cell|cell" a row, "-" a missing cell, "[a b]" a list; "!FILE:LINE:COLUMN: ..." an error.
std::string read(const std::string &text, const std::vector<std::string> &columns, const std::vector<bool> &lists = {}) {
  const auto rows = makePluginRows(std::make_unique<Pieces>(text, 1U << 16), std::make_shared<FakeSource>());
  EXPECT_TRUE(rows->begin().ok());
  rows->select(columns, lists);
  std::string all;
  Row row;
  RowError error;
  std::vector<std::string_view> items;
  for (std::int64_t number = 1;; ++number) {
    const auto step = rows->next(row, error);
    EXPECT_TRUE(step.ok());
    if (*step == RowStep::end) {
      return all;
    }
    all += all.empty() ? "" : "; ";
    if (*step == RowStep::error) {
      EXPECT_EQ(error.row, error.last ? 0 : number);
      all += "!" + error.inFile("f");
      continue;
    }
    EXPECT_EQ(row.number, number);
    all += std::to_string(row.line);
    for (const Cell &cell : row.cells) {
      itemsOf(cell, items);
      std::string list;
      for (const std::string_view item : items) {
        list += (list.empty() ? "" : " ") + std::string(item);
      }
      all += "|" + (!cell.present ? "-" : cell.list ? "[" + list + "]" : std::string(cell.text));
    }
  }
}

TEST(PluginRows, HaveTheCellsThatWereSelected) {
  const std::string text = "a n w\nx 1.5 de\ny ? f\n? 0.1 g\n";
  EXPECT_EQ(read(text, {"n", "a"}), "2|1.5|x; 3|-|y; 4|0.1|-");
  EXPECT_EQ(read(text, {"a", "none", "a"}), "2|x|-|x; 3|y|-|y; 4|-|-|-") << "twice, and one that there is not";
  EXPECT_EQ(read(text, {}), "2; 3; 4");
  EXPECT_EQ(read(text, {"w"}, {true}), "2|[d e]; 3|[f]; 4|[g]");
  EXPECT_EQ(read("a n w\nx 1 de\n", {"w"}), "!f:2: `w` holds an array or an object where a value is wanted");
  EXPECT_EQ(read("a\n", {"a"}), "");
  EXPECT_EQ(read("", {"a"}), "");
  EXPECT_EQ(read("n\n1e300\n0.30000000000000004\n-0\n", {"n"}), "2|1e+300; 3|0.30000000000000004; 4|-0") << "read back to the bit";
}

TEST(PluginRows, ProblemsStandWhereTheyWere) {
  EXPECT_EQ(read("a\n!\nx\ny\n!\n!\nz\n!\n", {"a"}),
            "!f:2:3: it is wrong; 3|x; 4|y; !f:5:3: it is wrong; !f:6:3: it is wrong; 7|z; !f:8:3: it is wrong");
  EXPECT_EQ(read("a\nx\ny\nz\n!!\nz\n", {"a"}), "2|x; 3|y; !f:3: it gives up") << "with the rows of the block";
  EXPECT_EQ(read("!!\nx\n", {"a"}), "!f:1: it knows no such file");
}

TEST(PluginRows, AreRecordsAsAllOthers) {
  const Folder folder;
  for (const char *split : {"train", "dev", "test"}) {
    folder.write(std::string(split) + ".txt", std::string("text label\nleak ") + split + "\nhum b\n!\n");
  }
  Json program = textProgram(folder);
  program["sources"] = Json::array({{{"kind", "spaced"}, {"path", folder / "{split}.txt"}, {"options", {{"k", 1}}}}});
  FakeFactory factory;
  const auto facts = gatherFactsWith(specOf(program), factory, {.cache = folder / "cache"});
  ASSERT_TRUE(facts.ok()) << facts.status().message();
  const Json found = Json::parse(*facts);
  EXPECT_EQ(found["classes"]["label"]["names"], Json::array({"b", "train"}));
  std::size_t malformed = 0;
  for (const Json &problem : found["problems"]) {
    malformed += problem["id"] == "malformed-row" && problem["line"] == 4 && problem["arguments"]["text"] == "it is wrong" ? 1 : 0;
  }
  EXPECT_EQ(malformed, 3U);
  // Another build of the plugin may make other rows of the same bytes.
  const std::string before = found["hash"];
  factory.build = "another";
  EXPECT_NE(Json::parse(gatherFactsWith(specOf(program), factory, {.cache = folder / "cache"}).value())["hash"], before);
  program["sources"][0]["kind"] = "unknown";
  EXPECT_EQ(gatherFactsWith(specOf(program), factory, {}).status().message(), "no source `unknown`");
}

} // namespace
} // namespace penstock::test
