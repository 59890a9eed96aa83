#include "runtime/data/dataset_impl.h"
#include "runtime/data/facts.h"

#include "support.h"

#include <cmath>
#include <numeric>

namespace penstock::test {
namespace {

class DatasetTest : public testing::Test {
protected:
  void SetUp() override {
    folder.write("train.csv", "text,label,cost\nLeak in pump,yes,1\nall good,no,?\n"
                              "one two three four five six,yes,3\n\"\",no,8\nbolt loose,yes,2.5\n");
    folder.write("dev.csv", "text,label,cost\npump fine,no,?\nbolt leak,maybe,4\n");
    folder.write("test.csv", "label,text,cost\nyes,unseen words here,5\n");
    program = textProgram(folder);
    program["columns"].push_back({{"name", "price"}, {"type", "number"}, {"from", "cost"}, {"missing", {"?"}}});
    program["features"].push_back(
        {{"name", "filled"},
         {"columns", {"price", "price"}},
         {"steps", {{{"op", "fill"}, {"parameters", {{"by", "median"}, {"indicator", true}}}}, {{"op", "log1p"}}}}});
    program["inputs"].push_back({{"name", "filled"}, {"kind", "number"}, {"feature", "filled"}, {"width", 4}});
    program["features"].push_back(
        {{"name", "third"},
         {"columns", {"price"}},
         {"steps", {{{"op", "fill"}, {"parameters", {{"by", 3.0}}}}, {{"op", "bins"}, {"parameters", {{"n", 3}}}}}}});
    program["inputs"].push_back({{"name", "third"}, {"kind", "class"}, {"feature", "third"}});
    cache = folder / "cache";
    fitted = folder / "run/fitted";
  }

  void fit() {
    FactsOptions options;
    options.cache = cache;
    const auto facts = gatherFactsWith(specOf(program), factory, options);
    ASSERT_TRUE(facts.ok()) << facts.status().message();
    const Status status = writeFitted(specOf(program), facts.value(), fitted).status();
    ASSERT_TRUE(status.ok()) << status.message();
  }

  Result<std::shared_ptr<const SplitDataset>> open(const std::string &split, int threads = 1) {
    Dataset::Options options;
    options.fitted = fitted;
    options.cache = cache;
    options.threads = threads;
    return SplitDataset::openWith(specOf(program), split, factory, options);
  }

  std::vector<std::vector<std::int32_t>> idsOf(const SplitDataset &dataset) {
    const SplitIds::Axis &axis = dataset.ids.features[0];
    std::vector<std::vector<std::int32_t>> all;
    for (std::int64_t i = 0; i < dataset.records(); ++i) {
      all.emplace_back(axis.ids + axis.offsets[i], axis.ids + axis.offsets[i + 1]);
    }
    return all;
  }

