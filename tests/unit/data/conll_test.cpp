// CoNLL files, lists of words and tags, and what becomes of them in a batch.
#include "runtime/data/dataset_impl.h"
#include "runtime/data/facts.h"
#include "runtime/data/record_reader.h"
#include "runtime/data/tags.h"

#include "support.h"

namespace penstock::test {
namespace {

std::string joined(const Cell &cell) {
  std::vector<std::string_view> items;
  itemsOf(cell, items);
  std::string all;
  for (const std::string_view item : items) {
    all += (all.empty() ? "" : "|") + std::string(item);
  }
  return all;
}

/// Records as "line number: words / tags", errors as "! line:column reason".
std::vector<std::string> readConll(const std::string &text, const std::string &comment = "", std::size_t piece = 1U << 20) {
  const auto rows = makeConllRows(std::make_unique<Pieces>(text, piece), {{"word", "pos", "tag"}, comment});
  EXPECT_TRUE(rows->begin().ok());
  rows->select({"word", "tag", "none"}, {true, true, true});
  std::vector<std::string> all;
  Row row;
  RowError error;
  for (;;) {
    const Result<RowStep> step = rows->next(row, error);
    EXPECT_TRUE(step.ok());
    if (!step.ok() || step.value() == RowStep::end) {
      return all;
    }
    if (step.value() == RowStep::error) {
      all.push_back("! " + std::to_string(error.line) + ":" + std::to_string(error.column) + " " + error.reason());
      continue;
    }
    EXPECT_FALSE(row.cells[2].present);
    EXPECT_TRUE(row.cells[0].list);
    all.push_back(std::to_string(row.line) + " " + std::to_string(row.number) + ": " + joined(row.cells[0]) + " / " + joined(row.cells[1]));
  }
}

using Lines = std::vector<std::string>;

TEST(Conll, RecordsEndAtBlankLines) {
  EXPECT_EQ(readConll(""), Lines());
  EXPECT_EQ(readConll("\n \t\n\n"), Lines());
  const std::string text = "\xEF\xBB\xBF"
                           "EU NNP B-ORG\nrejects  VBZ\tO\r\n\r\n\n # \tX O\nend NN O";
  const Lines expected = {"1 1: EU|rejects / B-ORG|O", "5 2: #|end / O|O"};
  EXPECT_EQ(readConll(text), expected);
  EXPECT_EQ(readConll(text, "", 1), expected);
}

TEST(Conll, DocumentMarksAndCommentsAreNoRecords) {
  const std::string text = "-DOCSTART- -X- O\n\na X O\n-DOCSTART- -X- O\nb X O\n\n# id 7\n# text = c\nc X O\n# X O\n\n";
  EXPECT_EQ(readConll(text, "#"), (Lines{"3 1: a / O", "5 2: b / O", "9 3: c|# / O|O"}));
  EXPECT_EQ(readConll(text)[2], "! 8:10 fields"); // without the option, `# id 7` has three columns and `# text = c` four
}

TEST(Conll, AMalformedLineCostsItsRecord) {
  const std::string text = "a X O\nb O\nc X O O\nd X O\n\ne X O\n\nf \xC3\x28 O\n\ng X O\n";
  EXPECT_EQ(readConll(text), (Lines{"! 2:1 fields", "! 3:7 fields", "6 2: e / O", "! 8:3 not-utf8", "10 4: g / O"}));
  for (const std::size_t piece : {1, 2, 7}) {
    EXPECT_EQ(readConll(text, "", piece), readConll(text));
  }
}

TEST(Conll, RealTweetsWithMalformedLines) {
  const char *shared = std::getenv("PENSTOCK_SHARED");
  const std::string folder = std::string(shared != nullptr ? shared : "../shared") + "/data/btc-ner/";
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << "the shared data are not here; set PENSTOCK_SHARED";
  }
  // Lines without a word, and words with a space: counted with awk.
  for (const auto &[file, malformed] : std::map<std::string, std::size_t>{{"a.conll", 0}, {"f.conll", 2}, {"h.conll", 8}}) {
    const auto rows = makeConllRows(openFileSource(folder + file).value(), {{"word", "tag"}, ""});
    ASSERT_TRUE(rows->begin().ok());
    rows->select({"word", "tag"}, {true, true});
    Row row;
    RowError error;
    std::size_t errors = 0, records = 0;
    for (RowStep step = RowStep::row; step != RowStep::end;) {
      step = rows->next(row, error).value();
      errors += step == RowStep::error ? 1 : 0;
      records += step == RowStep::row ? 1 : 0;
    }
    EXPECT_EQ(errors, malformed) << file;
    EXPECT_GT(records, 900U) << file;
  }
}

TEST(Items, OfTextsAndLists) {
  EXPECT_EQ(joined({"", true}), "");
  EXPECT_EQ(joined({" one\t two\u3000three\n", true}), "one|two|three");
  std::vector<std::string_view> items;
  itemsOf({"a b\xFF\xFF\xFF", true, true}, items);
  EXPECT_EQ(items, (std::vector<std::string_view>{"a b", "", ""}));
  itemsOf({"", true, true}, items);
  EXPECT_TRUE(items.empty());
}

std::string converted(TagScheme scheme, const std::string &tags, std::string *wrong = nullptr) {
  std::vector<std::string_view> items;
  itemsOf({tags, true}, items);
  std::vector<TagProblem> problems;
  std::string all;
  for (const std::string &tag : toIob2(scheme, items, problems)) {
    all += (all.empty() ? "" : " ") + tag;
  }
  if (wrong != nullptr) {
    wrong->clear();
    for (const TagProblem &problem : problems) {
      *wrong += std::to_string(problem.word) + (problem.malformed ? "!" : "") + " ";
    }
  } else {
    EXPECT_TRUE(problems.empty()) << tags;
  }
  return all;
}

TEST(Tags, EverySchemeBecomesIob2) {
  EXPECT_EQ(converted(TagScheme::iob2, "O B-a I-a B-a O B-b"), "O B-a I-a B-a O B-b");
  EXPECT_EQ(converted(TagScheme::iob1, "I-a I-a B-a I-a I-b O"), "B-a I-a B-a I-a B-b O");
  EXPECT_EQ(converted(TagScheme::iobes, "S-a S-a B-a I-a E-a O B-b-c E-b-c"), "B-a B-a B-a I-a I-a O B-b-c I-b-c");
  EXPECT_EQ(converted(TagScheme::none, "NN I-x whatever"), "NN I-x whatever");
  EXPECT_EQ(converted(TagScheme::iob2, ""), "");
}

TEST(Tags, WhatCannotFollowIsReadAsConllevalReadsIt) {
  std::string wrong;
  EXPECT_EQ(converted(TagScheme::iob2, "I-a O B-a I-b I-b", &wrong), "B-a O B-a B-b I-b");
  EXPECT_EQ(wrong, "0 3 ");
  EXPECT_EQ(converted(TagScheme::iob1, "B-a O I-a B-b", &wrong), "B-a O B-a B-b");
  EXPECT_EQ(wrong, "0 3 ");
  EXPECT_EQ(converted(TagScheme::iobes, "B-a O E-a I-a B-b S-b B-a", &wrong), "B-a O B-a B-a B-b B-b B-a");
  EXPECT_EQ(wrong, "1 2 3 4 5 7 ");
  EXPECT_EQ(converted(TagScheme::iob2, "B-a X-a O- B- I-a", &wrong), "B-a O O O B-a");
  EXPECT_EQ(wrong, "1! 2! 3! 4 ");
}

class WordsTest : public testing::Test {
protected:
  Folder folder;
  FakeFactory factory;
  Json program = {{"sources", {{{"kind", "conll"}, {"path", folder / "{split}.conll"}, {"options", {{"columns", {"word", "tag"}}}}}}},
                  {"split", {{"by", "file"}}},
                  {"columns",
                   {{{"name", "word"}, {"type", "words"}, {"from", "word"}},
                    {{"name", "tag"}, {"type", "tags"}, {"from", "tag"}, {"scheme", "iob2"}, {"classes", nullptr}}}},
                  {"features",
                   {{{"name", "tokens"},
                     {"columns", {"word"}},
                     {"axis", "tokens"},
                     {"steps",
                      {{{"op", "clean"}, {"parameters", {{"lowercase", true}, {"unicode", "none"}, {"strip", true}}}},
                       {{"op", "tokenize"}, {"plugin", "fake"}, {"parameters", Json::object()}, {"max_length", 4}}}}}}},
                  {"inputs",
                   {{{"name", "tokens"}, {"kind", "ids"}, {"axis", "tokens"}, {"feature", "tokens"}, {"target", false}},
                    {{"name", "tag"}, {"kind", "tags"}, {"column", "tag"}, {"axis", "tokens"}, {"feature", "tokens"}, {"target", true}}}}};

