// Pairs of texts: where they are cut, and their way from the file to the batch.
#include "runtime/data/dataset_impl.h"
#include "runtime/data/facts.h"
#include "runtime/data/pairs.h"
#include "runtime/data/record_reader.h"

#include "support.h"

namespace penstock::test {
namespace {

using Ids = std::vector<std::vector<std::int32_t>>;

TEST(CutPair, IsThatOfHuggingFace) {
  const char *source = std::getenv("PENSTOCK_SOURCE");
  const Json rows = Json::parse(slurp(std::string(source == nullptr ? "." : source) + "/tests/unit/data/fixtures/pairs.json"));
  ASSERT_GT(rows.size(), 1000U);
  for (const Json &row : rows) {
    const auto kept = cutPair(truncationOf(row[0].get<std::string>()), row[1], row[2], row[3]);
    ASSERT_EQ(kept.has_value(), !row[4].is_null()) << row;
    if (kept) {
      ASSERT_EQ(kept->first, row[4].get<std::int64_t>()) << row;
      ASSERT_EQ(kept->second, row[5].get<std::int64_t>()) << row;
    }
  }
}

TEST(CutPair, WithoutALimitKeepsAll) {
  EXPECT_EQ(cutPair(Truncation::longestFirst, 5, 7, INT64_MAX), std::pair(std::int64_t{5}, std::int64_t{7}));
}

class PairsTest : public testing::Test {
protected:
  void SetUp() override {
    folder.write("train.csv", "text,reply,label\nA b c,d,yes\nd,a b c d e,no\n\"\",\"\",yes\nb,b,no\n");
    folder.write("dev.csv", "text,reply,label\nc d,x a,no\n");
    folder.write("test.csv", "text,reply,label\na,a,no\n");
    program = textProgram(folder);
    program["columns"].push_back({{"name", "answer"}, {"type", "text"}, {"from", "reply"}});
    program["features"][0]["columns"].push_back("answer");
    program["features"][0]["steps"][1]["max_length"] = 7;
    factory.special = {{6}, {7, 7}, {8}};
    fitted = folder / "fitted";
    for (int i = 0; i < 4; ++i) { // words for the special ids 6 to 8
      folder.write("train.csv", slurp(folder / "train.csv") + (i < 3 ? "s" + std::to_string(i) + ",,no\n" : ""));
    }
  }
  void fit() {
    const auto facts = gatherFactsWith(specOf(program), factory, {});
    ASSERT_TRUE(facts.ok()) << facts.status().message();
    json = Json::parse(facts.value());
    ASSERT_TRUE(writeFitted(specOf(program), facts.value(), fitted).ok());
  }
  Result<std::shared_ptr<const SplitDataset>> open(const std::string &split) {
    Dataset::Options options;
    options.fitted = fitted;
    options.cache = folder / "cache";
    return SplitDataset::openWith(specOf(program), split, factory, options);
  }
  /// Ids and texts of the records of a batch.
  static void expectBatch(const PenstockBatch &batch, const Ids &ids, const Ids &segments) {
    const PenstockAxisBatch &axis = batch.axes[0];
    const auto *values = static_cast<const std::int32_t *>(batch.inputs[0]);
    ASSERT_EQ(batch.records, static_cast<std::int64_t>(ids.size()));
    for (std::size_t r = 0; r < ids.size(); ++r) {
      EXPECT_EQ(std::vector<std::int32_t>(values + axis.offsets[r], values + axis.offsets[r + 1]), ids[r]) << r;
      EXPECT_EQ(std::vector<std::int32_t>(axis.row_segment + axis.offsets[r], axis.row_segment + axis.offsets[r + 1]), segments[r]) << r;
    }
  }

