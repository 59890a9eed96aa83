// Columns of sets: from cells to labels, facts, the id cache and batches.
#include "runtime/data/dataset_impl.h"
#include "runtime/data/encode.h"
#include "runtime/data/facts.h"
#include "runtime/data/record_reader.h"

#include "support.h"

namespace penstock::test {
namespace {

std::vector<std::string> split(const std::string &cell, const std::string &separator) {
  ColumnSpec column;
  column.type = ColumnSpec::Type::set;
  column.separator = separator;
  std::vector<std::string_view> labels;
  labelsOf(column, Cell{cell, true}, labels);
  return {labels.begin(), labels.end()};
}

TEST(Labels, StandBetweenSeparators) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(split("a|b c|d", "|"), (Names{"a", "b c", "d"}));
  EXPECT_EQ(split(" a |\tb\t|a", "|"), (Names{"a", "b"}));
  EXPECT_EQ(split("", "|"), Names{});
  EXPECT_EQ(split("||  |", "|"), Names{});
  EXPECT_EQ(split("a, b,c", ", "), (Names{"a", "b,c"}));
  EXPECT_EQ(split("one", "|"), Names{"one"});
  ColumnSpec column;
  column.separator = "|";
  std::vector<std::string_view> labels;
  labelsOf(column,
           Cell{"a|b\xFF c \xFF\xFF"
                "a|b\xFF",
                true, true},
           labels);
  EXPECT_EQ(Names(labels.begin(), labels.end()), (Names{"a|b", "c"})) << "a separator within an item of a list is a character";
  EXPECT_EQ(split("\u4e2d\u3001\u6587", "\u3001"), (Names{"\u4e2d", "\u6587"}));
}

class SetsTest : public testing::Test {
protected:
  void SetUp() override {
    folder.write("train.csv", "text,topics\nleaks,b|a\nnothing,\nhums, c \nburnt,a|a|c\nfine,b\n");
    folder.write("dev.csv", "text,topics\nodd,a|zebra\nnone,\n");
    folder.write("test.csv", "text,topics\nx,c\n");
    program = textProgram(folder);
    program["columns"][1] = {{"name", "topics"}, {"type", "set"}, {"from", "topics"}, {"separator", "|"}, {"classes", nullptr}};
    program["inputs"][1] = {{"name", "topics"}, {"kind", "set"}, {"column", "topics"}, {"target", true}};
    cache = folder / "cache";
    fitted = folder / "run/fitted";
  }
  Json facts() {
    FactsOptions options;
    options.cache = cache;
    const auto made = gatherFactsWith(specOf(program), factory, options);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return made.ok() ? Json::parse(made.value()) : Json();
  }
  std::shared_ptr<const SplitDataset> open(const std::string &split) {
    Dataset::Options options;
    options.fitted = fitted;
    options.cache = cache;
    auto made = SplitDataset::openWith(specOf(program), split, factory, options);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return made.ok() ? *made : nullptr;
  }

  Folder folder;
  FakeFactory factory;
  Json program;
  std::string cache, fitted;
};

TEST_F(SetsTest, LabelsOfTrainAreCounted) {
  const Json found = facts();
  EXPECT_EQ(found["classes"]["topics"]["names"], (Json{"a", "b", "c"}));
  EXPECT_EQ(found["classes"]["topics"]["counts"]["train"], (Json{2, 2, 2}));
  const auto absent = problemsOf(found, "class-absent-from-train");
  ASSERT_EQ(absent.size(), 1u);
  EXPECT_EQ(absent[0]["arguments"]["value"], "zebra");
  EXPECT_TRUE(problemsOf(found, "missing-cell").empty());
}

TEST_F(SetsTest, UndeclaredLabelsAreNamed) {
  program["columns"][1]["classes"] = {"a", "b", "zebra"};
  const auto undeclared = problemsOf(facts(), "undeclared-class");
  ASSERT_EQ(undeclared.size(), 1u);
  EXPECT_EQ(undeclared[0]["arguments"]["value"], "c");
}

TEST_F(SetsTest, BatchesHoldAMatrix) {
  ASSERT_TRUE(writeFitted(specOf(program), facts().dump(), fitted).ok());
  const std::vector<std::uint8_t> train = {1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0, 1, 0};
  for (int again = 0; again < 2; ++again) { // made, then from the cache
    const auto dataset = open("train");
    ASSERT_NE(dataset, nullptr);
    EXPECT_EQ(dataset->setsOf("topics"), train);
    EXPECT_EQ(dataset->classNames("topics"), (std::vector<std::string>{"a", "b", "c"}));
    BatchStream::Plan plan;
    plan.batch = 2;
    auto stream = BatchStream::start(dataset, plan);
    ASSERT_TRUE(stream.ok());
    std::vector<std::uint8_t> seen;
    for (auto batch = (*stream)->next(); batch.ok() && *batch != nullptr; batch = (*stream)->next()) {
      const auto *matrix = static_cast<const float *>((*batch)->view.inputs[1]);
      for (std::int64_t i = 0; i < (*batch)->view.records * 3; ++i) {
        seen.push_back(static_cast<std::uint8_t>(matrix[i]));
      }
    }
    EXPECT_EQ(seen, train);
  }
  for (int again = 0; again < 2; ++again) {
    const auto dev = open("dev");
    EXPECT_EQ(dev->setsOf("topics"), (std::vector<std::uint8_t>{1, 0, 0, 0, 0, 0}));
    EXPECT_EQ(dev->otherClasses("topics"), std::vector<std::string>{"zebra"});
    const Dataset::OtherLabels others = dev->otherLabelsOf("topics");
    ASSERT_EQ(others.count, 1);
    EXPECT_EQ(others.records[0], 0);
    EXPECT_EQ(others.labels[0], 0);
  }
  EXPECT_EQ(open("test")->otherLabelsOf("topics").count, 0);
}

TEST_F(SetsTest, TextsAreReadAgain) {
  ASSERT_TRUE(writeFitted(specOf(program), facts().dump(), fitted).ok());
  auto reader = openTextsWith(specOf(program), "train", factory);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  std::vector<std::string> texts;
  std::string text;
  std::int64_t row = 0;
  for (auto more = (*reader)->next(text, row); more.ok() && *more; more = (*reader)->next(text, row)) {
    texts.push_back(text + std::to_string(row));
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"leaks1", "nothing2", "hums3", "burnt4", "fine5"}));
  EXPECT_FALSE(openTextsWith(specOf(program), "tset", factory).ok());
}

TEST_F(SetsTest, ASetNeedsASeparator) {
  program["columns"][1]["separator"] = "";
  EXPECT_FALSE(RecordProgram::link(specOf(program)).ok());
}

} // namespace
} // namespace penstock::test