  Folder folder;
  FakeFactory factory;
  Json program;
  std::string cache, fitted;
};

using Ids = std::vector<std::vector<std::int32_t>>;

TEST_F(DatasetTest, TrainHasIdsClassesAndNumbers) {
  fit();
  const auto opened = open("train");
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const SplitDataset &train = *opened.value();
  EXPECT_EQ(train.records(), 5);
  EXPECT_EQ(idsOf(train), (Ids{{1, 2, 3}, {4, 5}, {6, 7, 8, 9, 10}, {0}, {12, 13}}));
  EXPECT_EQ(train.tokens(), 13);
  EXPECT_EQ(train.classesOf("label"), (std::vector<std::int32_t>{1, 0, 1, 0, 1}));
  EXPECT_EQ(train.classNames("label"), (std::vector<std::string>{"no", "yes"}));
  EXPECT_TRUE(std::isnan(train.numbersOf("price")[1]));
  EXPECT_EQ(train.numbersOf("price")[3], 8);
  const float median = static_cast<float>(std::log1p(2.75)), one = static_cast<float>(std::log1p(1.0));
  EXPECT_EQ(std::vector<float>(train.ids.derived[0], train.ids.derived[0] + 8),
            (std::vector<float>{one, 0, one, 0, median, one, median, one}));
  EXPECT_EQ(train.ids.derived[1], nullptr);
  // Cut at the values 1 + 2/3 * ... of 1, 2.5, 3, 3, 8: 2.833 and 3.
  EXPECT_EQ(std::vector<std::int32_t>(train.ids.derivedIndices[1], train.ids.derivedIndices[1] + 5),
            (std::vector<std::int32_t>{0, 2, 2, 2, 0}));
  const auto batches = BatchStream::start(opened.value(), {});
  const auto batch = batches.value()->next();
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(static_cast<const float *>(batch.value()->view.inputs[2])[4], median);
  EXPECT_EQ(static_cast<const std::int32_t *>(batch.value()->view.inputs[3])[1], 2);
  EXPECT_TRUE(train.classesOf("none").empty());
  EXPECT_TRUE(train.numbersOf("label").empty());
}

TEST_F(DatasetTest, SpecialTokensStandAroundTheCutText) {
  factory.special = {{11}, {}, {1, 2}};
  fit();
  const auto train = open("train").value();
  EXPECT_EQ(idsOf(*train), (Ids{{11, 1, 2, 1, 2}, {11, 4, 5, 1, 2}, {11, 6, 7, 1, 2}, {11, 1, 2}, {11, 12, 13, 1, 2}}));
  EXPECT_EQ(train->ids.features[0].cut, 2);
  EXPECT_EQ(train->ids.features[0].longest, 5);
  program["features"][0]["steps"][1]["max_length"] = 3;
  fit();
  EXPECT_EQ(idsOf(*open("train").value()), Ids(5, {11, 1, 2}));
  factory.special.suffix = {2};
  factory.build = "again"; // the same parameters and state: the id cache must not answer
  EXPECT_EQ(idsOf(*open("train").value())[1], (std::vector<std::int32_t>{11, 4, 2}));
  factory.special.suffix = {1, 2, 3};
  factory.build = "and again";
  const auto refused = open("train");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("4 special tokens into each record"), std::string::npos) << refused.status().message();
}

TEST_F(DatasetTest, OtherSplitsUseWhatTrainFitted) {
  fit();
  const auto dev = open("dev");
  ASSERT_TRUE(dev.ok());
  EXPECT_EQ(idsOf(*dev.value()), (Ids{{3, 0}, {12, 1}}));
  EXPECT_EQ(dev.value()->classesOf("label"), (std::vector<std::int32_t>{0, 2})); // behind those of train
  ASSERT_EQ(dev.value()->otherClasses("label").size(), 1u);
  const auto batches = BatchStream::start(dev.value(), {});
  ASSERT_TRUE(batches.ok());
  const auto batch = batches.value()->next();
  ASSERT_TRUE(batch.ok());
  const auto *labels = static_cast<const std::int32_t *>(batch.value()->view.inputs[1]);
  EXPECT_EQ(std::vector<std::int32_t>(labels, labels + 2), (std::vector<std::int32_t>{0, -1}));
  EXPECT_EQ(dev.value()->ids.derived[0][0], static_cast<float>(std::log1p(2.75)));
  EXPECT_EQ(dev.value()->numbersOf("price")[1], 4);
  const auto test = open("test");
  ASSERT_TRUE(test.ok());
  EXPECT_EQ(idsOf(*test.value()), (Ids{{0, 0, 0}}));
  EXPECT_FALSE(open("other").ok());
}

TEST_F(DatasetTest, WithAndWithoutCacheAndAfterDamageTheSame) {
  fit();
  const Ids expected = idsOf(*open("train").value());
  int entries = 0;
  for (const auto &entry : std::filesystem::directory_iterator(cache + "/ids")) {
    ++entries;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(64);
    file.put('\x55');
  }
  EXPECT_EQ(entries, 3) << "gathering facts fills the id cache";
  EXPECT_EQ(idsOf(*open("train").value()), expected);
  cache.clear();
  EXPECT_EQ(idsOf(*open("train", 3).value()), expected);
}

TEST_F(DatasetTest, IdsOutOfTheCacheNeedNoTokenizer) {
  fit();
  factory.made = 0;
  EXPECT_EQ(idsOf(*open("dev").value()), (Ids{{3, 0}, {12, 1}}));
  EXPECT_EQ(factory.made, 0);
  std::filesystem::remove_all(cache);
  EXPECT_EQ(idsOf(*open("dev").value()), (Ids{{3, 0}, {12, 1}}));
  EXPECT_EQ(factory.made, 1);
}

TEST_F(DatasetTest, FittedWithoutACacheGoesThroughTheFacts) {
  cache.clear();
  fit();
  EXPECT_EQ(slurp(fitted + "/tokens.state").substr(0, 13), "leak\nin\npump\n");
  EXPECT_EQ(idsOf(*open("dev").value()), (Ids{{3, 0}, {12, 1}}));
}

TEST_F(DatasetTest, FittedFolderIsReadableAndReplacedWhole) {
  fit();
  EXPECT_EQ(Json::parse(slurp(fitted + "/classes.json"))["label"], Json::array({"no", "yes"}));
  EXPECT_DOUBLE_EQ(Json::parse(slurp(fitted + "/numbers.json"))["filled"][0][1][0], 2.75);
  EXPECT_EQ(Json::parse(slurp(fitted + "/tokenizers.json"))["features"]["tokens"]["plugin"], "fake");
  folder.write("run/fitted/leftover", "x");
  fit();
  EXPECT_FALSE(std::filesystem::exists(fitted + "/leftover"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / "run"), {}), 1) << "nothing is left beside it";
}