  void SetUp() override {
    folder.write("train.conll", "Oil B-part\nleaks O\n\nworn B-state\npump B-part\nrod I-part\noil O\nleaks O\n\n");
    folder.write("dev.conll", "pump B-tool\nPUMP I-state\n\noil O\n");
    folder.write("test.conll", "rod B-part\n");
  }
  Json facts() {
    FactsOptions options;
    options.cache = folder / "cache";
    const auto text = gatherFactsWith(specOf(program), factory, options);
    EXPECT_TRUE(text.ok()) << text.status().message();
    return Json::parse(text.value());
  }
  std::shared_ptr<const SplitDataset> open(const std::string &split, const Json &known) {
    EXPECT_TRUE(writeFitted(specOf(program), known.dump(), folder / "fitted").ok());
    Dataset::Options options;
    options.fitted = folder / "fitted";
    options.cache = folder / "cache";
    auto dataset = SplitDataset::openWith(specOf(program), split, factory, options);
    EXPECT_TRUE(dataset.ok()) << dataset.status().message();
    return dataset.value();
  }
};

TEST_F(WordsTest, FactsCountTagsAndSayWhereTheyAreWrong) {
  const Json known = facts();
  EXPECT_EQ(known["classes"]["tag"]["names"], Json({"B-part", "B-state", "I-part", "O"}));
  EXPECT_EQ(known["classes"]["tag"]["counts"]["train"], Json({2, 1, 1, 3}));
  const std::vector<Json> sequence = problemsOf(known, "tag-sequence");
  ASSERT_EQ(sequence.size(), 1U);
  EXPECT_EQ(sequence[0]["line"], 2);
  EXPECT_EQ(sequence[0]["arguments"]["before"], "B-tool");
  EXPECT_EQ(problemsOf(known, "class-absent-from-train").size(), 1U); // B-tool; I-state became B-state
  EXPECT_EQ(problemsOf(known, "truncation")[0]["arguments"]["records"], 1);
  folder.write("dev.conll", "pump B-part\noil tool\n");
  EXPECT_EQ(problemsOf(facts(), "bad-tag")[0]["line"], 2);
  folder.write("dev.conll", "pump B-part\noil\n\nrod O\n");
  const std::vector<Json> malformed = problemsOf(facts(), "malformed-row");
  ASSERT_EQ(malformed.size(), 1U);
  EXPECT_EQ(malformed[0]["line"], 2);
  EXPECT_EQ(malformed[0]["arguments"]["expected"], 2);
}

TEST_F(WordsTest, TheFirstTokenOfAWordCarriesItsTag) {
  const Json known = facts();
  for (int pass = 0; pass < 2; ++pass) { // read, then from the cache
    const auto train = open("train", known);
    BatchStream::Plan plan;
    plan.batch = 5;
    const auto stream = BatchStream::start(train, plan).value();
    const Batch *batch = stream->next().value();
    ASSERT_EQ(batch->view.records, 2);
    const PenstockAxisBatch &axis = batch->view.axes[0];
    ASSERT_EQ(axis.rows, 6); // the second record is cut to 4 tokens
    EXPECT_EQ(std::vector<std::int32_t>(axis.row_word, axis.row_word + 6), (std::vector<std::int32_t>{0, 1, 0, 1, 2, 3}));
    const auto *tags = static_cast<const std::int32_t *>(batch->view.inputs[1]);
    EXPECT_EQ(std::vector<std::int32_t>(tags, tags + 6), (std::vector<std::int32_t>{0, 3, 1, 0, 2, 3}));
    const Dataset::Tags gold = train->tagsOf("tag");
    EXPECT_EQ(std::vector<std::int64_t>(gold.offsets, gold.offsets + 3), (std::vector<std::int64_t>{0, 2, 7}));
  }
  const auto dev = open("dev", known);
  EXPECT_EQ(dev->otherClasses("tag"), std::vector<std::string>{"B-tool"});
  EXPECT_EQ(dev->tagsOf("tag").tags[0], 4);
  BatchStream::Plan plan;
  const auto stream = BatchStream::start(dev, plan).value();
  const auto *tags = static_cast<const std::int32_t *>(stream->next().value()->view.inputs[1]);
  EXPECT_EQ(std::vector<std::int32_t>(tags, tags + 3), (std::vector<std::int32_t>{-1, 1, 3}));
}

TEST_F(WordsTest, WordsOfSeveralTokens) {
  // Texts split at white space, tokens at spaces: a word of JSON may hold several, or none.
  program["sources"] = Json::array({{{"kind", "jsonl"}, {"path", folder / "{split}.jsonl"}}});
  program["features"][0]["steps"][1]["max_length"] = 5;
  folder.write("train.jsonl",
               "{\"word\": [\"a b\", \" \", \"c\", \"d e f\"], \"tag\": [\"B-x\", \"O\", \"I-x\", \"O\"]}\n"
               "{\"word\": \"a  b\", \"tag\": \"O O\"}\n{\"word\": [], \"tag\": []}\n{\"word\": [\"\"], \"tag\": [\"O\"]}\n");
  folder.write("dev.jsonl", "{\"word\": [\"a\"], \"tag\": [\"O\"]}\n");
  folder.write("test.jsonl", "{\"word\": [\"a\"], \"tag\": [\"O\"]}\n");
  const Json known = facts();
  const auto train = open("train", known);
  BatchStream::Plan plan;
  const auto stream = BatchStream::start(train, plan).value();
  const Batch *batch = stream->next().value();
  const PenstockAxisBatch &axis = batch->view.axes[0];
  ASSERT_EQ(axis.rows, 9);
  EXPECT_EQ(std::vector<std::int32_t>(axis.offsets, axis.offsets + 5), (std::vector<std::int32_t>{0, 5, 7, 8, 9}));
  EXPECT_EQ(std::vector<std::int32_t>(axis.row_word, axis.row_word + 9), (std::vector<std::int32_t>{0, -1, 2, 3, -1, 0, 1, -1, 0}));
  const auto *tags = static_cast<const std::int32_t *>(batch->view.inputs[1]);
  EXPECT_EQ(std::vector<std::int32_t>(tags, tags + 9), (std::vector<std::int32_t>{0, -1, 0, 1, -1, 1, 1, -1, 1})); // I-x became B-x
  folder.write("dev.jsonl",
               "{\"word\": [\"a\", \"b\"], \"tag\": [\"O\"]}\n{\"word\": [\"a\", 1], \"tag\": \"O O\"}\n{\"word\": {}, \"tag\": \"O\"}\n");
  const Json wrong = facts();
  ASSERT_EQ(problemsOf(wrong, "unequal-lists").size(), 1U);
  EXPECT_EQ(problemsOf(wrong, "unequal-lists")[0]["arguments"]["found"], 1);
  ASSERT_EQ(problemsOf(wrong, "bad-list").size(), 1U);
  EXPECT_EQ(problemsOf(wrong, "bad-list")[0]["arguments"]["reason"], "not-words");
  ASSERT_EQ(problemsOf(wrong, "malformed-row").size(), 1U);
  EXPECT_EQ(problemsOf(wrong, "malformed-row")[0]["arguments"]["reason"], "nested-value");
}

TEST_F(WordsTest, RecordsToPredictKeepTheirWords) {
  ASSERT_TRUE(writeFitted(specOf(program), facts().dump(), folder / "fitted").ok());
  const auto words = [&](const std::string &text, const std::string &format) {
    const auto reader = openRecordsWith(specOf(program), folder / "fitted", factory, recordsOf(text, format)).value();
    std::string all;
    for (const RecordReader::Part *part = reader->next(2).value(); part != nullptr; part = reader->next(2).value()) {
      for (const RecordReader::Failure &failure : part->failures) {
        all += "! " + failure.text + " ; ";
      }
      const Batch *batch = part->batch;
      if (batch == nullptr) {
        continue;
      }
      const BatchWords &given = batch->words[0];
      EXPECT_EQ(batch->view.inputs[1], nullptr);
      for (std::size_t r = 0; r + 1 < given.offsets.size(); ++r) {
        for (auto i = given.offsets[r]; i < given.offsets[r + 1]; ++i) {
          const std::string_view word = given.words[static_cast<std::size_t>(i)], from = given.texts[r];
          all += std::string(word) + (from.empty() ? "" : "@" + std::to_string(word.data() - from.data())) + " ";
        }
        all += "; ";
      }
    }
    return all;
  };
  EXPECT_EQ(words("Oil  leaks\n\nrod\n", "lines"), "Oil@0 leaks@5 ; ; rod@0 ; ");
  EXPECT_EQ(words("word\n\"a, b\"\n", "csv"), "a@0 ,@1 b@3 ; ");
  EXPECT_EQ(words("{\"word\": [\"a b\", \"c\"]}\n{\"word\": \"d e\"}\n", "jsonl"), "a b c ; d@0 e@2 ; ");
  EXPECT_EQ(words("word\n\"[\"\"a b\"\", \"\"c\"\"]\"\n[x] y\n", "csv"), "a b c ; [@0 x@1 ]@2 y@4 ; ");
  EXPECT_EQ(words("oil O\nleaks O\n\nrod O\n", "conll"), "oil leaks ; rod ; ");
  EXPECT_EQ(words("oil\nleaks\n\nrod\n", "conll"), "oil leaks ; rod ; ") << "words whose tags nobody knows yet";
  EXPECT_EQ(words("oil O\nleaks\nx y z\n\nrod O\n", "conll"), "! in:2:1: the line has 1 column where `columns` lists 2 ; rod ; ")
      << "one error a record";
}

} // namespace
} // namespace penstock::test
