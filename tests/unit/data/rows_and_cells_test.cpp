// Operators on rows and cells, and splits by hash, by class and in folds.
#include "runtime/data/encode.h"
#include "runtime/data/facts.h"
#include "runtime/data/hash_split.h"
#include "runtime/data/merged_classes.h"

#include "support.h"

#include <array>
#include <set>

namespace penstock::test {
namespace {

using Rows = std::vector<std::vector<std::string>>;

/// The cells of the records of a split, in their order.
Rows readSplit(const Json &json, int split) {
  Rows found;
  const Result<RecordProgram> program = RecordProgram::link(specOf(json));
  EXPECT_TRUE(program.ok()) << program.status().message();
  const Result<std::unique_ptr<RowSource>> rows = program->openRows(split);
  EXPECT_TRUE(rows.ok()) << rows.status().message();
  RowBlock block;
  std::vector<RowError> errors;
  while (rows.ok() && *readBlock(*program, **rows, split, split, block, errors)) {
    for (std::size_t row = 0; row < block.rows(); ++row) {
      std::vector<std::string> &cells = found.emplace_back();
      for (std::size_t column = 0; column < program->columns.size(); ++column) {
        Cell cell = block.cell(row, column);
        std::string text(cell.text);
        std::replace(text.begin(), text.end(), listEnd, '|');
        cells.push_back(cell.present ? text : "absent");
      }
    }
  }
  EXPECT_TRUE(errors.empty());
  return found;
}

Json gather(const Json &program, const FactsOptions &options = {}) {
  FakeFactory factory;
  const Result<std::string> facts = gatherFactsWith(specOf(program), factory, options);
  EXPECT_TRUE(facts.ok()) << facts.status().message();
  return facts.ok() ? Json::parse(*facts) : Json();
}

/// One file with the columns of textProgram, split by `split`.
Json oneFile(const Folder &folder, const std::string &text, Json split) {
  folder.write("all.csv", text);
  Json program = textProgram(folder);
  program["sources"][0]["path"] = folder / "all.csv";
  program["split"] = std::move(split);
  return program;
}

Json step(const std::string &op, Json parameters) { return {{"op", op}, {"parameters", std::move(parameters)}}; }

TEST(Rows, AreDroppedKeptAndCountedBySplit) {
  const Folder folder;
  folder.write("train.csv", "text,label\na,x\n  ,x\nb,y\nc,\nd,N/A\ne,z\n");
  folder.write("dev.csv", "text,label\n,x\nf,x\n");
  folder.write("test.csv", "text,label\ng,y\n");
  Json program = textProgram(folder);
  program["sources"][0]["steps"] = {step("drop", {{"text", "empty"}, {"label", {"", "N/A"}}}), step("keep", {{"label", {"x", "y"}}})};
  EXPECT_EQ(readSplit(program, 0), (Rows{{"a", "x"}, {"b", "y"}}));
  EXPECT_EQ(readSplit(program, 1), (Rows{{"f", "x"}}));
  const Json facts = gather(program);
  EXPECT_EQ(facts["splits"]["train"]["records"], 2);
  EXPECT_EQ(facts["splits"]["train"]["removed"], (Json{{"drop", 3}, {"keep", 1}}));
  EXPECT_EQ(facts["splits"]["dev"]["removed"], (Json{{"drop", 1}, {"keep", 0}}));
  EXPECT_TRUE(facts["problems"].empty()) << facts["problems"].dump(2) << ": what is missing from a removed row is no mistake";
}

TEST(Rows, OfEqualTextsTheFirstStaysAndAcrossFilesThatOfTrain) {
  const Folder folder;
  folder.write("train.csv", "text,label\nLeak,x\nother,x\n leak ,y\nleak,x\n");
  folder.write("dev.csv", "text,label\nLEAK,x\nnew,x\nnew,x\n");
  folder.write("test.csv", "text,label\nNew,x\nother,x\nlast,y\n");
  Json program = textProgram(folder);
  program["sources"][0]["steps"] = {step("dedupe", {{"columns", {"text"}}})};
  EXPECT_EQ(readSplit(program, 0), (Rows{{"Leak", "x"}, {"other", "x"}}));
  EXPECT_EQ(readSplit(program, 1), (Rows{{"new", "x"}}));
  EXPECT_EQ(readSplit(program, 2), (Rows{{"last", "y"}}));
  const Json facts = gather(program);
  EXPECT_EQ(facts["splits"]["train"]["removed"]["dedupe"], 2);
  EXPECT_EQ(facts["splits"]["dev"]["removed"]["dedupe"], 2);
  EXPECT_EQ(facts["splits"]["test"]["removed"]["dedupe"], 2);
  EXPECT_TRUE(facts["overlap"].empty());
  program["sources"][0]["steps"] = {step("dedupe", {{"columns", {"text", "label"}}})};
  EXPECT_EQ(readSplit(program, 0), (Rows{{"Leak", "x"}, {"other", "x"}, {" leak ", "y"}}));
}

TEST(Rows, OfAFileThatIsEverySplitAreNotThoseOfAnEarlierOne) {
  const Folder folder;
  Json program = textProgram(folder);
  program["sources"][0]["path"] = folder.write("one.csv", "text,label\na,x\nb,y\na,x\n");
  program["sources"][0]["steps"] = {step("dedupe", {{"columns", {"text"}}})};
  for (int split = 0; split < 3; ++split) {
    EXPECT_EQ(readSplit(program, split), (Rows{{"a", "x"}, {"b", "y"}}));
  }
}

TEST(Rows, OfASplitByOrderHaveNoShare) {
  const Folder folder;
  std::string text = "text,label\n";
  for (int i = 0; i < 40; ++i) {
    text += (i % 2 == 0 ? "" : "t" + std::to_string(i)) + "," + std::to_string(i) + "\n";
  }
  Json program = oneFile(folder, text, {{"by", "order"}, {"column", "label"}, {"shares", {{"train", 0.8}, {"dev", 0.1}, {"test", 0.1}}}});
  program["columns"][1] = {{"name", "label"}, {"type", "number"}};
  program["inputs"][1]["kind"] = "number";
  program["sources"][0]["steps"] = {step("drop", {{"text", "empty"}})};
  EXPECT_EQ(readSplit(program, 2), (Rows{{"t37", "37"}, {"t39", "39"}}));
  const Json facts = gather(program);
  EXPECT_EQ(facts["splits"]["train"]["records"], 16);
  EXPECT_EQ(facts["splits"]["train"]["removed"]["drop"].get<int>() + facts["splits"]["dev"]["removed"]["drop"].get<int>() +
                facts["splits"]["test"]["removed"]["drop"].get<int>(),
            20);
}

TEST(Rows, StepsThatThereAreNotAreRefused) {
  const Folder folder;
  const auto with = [&](const Json &one) {
    Json program = textProgram(folder);
    program["sources"][0]["steps"] = {one};
    return program;
  };
  EXPECT_TRUE(isRefused(with(step("sort", Json::object()))));
  EXPECT_TRUE(isRefused(with(step("keep", {{"label", "empty"}}))));
  EXPECT_TRUE(isRefused(with(step("drop", {{"lable", "empty"}}))));
  EXPECT_TRUE(isRefused(with(step("dedupe", {{"columns", {"lable"}}}))));
  EXPECT_FALSE(isRefused(with(step("drop", {{"label", "empty"}}))));
}

TEST(Cells, AreChangedInTheirOrder) {
  const Folder folder;
  folder.write("train.csv", "text,label\n\" Stra\xC3\x9F"
                            "e \", YES \n\xE3\x80\x80x,n/a\n");
  Json program = textProgram(folder);
  program["columns"][0]["steps"] = {step("trim", Json::object()), step("casefold", Json::object())};
  program["columns"][1]["steps"] = {step("trim", Json::object()), step("casefold", Json::object()),
                                    step("map", {{"pairs", {"yes", "no", "no", "maybe", "n/a", ""}}})};
  EXPECT_EQ(readSplit(program, 0), (Rows{{"strasse", "no"}, {"x", ""}})) << "a text is mapped once";
}

TEST(Cells, OfListsAreChangedItemByItem) {
  const Folder folder;
  folder.write(
      "train.jsonl",
      "{\"text\": [\"A\", \" b\"], \"label\": \"X| y |x\"}\n{\"text\": \"C d\", \"label\": null}\n{\"text\": [], \"label\": \"\"}\n");
  Json program = textProgram(folder);
  program["sources"] = Json::array({{{"kind", "jsonl"}, {"path", folder / "{split}.jsonl"}}});
  program["columns"] = {{{"name", "text"}, {"type", "words"}, {"steps", {step("casefold", Json::object())}}},
                        {{"name", "label"},
                         {"type", "set"},
                         {"separator", "|"},
                         {"steps", {step("casefold", Json::object()), step("map", {{"pairs", {"y", "z"}}})}}}};
  program["inputs"][1]["kind"] = "set";
  EXPECT_EQ(readSplit(program, 0), (Rows{{"a| b|", "x|z|x|"}, {"c|d|", "absent"}, {"", ""}}));
  program["sources"][0]["steps"] = {step("keep", {{"label", {"z"}}})};
  EXPECT_EQ(readSplit(program, 0), (Rows{{"a| b|", "x|z|x|"}})) << "of a list one item is enough";
}

TEST(Cells, OfATableHaveItsPairs) {
  const Folder folder;
  folder.write("train.csv", "text,label\na,yes\nb,\"n,o\"\nc,other\n");
  Json program = textProgram(folder);
  program["columns"][1]["steps"] = {step("map", {{"table", "\xEF\xBB\xBFyes,1\n\"n,o\",2\nbroken\n"}})};
  EXPECT_EQ(readSplit(program, 0), (Rows{{"a", "1"}, {"b", "2"}, {"c", "other"}}));
  program["split"] = {{"by", "hash"}, {"shares", {{"train", 1.0}}}};
  program["sources"][0]["path"] = folder / "train.csv";
  const Json facts = gather(program);
  const std::vector<Json> problems = problemsOf(facts, "bad-table");
  ASSERT_EQ(problems.size(), 1U) << facts["problems"].dump(2);
  EXPECT_EQ(problems[0]["place"], "columns.label");
  EXPECT_EQ(problems[0]["arguments"]["line"], 3);
}

TEST(Cells, RareClassesBecomeOneAndSoDoesWhatTrainLacks) {
  const Folder folder;
  folder.write("train.csv", "text,label\na,x\nb,x\nc,x\nd,y\ne,y\nf,z\n");
  folder.write("dev.csv", "text,label\ng,new\nh,z\ni,x\n");
  folder.write("test.csv", "text,label\nj,y\n");
  Json program = textProgram(folder);
  program["columns"][1]["steps"] = {step("merge", {{"rare", 2}, {"into", "other"}})};
  Json facts = gather(program);
  EXPECT_EQ(facts["classes"]["label"]["names"], (Json{"other", "x", "y"}));
  EXPECT_EQ(facts["classes"]["label"]["counts"]["train"], (Json{1, 3, 2}));
  EXPECT_EQ(facts["classes"]["label"]["counts"]["dev"], (Json{2, 1, 0}));
  EXPECT_TRUE(problemsOf(facts, "class-absent-from-train").empty());
  program["columns"][1]["steps"] = {step("merge", {{"rare", 1}, {"into", "other"}})};
  facts = gather(program);
  EXPECT_EQ(facts["classes"]["label"]["names"], (Json{"x", "y", "z"})) << "nothing is rare, so there is no class of the rare";
  EXPECT_EQ(problemsOf(facts, "class-absent-from-train").size(), 1U);
}

TEST(Cells, OfTagsTypesAreMergedByTheirChunks) {
  ColumnSpec column;
  column.type = ColumnSpec::Type::tags;
  column.scheme = TagScheme::iob1;
  const ClassMerge merge = {2, "MISC"};
  EXPECT_EQ(mergedWhole(column, "B-PER"), "PER");
  EXPECT_EQ(mergedWhole(column, "O"), "");
  EXPECT_EQ(mergedName(column, merge, "I-PER"), "I-MISC");
  column.scheme = TagScheme::none;
  EXPECT_EQ(mergedWhole(column, "B-PER"), "B-PER");
  EXPECT_EQ(mergedName(column, merge, "NOUN"), "MISC");
}

/// 211 texts, each of which stands in one to three spellings, and some rows without a text.
std::string spelled() {
  std::string text = "text,label\n";
  for (int i = 0; i < 211; ++i) {
    const std::string word = "word" + std::to_string(i);
    const std::string label = i % 7 == 0 ? "rare" : i % 3 == 0 ? "some" : "most";
    for (const std::string &one : {word, " WORD" + std::to_string(i), "Word" + std::to_string(i) + " "}) {
      if (one == word || i % 5 == 0) {
        text += one + "," + label + "\n";
      }
    }
    text += i % 13 == 0 ? ",l" + std::to_string(i) + "\n" : "";
  }
  return text;
}

std::array<Rows, 3> splitsOf(const Json &program) { return {readSplit(program, 0), readSplit(program, 1), readSplit(program, 2)}; }

std::string lower(std::string text) {
  std::erase(text, ' ');
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Every row is in one split, and every text with it.
void expectNoLeak(const std::array<Rows, 3> &splits, std::size_t rows) {
  std::map<std::string, std::set<int>> of;
  std::size_t all = 0;
  for (int split = 0; split < 3; ++split) {
    all += splits[static_cast<std::size_t>(split)].size();
    for (const auto &row : splits[static_cast<std::size_t>(split)]) {
      if (!row[0].empty()) {
        of[lower(row[0])].insert(split);
      }
    }
  }
  EXPECT_EQ(all, rows);
  for (const auto &[text, found] : of) {
    EXPECT_EQ(found.size(), 1U) << text;
  }
}

constexpr std::size_t spelledRows = 211 + 2 * 43 + 17;

TEST(Split, KeepsEqualTextsTogetherAndSpreadsTheEmptyOnes) {
  const Folder folder;
  const Json shares = {{"train", 0.6}, {"dev", 0.2}, {"test", 0.2}};
  const Json program = oneFile(folder, spelled(), {{"by", "hash"}, {"column", "text"}, {"shares", shares}});
  const std::array<Rows, 3> splits = splitsOf(program);
  expectNoLeak(splits, spelledRows);
  std::array<int, 3> empty = {};
  for (std::size_t split = 0; split < 3; ++split) {
    for (const auto &row : splits[split]) {
      empty[split] += row[0].empty() ? 1 : 0;
    }
  }
  EXPECT_EQ(empty[0] + empty[1] + empty[2], 17);
  EXPECT_LT(*std::max_element(empty.begin(), empty.end()), 17) << "records with an empty key are spread";
  EXPECT_TRUE(gather(program)["overlap"].empty()) << "its own split never leaks";
  const Json unnamed = oneFile(folder, spelled(), {{"by", "hash"}, {"shares", shares}});
  EXPECT_EQ(splitsOf(unnamed), splits) << "without a name the texts are hashed, and there is one";
}

TEST(Split, WithoutTextsHashesAllButIds) {
  const Folder folder;
  std::string text = "text,label\n";
  for (int i = 0; i < 101; ++i) {
    text += "id" + std::to_string(i) + "," + std::to_string(i % 10) + "\n";
  }
  Json program = oneFile(folder, text, {{"by", "hash"}, {"shares", {{"train", 0.5}, {"dev", 0.25}, {"test", 0.25}}}});
  program["columns"] = {{{"name", "text"}, {"type", "id"}}, {{"name", "label"}, {"type", "class"}}};
  program["features"] = Json::array();
  program["inputs"] = {{{"name", "label"}, {"kind", "class"}, {"column", "label"}, {"target", true}}};
  std::map<std::string, std::set<std::size_t>> of;
  const std::array<Rows, 3> splits = splitsOf(program);
  for (std::size_t split = 0; split < 3; ++split) {
    for (const auto &row : splits[split]) {
      of[row[1]].insert(split);
    }
  }
  EXPECT_EQ(of.size(), 10U);
  for (const auto &[cell, found] : of) {
    EXPECT_EQ(found.size(), 1U) << cell;
  }
}

TEST(Split, ByClassMeetsTheSharesInEach) {
  const Folder folder;
  std::string text = "text,label\n";
  for (int i = 0; i < 173; ++i) {
    text += "text" + std::to_string(i) + "," + (i < 3 ? "few" : i < 13 ? "ten" : i < 14 ? "one" : "many") + "\n";
  }
  const Json split = {{"by", "hash"}, {"stratify", "label"}, {"shares", {{"train", 0.8}, {"dev", 0.1}, {"test", 0.1}}}};
  const std::array<Rows, 3> splits = splitsOf(oneFile(folder, text, split));
  std::map<std::string, std::array<int, 3>> counts;
  for (std::size_t i = 0; i < 3; ++i) {
    for (const auto &row : splits[i]) {
      ++counts[row[1]][i];
    }
  }
  EXPECT_EQ(counts["one"], (std::array{1, 0, 0}));
  EXPECT_EQ(counts["few"], (std::array{3, 0, 0}));
  EXPECT_EQ(counts["ten"], (std::array{8, 1, 1}));
  EXPECT_NEAR(counts["many"][0], 159 * 0.8, 1);
  EXPECT_NEAR(counts["many"][1], 159 * 0.1, 1);
  EXPECT_NEAR(counts["many"][2], 159 * 0.1, 1);
  expectNoLeak(splitsOf(oneFile(folder, spelled(), split)), spelledRows);
}

TEST(Split, InFoldsEveryRecordOfTheRestIsDevOnceAndTestIsAsWithoutThem) {
  const Folder folder;
  for (const bool byClass : {false, true}) {
    Json split = {{"by", "hash"}, {"column", "text"}, {"folds", 5}, {"shares", {{"train", 0.8}, {"test", 0.2}}}};
    if (byClass) {
      split["stratify"] = "label";
    }
    std::multiset<std::vector<std::string>> dev;
    Rows test;
    for (int fold = 0; fold < 5; ++fold) {
      split["fold"] = fold;
      const std::array<Rows, 3> splits = splitsOf(oneFile(folder, spelled(), split));
      expectNoLeak(splits, spelledRows);
      dev.insert(splits[1].begin(), splits[1].end());
      EXPECT_GT(splits[1].size(), 25U);
      if (fold > 0) {
        EXPECT_EQ(splits[2], test);
      }
      test = splits[2];
    }
    EXPECT_EQ(dev.size() + test.size(), spelledRows);
    split.erase("fold");
    const Rows first = splitsOf(oneFile(folder, spelled(), split))[1];
    split["fold"] = 5;
    const std::array<Rows, 3> whole = splitsOf(oneFile(folder, spelled(), split));
    EXPECT_EQ(whole[0].size() + test.size(), spelledRows) << "of all folds together none is dev";
    EXPECT_EQ(whole[2], test);
    EXPECT_EQ(gather(oneFile(folder, spelled(), split))["splits"].size(), 2U);
    split["fold"] = 6;
    EXPECT_TRUE(isRefused(oneFile(folder, spelled(), split)));
    split["fold"] = 0;
    EXPECT_EQ(splitsOf(oneFile(folder, spelled(), split))[1], first) << "without a fold the first is read";
    if (!byClass) {
      const Json plain = {{"by", "hash"}, {"column", "text"}, {"shares", {{"train", 0.6}, {"dev", 0.2}, {"test", 0.2}}}};
      EXPECT_EQ(splitsOf(oneFile(folder, spelled(), plain))[2], test);
    }
  }
}

} // namespace
} // namespace penstock::test