TEST_F(DatasetTest, VocabularyFilesTravelWithTheRun) {
  const std::string vocabulary = folder.write("words.txt", "pump\nbolt\n");
  program["features"][0]["steps"][1]["plugin"] = "fixed";
  program["features"][0]["steps"][1]["parameters"] = {{"vocabulary", vocabulary}};
  fit();
  std::filesystem::remove(vocabulary);
  const int made = static_cast<int>(std::distance(std::filesystem::directory_iterator(cache + "/ids"), {}));
  const auto dev = open("dev");
  ASSERT_TRUE(dev.ok()) << dev.status().message();
  EXPECT_EQ(idsOf(*dev.value()), (Ids{{1, 0}, {2, 0}}));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(cache + "/ids"), {}), made) << "the copy has the key of the original";
}

TEST_F(DatasetTest, ErrorsNameTheirPlace) {
  fit();
  folder.write("dev.csv", "text,label,cost\na,no,1\nb,no\n");
  EXPECT_EQ(open("dev").status().code(), ErrorCode::invalidInput);
  EXPECT_NE(open("dev").status().message().find("dev.csv:3:1: the row has 2 fields"), std::string::npos) << open("dev").status().message();
  folder.write("dev.csv", "text,label,cost\na,no,one\n");
  EXPECT_NE(open("dev").status().message().find("`one`"), std::string::npos);
  folder.write("dev.csv", "text,label,cost\na,,1\n");
  EXPECT_NE(open("dev").status().message().find("`label` has no value"), std::string::npos);
  folder.write("dev.csv", "text,cost\na,1\n");
  EXPECT_NE(open("dev").status().message().find("no column `label`"), std::string::npos);
  std::filesystem::remove(folder / "dev.csv");
  EXPECT_EQ(open("dev").status().code(), ErrorCode::invalidInput);
  std::filesystem::create_directory(folder / "dev.csv");
  EXPECT_FALSE(open("dev").ok());
  std::filesystem::remove(fitted + "/classes.json");
  EXPECT_EQ(open("train").status().code(), ErrorCode::environment);
}

TEST_F(DatasetTest, AnUnwritablePlaceForFittedIsAnError) {
  FactsOptions options;
  const auto facts = gatherFactsWith(specOf(program), factory, options);
  folder.write("file", "");
  EXPECT_EQ(writeFitted(specOf(program), facts.value(), folder / "file/fitted").status().code(), ErrorCode::environment);
  EXPECT_FALSE(writeFitted(specOf(program), "{}", folder / "f").ok());
  EXPECT_FALSE(std::filesystem::exists(folder / "f"));
}

TEST_F(DatasetTest, ManyRecordsAtAnyNumberOfThreadsTheSame) {
  std::string text = "text,label,cost\n";
  for (int i = 0; i < 4001; ++i) {
    for (int k = i % 7; k > 0; --k) {
      text += "w" + std::to_string(i * k % 503) + " ";
    }
    text += "," + std::string(i % 2 == 0 ? "yes" : "no") + "," + std::to_string(i) + "\n";
  }
  folder.write("train.csv", text);
  cache.clear();
  fit();
  const auto one = open("train", 1), four = open("train", 4);
  ASSERT_TRUE(one.ok() && four.ok());
  EXPECT_EQ(idsOf(*one.value()), idsOf(*four.value()));
  EXPECT_TRUE(std::equal(one.value()->ids.derived[0], one.value()->ids.derived[0] + 4 * 4001, four.value()->ids.derived[0]));
  EXPECT_EQ(one.value()->records(), 4001);
}

TEST_F(DatasetTest, TwoFeaturesOfOneColumn) {
  Json second = program["features"][0];
  second["name"] = second["axis"] = "short";
  second["steps"] = {{{"op", "tokenize"}, {"plugin", "fake"}, {"max_length", 2}}};
  program["features"].push_back(second);
  program["inputs"].push_back({{"name", "short"}, {"kind", "ids"}, {"axis", "short"}, {"feature", "short"}, {"target", false}});
  fit();
  const auto train = open("train", 2);
  ASSERT_TRUE(train.ok()) << train.status().message();
  EXPECT_EQ(train.value()->ids.features[1].tokens, 2 + 2 + 2 + 1 + 2);
  EXPECT_EQ(train.value()->tokens(), 13 + 9);
}

} // namespace
} // namespace penstock::test
