#include "runtime/data/record_reader.h"

#include "runtime/data/dataset_impl.h"
#include "runtime/data/facts.h"

#include "support.h"

#include <cmath>
#include <utility>

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
    const auto facts = gatherFactsWith(specOf(program), factory, {});
    ASSERT_TRUE(facts.ok()) << facts.status().message();
    ASSERT_TRUE(writeFitted(specOf(program), facts.value(), fitted).ok());
  }
  /// The statistics of an input; `run` is what a run keeps of train.
  Json statistics(const std::string &text, const std::string &format, const FittedFolder &run) {
    RecordInput input = recordsOf(text, format);
    input.counts = true;
    const auto reader = openRecordsWith(specOf(program), run, factory, std::move(input));
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    for (auto part = reader.value()->next(2); part.ok() && part.value() != nullptr; part = reader.value()->next(2)) {
    }
    return Json::parse(reader.value()->statistics());
  }
  Result<std::unique_ptr<RecordReader>> open(const std::string &text, const std::string &format) {
    return openRecordsWith(specOf(program), fitted, factory, recordsOf(text, format));
  }
  /// All ids of all records in batches of `limit`, or the error. Each record has its number.
  Result<std::vector<std::vector<std::int32_t>>> ids(const std::string &text, const std::string &format, std::int64_t limit = 2) {
    PENSTOCK_ASSIGN(const auto reader, open(text, format));
    std::vector<std::vector<std::int32_t>> all;
    for (;;) {
      PENSTOCK_ASSIGN(const RecordReader::Part *part, reader->next(limit));
      if (part == nullptr) {
        return all;
      }
      EXPECT_TRUE(part->failures.empty());
      const Batch *batch = part->batch;
      EXPECT_LE(batch->view.records, limit);
      EXPECT_EQ(batch->view.inputs[1], nullptr) << "targets are absent";
      const PenstockAxisBatch &axis = batch->view.axes[0];
      const auto *values = static_cast<const std::int32_t *>(batch->view.inputs[0]);
      for (std::int64_t r = 0; r < batch->view.records; ++r) {
        EXPECT_EQ(batch->view.record_numbers[r], all.size());
        EXPECT_EQ(part->records[static_cast<std::size_t>(r)], static_cast<std::int64_t>(all.size()) + 1);
        all.emplace_back(values + axis.offsets[r], values + axis.offsets[r + 1]);
      }
    }
  }

  Folder folder;
  FakeFactory factory;
  Json program;
  /// Numbers of the answered records, and the failures, as they come; the status of the end behind them.
  std::string outcome(const std::string &text, const std::string &format, std::int64_t limit = 3) {
    const auto reader = open(text, format);
    if (!reader.ok()) {
      return reader.status().message();
    }
    std::string all;
    for (;;) {
      const auto part = reader.value()->next(limit);
      if (!part.ok() || part.value() == nullptr) {
        return all + (part.ok() ? "end" : part.status().message()) + (part.ok() ? reader.value()->remark() : "");
      }
      for (const std::int64_t record : part.value()->records) {
        all += std::to_string(record) + " ";
      }
      for (const RecordReader::Failure &failure : part.value()->failures) {
        all += "!" + std::to_string(failure.record) + " " + failure.text + "; ";
      }
    }
  }
  std::string fitted;
};

using Ids = std::vector<std::vector<std::int32_t>>;

TEST_F(RecordReaderTest, Statistics) {
  fit();
  const auto facts = gatherFactsWith(specOf(program), factory, {});
  ASSERT_TRUE(facts.ok());
  const auto run = writeFitted(specOf(program), facts.value(), folder / "run");
  ASSERT_TRUE(run.ok());
  // A text without a word is read as one unknown word; what stands behind `max_length` is not read.
  const std::string text = "Leak here\n\nall good\n";
  const Json known = statistics(text, "lines", run.value());
  EXPECT_EQ(known["rows"], 3);
  EXPECT_EQ(known["train_rows"], 3);
  EXPECT_EQ(known["columns"].size(), 1) << "the target is none of them";
  const Json tokens = known["features"].begin().value();
  EXPECT_EQ(tokens["tokens"], 5);
  EXPECT_EQ(tokens["unknown"]["count"], 2);
  EXPECT_EQ(tokens["unknown"]["train"], 0.0);
  // A run of an earlier release has nothing to compare with, and says so.
  FittedFolder earlier = run.value();
  earlier.hashes.erase(countsFile);
  const Json unknown = statistics(text, "lines", earlier);
  EXPECT_TRUE(unknown["train_rows"].is_null());
  EXPECT_EQ(unknown["features"].begin().value()["unknown"]["count"], 2);
  EXPECT_TRUE(unknown["features"].begin().value()["unknown"]["train"].is_null());
  EXPECT_EQ(statistics("", "lines", run.value())["features"].begin().value()["unknown"]["share"], Json());
}