  Folder folder;
  FakeFactory factory;
  Json program, json;
  std::string fitted;
};

TEST_F(PairsTest, FromTheFileToTheBatch) {
  fit();
  // Words in the order in which the texts of train name them: a b c d e s0 s1 s2.
  const Ids ids = {{6, 1, 2, 7, 7, 4, 8}, {6, 4, 7, 7, 1, 2, 8}, {6, 7, 7, 8}, {6, 2, 7, 7, 2, 8}};
  const Ids segments = {{0, 0, 0, 0, 0, 1, 1}, {0, 0, 0, 0, 1, 1, 1}, {0, 0, 0, 1}, {0, 0, 0, 0, 1, 1}};
  for (const char *state : {"cold", "cached"}) {
    const auto train = open("train");
    ASSERT_TRUE(train.ok()) << state << train.status().message();
    EXPECT_EQ(train.value()->ids.features[0].cut, 2);
    EXPECT_EQ(train.value()->ids.features[0].longest, 7);
    BatchStream::Plan plan;
    plan.batch = 4;
    const auto stream = BatchStream::start(train.value(), plan).value();
    expectBatch(stream->next().value()->view, ids, segments);
  }
  EXPECT_EQ(json["vocabularies"]["tokens"]["max"], 7);
  ASSERT_EQ(problemsOf(json, "truncation").size(), 1U);

  const auto reader =
      openRecordsWith(specOf(program), fitted, factory, recordsOf("text,reply\nA b c,d\nd,a b c d e\n\"\",\"\"\nb,b\n", "csv"));
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  expectBatch((*reader)->next(9).value()->batch->view, ids, segments);
}

TEST_F(PairsTest, PlainLinesGiveNoPair) {
  fit();
  const auto reader = openRecordsWith(specOf(program), fitted, factory, recordsOf("a\n", "lines"));
  EXPECT_EQ(reader.status().code(), ErrorCode::usage);
}

TEST_F(PairsTest, SaysWhichRecordCannotBeCut) {
  fit();
  program["features"][0]["steps"][1]["truncate"] = "first";
  const auto train = open("train");
  ASSERT_FALSE(train.ok());
  EXPECT_NE(train.status().message().find("train.csv:3: the second text of `tokens` alone fills `max_length` 7"), std::string::npos)
      << train.status().message();
  const auto reader = openRecordsWith(specOf(program), fitted, factory, recordsOf("text,reply\na,b\na,a a a a\nb,a\n", "csv")).value();
  const RecordReader::Part *part = reader->next(5).value();
  EXPECT_EQ(part->records, (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(part->batch->view.records, 2);
  ASSERT_EQ(part->failures.size(), 1U);
  EXPECT_EQ(part->failures[0].record, 2);
  EXPECT_NE(part->failures[0].text.find("in:3: the second text"), std::string::npos) << part->failures[0].text;
}

TEST_F(PairsTest, TheSeparatorNeedsRoomToo) {
  program["features"][0]["steps"][1]["max_length"] = 3;
  fit();
  ASSERT_EQ(problemsOf(json, "no-room-for-text").size(), 1U);
  EXPECT_EQ(problemsOf(json, "no-room-for-text")[0]["arguments"]["special"], 4);
}

TEST_F(PairsTest, WithoutSpecialTokensTwoEmptyTextsAreOneUnknown) {
  factory.special = {};
  fit();
  const auto train = open("train").value();
  const SplitIds::Axis &axis = train->ids.features[0];
  EXPECT_EQ(axis.offsets[3] - axis.offsets[2], 1);
  EXPECT_EQ(axis.ids[axis.offsets[2]], 0);
  EXPECT_EQ(axis.firsts[2], 1);
}

TEST(RecordProgramPairs, RefusesWhatIsNoPair) {
  const Folder folder;
  const auto fails = [&](const std::function<void(Json &)> &change) {
    Json program = textProgram(folder);
    change(program);
    return isRefused(program);
  };
  const auto pairWith = [](Json &program, const char *column) { program["features"][0]["columns"].push_back(column); };
  EXPECT_FALSE(fails([&](Json &p) { pairWith(p, "text"); }));
  EXPECT_TRUE(fails([&](Json &p) { pairWith(p, "label"); }));
  EXPECT_TRUE(fails([&](Json &p) { pairWith(p, "nowhere"); }));
  EXPECT_TRUE(fails([&](Json &p) {
    pairWith(p, "text");
    pairWith(p, "text");
  }));
  EXPECT_TRUE(fails([](Json &p) { p["features"][0]["steps"][1]["truncate"] = "both"; }));
}

} // namespace
} // namespace penstock::test
