#include "runtime/data/record_reader.h"

#include "runtime/data/dataset_impl.h"
#include "runtime/data/facts.h"

#include "support.h"

namespace penstock::test {
namespace {

class RecordReaderTest : public testing::Test {
protected:
  void SetUp() override {
    folder.write("train.csv", "text,label\nLeak in pump,yes\nall good,no\none two three four five six,yes\n");
    folder.write("dev.csv", "text,label\n");
    folder.write("test.csv", "text,label\n");
    program = textProgram(folder);
    fitted = folder / "fitted";
  }
  void fit() {
    const auto facts = gatherFactsWith(program.dump(), factory, {});
    ASSERT_TRUE(facts.ok()) << facts.status().message();
    ASSERT_TRUE(writeFitted(program.dump(), facts.value(), fitted).ok());
  }
  Result<std::unique_ptr<RecordReader>> open(const std::string &text, RecordReader::Format format) {
    input = std::istringstream(text);
    return openRecordsWith(program.dump(), fitted, factory, format, input, "in");
  }
  /// All ids of all records in batches of `limit`, or the error.
  Result<std::vector<std::vector<std::int32_t>>> ids(const std::string &text, RecordReader::Format format, std::int64_t limit = 2) {
    PENSTOCK_ASSIGN(const auto reader, open(text, format));
    std::vector<std::vector<std::int32_t>> all;
    for (;;) {
      PENSTOCK_ASSIGN(const Batch *batch, reader->next(limit));
      if (batch == nullptr) {
        return all;
      }
      EXPECT_LE(batch->view.records, limit);
      EXPECT_EQ(batch->view.inputs[1], nullptr) << "targets are absent";
      const PenstockAxisBatch &axis = batch->view.axes[0];
      const auto *values = static_cast<const std::int32_t *>(batch->view.inputs[0]);
      for (std::int64_t r = 0; r < batch->view.records; ++r) {
        EXPECT_EQ(batch->view.record_numbers[r], all.size());
        all.emplace_back(values + axis.offsets[r], values + axis.offsets[r + 1]);
      }
    }
  }

  Folder folder;
  FakeFactory factory;
  Json program;
  std::string fitted;
  std::istringstream input;
};

using Ids = std::vector<std::vector<std::int32_t>>;
using Format = RecordReader::Format;

TEST_F(RecordReaderTest, LinesCsvAndJsonGiveWhatTrainingSaw) {
  fit();
  const Ids expected = {{1, 2, 3}, {0}, {6, 7, 8, 9, 10}};
  EXPECT_EQ(ids(" LEAK in pump\r\n\none two three four five six\n", Format::lines).value(), expected);
  EXPECT_EQ(ids("id,text\n1, LEAK in pump\n2,\n3,one two three four five six\n", Format::csv).value(), expected);
  EXPECT_EQ(ids("{\"text\": \"leak in pump\"}\n{\"text\": \"\"}\n{\"text\": \"one two three four five six\"}", Format::jsonl, 100).value(),
            expected);
  EXPECT_TRUE(ids("", Format::lines).value().empty());
  EXPECT_TRUE(ids("", Format::csv).value().empty());
}

TEST_F(RecordReaderTest, ErrorsNameInputRowAndColumn) {
  fit();
  EXPECT_NE(ids("ok\nbad \xFF\n", Format::lines, 10).status().message().find("in:2:5: byte 0xFF"), std::string::npos);
  EXPECT_NE(ids("txt\na\n", Format::csv).status().message().find("no column `text`"), std::string::npos);
  EXPECT_NE(ids("text\n\"a\n", Format::csv).status().message().find("in:2:1: a quoted field"), std::string::npos);
  EXPECT_NE(ids("{\"label\": \"x\"}\n", Format::jsonl).status().message().find("in:1: column `text` has no value"), std::string::npos);
  EXPECT_EQ(ids("{", Format::jsonl).status().code(), ErrorCode::invalidInput);
}

TEST_F(RecordReaderTest, NumbersAreFilledAsInTraining) {
  folder.write("train.csv", "text,label,cost\na,yes,1\nb,no,?\nc,no,3\nd,no,8\n");
  program["columns"].push_back({{"name", "cost"}, {"type", "number"}, {"from", "cost"}, {"missing", {"?"}}, {"fill", "mean"}});
  program["inputs"].push_back({{"name", "cost"}, {"kind", "number"}, {"column", "cost"}, {"target", false}});
  fit();
  const auto reader = open("cost,text\n?,a\n2.5,b\n", Format::csv);
  ASSERT_TRUE(reader.ok());
  const Result<const Batch *> batch = reader.value()->next(10);
  ASSERT_TRUE(batch.ok());
  const auto *numbers = static_cast<const float *>(batch.value()->view.inputs[2]);
  EXPECT_EQ(numbers[0], 4.0F);
  EXPECT_EQ(numbers[1], 2.5F);
  EXPECT_EQ(open("x\n", Format::lines).status().code(), ErrorCode::usage);
}

} // namespace
} // namespace penstock::test