TEST_F(RecordReaderTest, LinesCsvAndJsonGiveWhatTrainingSaw) {
  fit();
  const Ids expected = {{1, 2, 3}, {0}, {6, 7, 8, 9, 10}};
  EXPECT_EQ(ids(" LEAK in pump\r\n\none two three four five six\n", "lines").value(), expected);
  EXPECT_EQ(ids("id,text\n1, LEAK in pump\n2,\n3,one two three four five six\n", "csv").value(), expected);
  EXPECT_EQ(ids("{\"text\": \"leak in pump\"}\n{\"text\": \"\"}\n{\"text\": \"one two three four five six\"}", "jsonl", 100).value(),
            expected);
  EXPECT_TRUE(ids("", "lines").value().empty());
  EXPECT_TRUE(ids("", "csv").value().empty());
}

TEST_F(RecordReaderTest, EachRecordHasAnAnswerOrAnError) {
  fit();
  EXPECT_EQ(outcome("ok\nbad \xFF\nx\n", "lines"),
            "1 3 !2 in:2:5: byte 0xFF at offset 7 is not UTF-8; if the file has another encoding, say it, such as `cp1252`; end");
  EXPECT_EQ(outcome("text\na\n5\" pipe\nb\n\n", "csv", 2),
            "1 !2 in:3:2: a quote stands inside a field; a field with quotes must be quoted as a whole, with each quote in it doubled; "
            "3 4 end");
  EXPECT_EQ(outcome("text\n\"a\nb\n", "csv"), "2 !1 in:2:1: a quoted field is never closed; end");
  EXPECT_EQ(outcome("{\"label\": \"x\"}\n\n{\"text\": \"x\"}\n{\n", "jsonl"),
            "2 !1 in:1: column `text` has no value; !3 in:4:2: the line is not JSON: it ends before the object does; end");
  EXPECT_EQ(outcome("{\"txet\": 1}\n", "jsonl"),
            "!1 in:1: column `text` has no value; endno record of in has the key `text`; did you mean `txet`?");
  EXPECT_EQ(
      outcome("txt\na\n", "csv"),
      "`in` is not CSV with a header, which `--format csv` asks for: its first line, `txt`, has no column `text` between `,` or `;` or "
      "tabs; did you mean `txt`?");
  EXPECT_EQ(outcome("text,n\n\"a,1\nb\",1\n\"a, b,\nc\",2\n", "csv"),
            "1 2 end1 record of in reads like several in one quoted cell, the first at line 2: a quote too many takes the lines behind it "
            "into its cell");
}

TEST_F(RecordReaderTest, WhatNoTokenizerTakesCostsOneRecord) {
  fit();
  factory.refuses = "poison";
  EXPECT_EQ(outcome("a\nb\npoison\nc\npoison\n", "lines", 10), "1 2 4 !3 in:3: `fake`: refused; !5 in:5: `fake`: refused; end");
}

TEST_F(RecordReaderTest, ReadingThatFailsComesBehindTheAnswers) {
  fit();
  class Broken : public ByteSource {
  public:
    Result<std::size_t> read(char *into, std::size_t) override {
      if (std::exchange(given, true)) {
        return environmentError("the disk is gone");
      }
      return std::string_view("a\nb\nhal").copy(into, 100);
    }
    bool given = false;
  };
  const auto reader = openRecordsWith(specOf(program), fitted, factory, {std::make_unique<Broken>(), "in", "lines"}).value();
  EXPECT_EQ(reader->next(64).value()->records, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(reader->next(64).status().message(), "the disk is gone");
}

TEST_F(RecordReaderTest, NumbersAreFilledAsInTraining) {
  folder.write("train.csv", "text,label,cost\na,yes,1\nb,no,?\nc,no,3\nd,no,8\n");
  program["columns"].push_back({{"name", "cost"}, {"type", "number"}, {"from", "cost"}, {"missing", {"?"}}});
  program["features"].push_back(
      {{"name", "c"}, {"columns", {"cost"}}, {"steps", {{{"op", "fill"}, {"parameters", {{"by", "mean"}}}}, {{"op", "log1p"}}}}});
  program["inputs"].push_back({{"name", "c"}, {"kind", "number"}, {"feature", "c"}, {"target", false}, {"width", 1}});
  fit();
  const auto reader = open("cost,text\n?,a\n2.5,b\n-1,c\n", "csv");
  ASSERT_TRUE(reader.ok());
  const auto part = reader.value()->next(10);
  ASSERT_TRUE(part.ok());
  const auto *numbers = static_cast<const float *>(part.value()->batch->view.inputs[2]);
  EXPECT_EQ(numbers[0], static_cast<float>(std::log1p(4)));
  EXPECT_EQ(numbers[1], static_cast<float>(std::log1p(2.5)));
  ASSERT_EQ(part.value()->failures.size(), 1U);
  EXPECT_EQ(part.value()->failures[0].text, "in:4: `log1p` does not take -1, of column `cost`: it takes numbers above -1");
  EXPECT_EQ(open("x\n", "lines").status().code(), ErrorCode::usage);
}

} // namespace
} // namespace penstock::test
