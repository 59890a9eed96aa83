#include "runtime/data/facts.h"

#include "support.h"

#include <sys/stat.h>

#include <cmath>

#include "runtime/base/hash.h"
#include "runtime/data/record_program.h"

namespace penstock::test {
namespace {

Json gather(const Json &program, const FactsOptions &options = {}, FakeFactory *factory = nullptr) {
  FakeFactory own;
  const Result<std::string> facts = gatherFactsWith(specOf(program), factory != nullptr ? *factory : own, options);
  EXPECT_TRUE(facts.ok()) << facts.status().message();
  return facts.ok() ? Json::parse(facts.value()) : Json();
}

void writeGood(const Folder &folder) {
  folder.write("train.csv", "text,label\nLeak in pump,yes\nall good,no\n"
                            "one two three four five six,yes\n\"\",no\nbolt loose,yes\n");
  folder.write("dev.csv", "text,label\npump fine,no\nbolt leak,yes\n");
  folder.write("test.csv", "label,text\nyes,unseen words here\n");
}

TEST(Facts, OfGoodFiles) {
  const Folder folder;
  writeGood(folder);
  const Json facts = gather(textProgram(folder));
  EXPECT_EQ(facts["splits"]["train"]["records"], 5);
  EXPECT_EQ(facts["splits"]["dev"]["records"], 2);
  EXPECT_EQ(facts["splits"]["test"]["records"], 1);
  EXPECT_EQ(facts["splits"]["test"]["files"], Json::array({folder / "test.csv"}));
  EXPECT_EQ(facts["header"], Json::array({"text", "label"}));
  EXPECT_EQ(facts["classes"]["label"]["names"], Json::array({"no", "yes"}));
  EXPECT_EQ(facts["classes"]["label"]["counts"]["train"], Json::array({2, 3}));
  EXPECT_EQ(facts["classes"]["label"]["counts"]["dev"], Json::array({1, 1}));
  const Json &tokens = facts["vocabularies"]["tokens"];
  EXPECT_EQ(tokens["size"], 14); // 13 words and the unknown one
  EXPECT_EQ(tokens["tokens"]["train"], 3 + 2 + 5 + 1 + 2);
  EXPECT_EQ(tokens["tokens"]["test"], 3);
  EXPECT_EQ(tokens["max"], 5);
  EXPECT_DOUBLE_EQ(tokens["cut"]["train"], 0.2);
  EXPECT_DOUBLE_EQ(tokens["cut"]["dev"], 0);
  ASSERT_EQ(facts["problems"].size(), 1U) << facts["problems"].dump(2);
  const Json &problem = facts["problems"][0];
  EXPECT_EQ(problem["id"], "truncation");
  EXPECT_EQ(problem["place"], "features.tokens.max_length");
  EXPECT_EQ(problem["arguments"]["records"], 1);
  EXPECT_DOUBLE_EQ(problem["arguments"]["share"], 1.0 / 8);
}

TEST(Facts, SeveralMistakesAtOnce) {
  const Folder folder;
  folder.write("train.csv", "text,label\na b,yes\n\"x\"y,no\nc,no,more\nbad \xFF,yes\nd,\ne f g,yes\n");
  folder.write("dev.csv", "text,lable\na,yes\n");
  const Json facts = gather(textProgram(folder));
  const auto rows = problemsOf(facts, "malformed-row");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["arguments"]["reason"], "stray-quote");
  EXPECT_EQ(rows[0]["row"], 2);
  EXPECT_EQ(rows[0]["line"], 3);
  EXPECT_EQ(rows[0]["column"], 4);
  EXPECT_EQ(rows[0]["place"], "source");
  EXPECT_EQ(rows[0]["file"], folder / "train.csv");
  EXPECT_EQ(rows[1]["arguments"]["found"], 3);
  const auto bytes = problemsOf(facts, "not-utf8");
  ASSERT_EQ(bytes.size(), 1U);
  EXPECT_EQ(bytes[0]["arguments"]["byte"], 41);
  EXPECT_EQ(bytes[0]["arguments"]["value"], 255);
  const auto cells = problemsOf(facts, "missing-cell");
  ASSERT_EQ(cells.size(), 1U);
  EXPECT_EQ(cells[0]["place"], "columns.label");
  EXPECT_EQ(cells[0]["line"], 6);
  const auto columns = problemsOf(facts, "missing-column");
  ASSERT_EQ(columns.size(), 1U);
  EXPECT_EQ(columns[0]["arguments"]["name"], "label");
  EXPECT_EQ(columns[0]["arguments"]["files"], Json::array({folder / "dev.csv"}));
  const auto files = problemsOf(facts, "missing-file");
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0]["file"], folder / "test.csv");
  EXPECT_EQ(files[0]["arguments"]["split"], "test");
  EXPECT_EQ(facts["vocabularies"]["tokens"]["size"], 7) << "bad rows do not hide the vocabulary";
}

TEST(Facts, AMissingColumnShowsTheHeaderOfTheFileThatLacksIt) {
  const Folder folder;
  writeGood(folder);
  folder.write("dev.csv", "text,Label\npump leak,1\n");
  const auto found = problemsOf(gather(textProgram(folder)), "missing-column");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0]["file"], folder / "dev.csv");
  EXPECT_EQ(found[0]["arguments"]["header"], Json::array({"text", "Label"}));
  EXPECT_EQ(found[0]["arguments"]["candidates"], Json::array({"Label"}));
}

TEST(Facts, AMissingColumnHasCandidates) {
  const Folder folder;
  writeGood(folder);
  Json program = textProgram(folder);
  program["columns"][1]["from"] = "lable";
  const auto found = problemsOf(gather(program), "missing-column");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0]["arguments"]["candidates"], Json::array({"label"}));
  EXPECT_EQ(found[0]["arguments"]["files"].size(), 3U);
  EXPECT_EQ(found[0]["place"], "columns.label");
  EXPECT_TRUE(problemsOf(gather(program), "missing-cell").empty());
}

TEST(Facts, ClassesUndeclaredAndAbsent) {
  const Folder folder;
  folder.write("train.csv", "text,label\na,yes\nb,Yes\nc,no\n");
  folder.write("dev.csv", "text,label\nd,maybe\ne,maybe\n");
  folder.write("test.csv", "text,label\nf,no\n");
  Json program = textProgram(folder);
  const auto absent = problemsOf(gather(program), "class-absent-from-train");
  ASSERT_EQ(absent.size(), 1U);
  EXPECT_EQ(absent[0]["arguments"]["value"], "maybe");
  EXPECT_EQ(absent[0]["arguments"]["records"], 2);
  EXPECT_EQ(absent[0]["file"], folder / "dev.csv");
  EXPECT_EQ(absent[0]["line"], 2);

  program["columns"][1]["classes"] = {"yes", "no", "never", "maybe"};
  const Json facts = gather(program);
  EXPECT_EQ(facts["classes"]["label"]["names"], Json::array({"yes", "no", "never", "maybe"}));
  const auto undeclared = problemsOf(facts, "undeclared-class");
  ASSERT_EQ(undeclared.size(), 1U);
  EXPECT_EQ(undeclared[0]["arguments"]["value"], "Yes");
  EXPECT_EQ(undeclared[0]["arguments"]["candidates"], Json::array({"yes"}));
  EXPECT_EQ(undeclared[0]["line"], 3);
  const auto without = problemsOf(facts, "class-absent-from-train");
  ASSERT_EQ(without.size(), 2U);
  EXPECT_EQ(without[0]["arguments"]["value"], "never");
  EXPECT_EQ(without[0]["arguments"]["records"], 0);
  EXPECT_EQ(without[1]["arguments"]["value"], "maybe");
  EXPECT_EQ(without[1]["arguments"]["split"], "dev");
}

TEST(Facts, EmptySplits) {
  const Folder folder;
  folder.write("train.csv", "text,label\na,x\n");
  folder.write("dev.csv", "text,label\n");
  folder.write("test.csv", "");
  const Json facts = gather(textProgram(folder));
  const auto empty = problemsOf(facts, "empty-split");
  ASSERT_EQ(empty.size(), 2U);
  EXPECT_EQ(empty[0]["arguments"]["split"], "dev");
  EXPECT_EQ(empty[1]["arguments"]["split"], "test");
  EXPECT_TRUE(problemsOf(facts, "missing-column").empty());
}

TEST(Facts, NoTrainAtAll) {
  const Folder folder;
  folder.write("dev.csv", "text,label\na,x\n");
  folder.write("test.csv", "text,label\nb,y\n");
  const Json facts = gather(textProgram(folder));
  EXPECT_EQ(problemsOf(facts, "missing-file").size(), 1U);
  EXPECT_TRUE(problemsOf(facts, "class-absent-from-train").empty());
  EXPECT_TRUE(facts["vocabularies"].empty());
}

TEST(Facts, LeakageBetweenSplitsSeesCleanedTextAndLabel) {
  const Folder folder;
  folder.write("train.csv", "text,label\nSame Words,x\nother,y\nthird,x\n");
  folder.write("dev.csv", "text,label\n  same words ,x\nsame words,x\nother,x\n");
  folder.write("test.csv", "text,label\nsame words,x\nfresh,y\n");
  for (const std::size_t entries : {std::size_t{1} << 20, std::size_t{2}}) {
    FactsOptions options;
    options.overlapEntries = entries;
    const Json facts = gather(textProgram(folder), options);
    ASSERT_EQ(facts["overlap"].size(), 3U);
    EXPECT_EQ(facts["overlap"][0]["a"], "train");
    EXPECT_EQ(facts["overlap"][0]["b"], "dev");
    EXPECT_EQ(facts["overlap"][0]["records"], 2);
    EXPECT_EQ(facts["overlap"][0]["example"], "  same words ");
    EXPECT_EQ(facts["overlap"][1]["records"], 1);
    const auto leaks = problemsOf(facts, "leakage");
    ASSERT_EQ(leaks.size(), 3U);
    EXPECT_EQ(leaks[0]["row"], 1);
    EXPECT_DOUBLE_EQ(leaks[0]["arguments"]["share"], 2.0 / 3);
  }
}

TEST(Facts, Numbers) {
  const Folder folder;
  folder.write("train.csv", "cost,label\n1,a\n?,b\n 2.5 ,a\n+4,b\n-0.5,a\n7e0,b\nfour,a\n,b\n1e60,a\n");
  folder.write("dev.csv", "cost,label\n?,a\n");
  folder.write("test.csv", "cost,label\n3,b\n");
  Json program = textProgram(folder);
  program["columns"] = {{{"name", "cost"}, {"type", "number"}, {"from", "cost"}, {"missing", {"?"}}},
                        {{"name", "label"}, {"type", "class"}, {"from", "label"}, {"classes", nullptr}}};
  program["features"] = Json::array();
  program["features"].push_back(
      {{"name", "c"}, {"columns", {"cost"}}, {"steps", {{{"op", "fill"}, {"parameters", {{"by", "median"}}}}, {{"op", "standardize"}}}}});
  program["inputs"] = {{{"name", "c"}, {"kind", "number"}, {"feature", "c"}, {"target", false}, {"width", 1}},
                       {{"name", "label"}, {"kind", "class"}, {"column", "label"}, {"target", true}}};
  const Json facts = gather(program);
  const Json &cost = facts["numbers"]["cost"];
  EXPECT_DOUBLE_EQ(cost["mean"], 2.8);
  EXPECT_DOUBLE_EQ(cost["median"], 2.5);
  EXPECT_NEAR(cost["std"].get<double>(), std::sqrt(6.66), 1e-12); // population
  EXPECT_EQ(cost["missing"]["train"], 2);
  EXPECT_EQ(cost["missing"]["dev"], 1);
  // Numbers that are no numbers count as missing: fitted is what can be, beside the errors.
  EXPECT_EQ(facts["operators"]["c"][0][0][0], 2.5);
  EXPECT_EQ(facts["operators"]["c"][1][0].size(), 2U);
  const auto bad = problemsOf(facts, "bad-number");
  ASSERT_EQ(bad.size(), 2U);
  EXPECT_EQ(bad[0]["arguments"]["value"], "four");
  EXPECT_EQ(bad[0]["line"], 8);
  EXPECT_EQ(bad[1]["arguments"]["value"], "1e60") << "a float32 does not hold it";
  EXPECT_EQ(problemsOf(facts, "missing-cell").size(), 1U) << "an empty cell is not among `missing`";
}

TEST(Facts, MedianOfAnEvenCountIsTheMiddle) {
  const Folder folder;
  folder.write("train.csv", "v\n10\n1\n3\n2\n");
  Json program = textProgram(folder);
  program["split"] = {{"by", "hash"}, {"column", "v"}, {"shares", {{"train", 1.0}}}};
  program["sources"][0]["path"] = folder / "train.csv";
  program["columns"] = {{{"name", "v"}, {"type", "number"}, {"from", "v"}}};
  program["features"] = program["inputs"] = Json::array();
  const Json facts = gather(program);
  EXPECT_DOUBLE_EQ(facts["numbers"]["v"]["median"], 2.5);
  EXPECT_EQ(facts["splits"].size(), 1U);
  EXPECT_TRUE(facts["problems"].empty()) << "splits that are not wanted are not missed";
}

TEST(Facts, SplitByHashIsFixedForEver) {
  RecordProgram program;
  program.splitBy = RecordProgram::SplitBy::hash;
  program.shares = {0.8, 0.1, 0.1};
  std::array<int, 3> counts = {};
  for (int i = 0; i < 10007; ++i) {
    const int split = program.splitOf("text " + std::to_string(i));
    ASSERT_GE(split, 0);
    ++counts[static_cast<std::size_t>(split)];
  }
  EXPECT_NEAR(counts[0], 8005, 160);
  EXPECT_NEAR(counts[1], 1000, 120);
  EXPECT_NEAR(counts[2], 1000, 120);
  // XXH64("") = ef46db3751d8e999 lies at 0.9347 of the range, XXH64("a") = d24ec4f1a98c6e5b at 0.8215.
  EXPECT_EQ(program.splitOf(""), 2);
  EXPECT_EQ(program.splitOf("a"), 1);
  program.shares = {0.5, 0.2, 0};
  EXPECT_EQ(program.splitOf("a"), -1) << "shares below 1 leave records out";
}

TEST(Facts, SplitByHashReadsOneFile) {
  const Folder folder;
  std::string text = "text,label\n";
  for (int i = 0; i < 211; ++i) {
    text += "word" + std::to_string(i) + " x," + (i % 3 == 0 ? "a" : "b") + "\n";
  }
  text += "broken\n";
  folder.write("all.csv", text);
  Json program = textProgram(folder);
  program["sources"][0]["path"] = folder / "all.csv";
  program["split"] = {{"by", "hash"}, {"column", "text"}, {"shares", {{"train", 0.7}, {"test", 0.3}}}};
  const Json facts = gather(program);
  EXPECT_EQ(facts["splits"].size(), 2U);
  EXPECT_EQ(facts["splits"]["train"]["records"].get<int>() + facts["splits"]["test"]["records"].get<int>(), 211);
  EXPECT_NEAR(facts["splits"]["train"]["records"].get<int>(), 148, 25);
  EXPECT_EQ(problemsOf(facts, "malformed-row").size(), 1U);
  EXPECT_TRUE(facts["overlap"].empty());
}

TEST(Facts, ProblemsAreCappedAndCounted) {
  const Folder folder;
  std::string text = "text,label\na,x\n";
  for (int i = 0; i < 257; ++i) {
    text += "one field only\n";
  }
  folder.write("train.csv", text);
  Json program = textProgram(folder);
  program["split"] = {{"by", "hash"}, {"column", "v"}, {"shares", {{"train", 1.0}}}};
  program["sources"][0]["path"] = folder / "train.csv";
  const Json facts = gather(program);
  EXPECT_EQ(problemsOf(facts, "malformed-row").size(), 100U);
  EXPECT_EQ(facts["omitted"]["malformed-row"], 157);
}

TEST(Facts, JsonLines) {
  const Folder folder;
  folder.write("train.jsonl", "{\"text\": \"a b\", \"label\": 1}\n{\"label\": 2, \"text\": null}\n{\"text\": \"c\", \"label\": 1}\n");
  folder.write("dev.jsonl", "{\"text\": \"a\", \"lable\": 1}\n");
  folder.write("test.jsonl", "{\"text\": \"a\", \"label\": 3}\n");
  Json program = textProgram(folder);
  program["sources"] = Json::array({{{"kind", "jsonl"}, {"path", folder / "{split}.jsonl"}}});
  const Json facts = gather(program);
  EXPECT_EQ(facts["classes"]["label"]["names"], Json::array({"1", "2"}));
  EXPECT_EQ(facts["header"], Json::array({"text", "label"}));
  const auto cells = problemsOf(facts, "missing-cell");
  ASSERT_EQ(cells.size(), 1U);
  EXPECT_EQ(cells[0]["place"], "columns.text");
  EXPECT_EQ(problemsOf(facts, "missing-column").size(), 1U);
  EXPECT_EQ(problemsOf(facts, "class-absent-from-train").size(), 1U);
}

TEST(Facts, AKeyThatNoRecordHasIsAMissingColumn) {
  const Folder folder;
  std::string lines, none;
  for (int i = 0; i < 151; ++i) {
    lines += "{\"text\": \"a b\", \"label\": " + std::to_string(i % 2) + "}\n";
    none += "{}\n";
  }
  folder.write("train.jsonl", lines);
  folder.write("dev.jsonl", lines + "{\"label\": 1}\n{\"label\": 0}\n");
  folder.write("test.jsonl", none);
  Json program = textProgram(folder);
  program["sources"] = Json::array({{{"kind", "jsonl"}, {"path", folder / "{split}.jsonl"}}});
  program["columns"][0]["from"] = "txet";
  Json facts = gather(program);
  EXPECT_TRUE(problemsOf(facts, "missing-cell").empty());
  ASSERT_EQ(problemsOf(facts, "missing-column").size(), 2U); // `label` in test
  EXPECT_EQ(problemsOf(facts, "missing-column")[0]["arguments"]["candidates"], Json::array({"text"}));
  EXPECT_EQ(problemsOf(facts, "missing-column")[0]["arguments"]["files"].size(), 3U);
  program["columns"][0]["from"] = "text";
  facts = gather(program);
  EXPECT_EQ(problemsOf(facts, "missing-cell").size(), 2U);
  EXPECT_EQ(problemsOf(facts, "missing-cell")[0]["line"], 152);
}

TEST(Facts, QuotedCellsThatSpanRecordsAreAWarning) {
  const Folder folder;
  folder.write("train.csv", "text,label\na,yes\n\"b, c, d\nd\",no\n\"e\nf, g\",no\n");
  folder.write("dev.csv", "text,label\nq,yes\n\"two\nlines\",no\n\"e,no\ne\",no\n");
  folder.write("test.csv", "text,label\nr,yes\n");
  const Json facts = gather(textProgram(folder));
  const auto found = problemsOf(facts, "quoted-line-end");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(facts["problems"].size(), 1U);
  EXPECT_EQ(found[0]["arguments"]["records"], 3);
  EXPECT_EQ(found[0]["file"], folder / "dev.csv") << "one that reads like two records";
  EXPECT_EQ(found[0]["row"], 3);
  EXPECT_EQ(found[0]["line"], 5);
}

TEST(Facts, FilesThatCannotBeRead) {
  const Folder folder;
  folder.write("dev.csv", "PK\x03\x04 packed");
  folder.write("test.csv", "text,label\nr,yes\n");
  ASSERT_EQ(::mkfifo((folder / "train.csv").c_str(), 0600), 0);
  Json facts = gather(textProgram(folder));
  ASSERT_EQ(problemsOf(facts, "missing-file").size(), 1U);
  EXPECT_EQ(problemsOf(facts, "missing-file")[0]["arguments"]["detail"], "it is a FIFO; a regular file is needed");
  ASSERT_EQ(problemsOf(facts, "not-text").size(), 1U);
  EXPECT_EQ(problemsOf(facts, "not-text")[0]["arguments"]["what"], "a zip archive, as an Excel workbook (.xlsx) is");
  folder.write("dev.csv", "\x1F\x8B\x08 packed");
  std::filesystem::remove(folder / "train.csv");
  std::filesystem::create_directory(folder / "train.csv");
  facts = gather(textProgram(folder));
  ASSERT_EQ(problemsOf(facts, "missing-file").size(), 2U);
  EXPECT_EQ(problemsOf(facts, "missing-file")[0]["arguments"]["detail"], "it is a folder; a regular file is needed");
  EXPECT_EQ(problemsOf(facts, "missing-file")[1]["arguments"]["detail"], "`" + folder / "dev.csv" + "` is damaged: it cannot be unpacked");
}

TEST(Facts, ListsInCells) {
  const Folder folder;
  const std::string rows = "text,label\n"
                           "\"[\"\"a b\"\", \"\"c\"\"]\",\"[\"\"x|y\"\", \"\"z\"\"]\"\n"
                           "[a] b,x|y\n"
                           "[],[]\n"
                           "[urgent],[x]\n";
  folder.write("train.csv", rows + "\"['a', 'b']\",x\nq,\"[1, 2]\"\nq,\"[[\"\"x\"\"]]\"\nq,\"[\"\"x\"\", y]\"\nq,\"[x, y]\"\n"
                                   "q,\"[\"\"x\"\"\"\nq,\"{'x', 'y'}\"\n\"('x', 'y')\",x\n");
  folder.write("dev.csv", "text,label\nq,x\n");
  folder.write("test.csv", "text,label\nq,x\n");
  Json program = textProgram(folder);
  program["columns"][0]["type"] = "words";
  program["columns"][1] = {{"name", "label"}, {"type", "set"}, {"from", "label"}, {"separator", "|"}, {"classes", nullptr}};
  program["inputs"][1]["kind"] = "set";
  const Json facts = gather(program);
  EXPECT_EQ(facts["classes"]["label"]["names"], Json::array({"[x]", "x", "x|y", "y", "z"}));
  EXPECT_EQ(facts["splits"]["train"]["records"], 4);
  const auto found = problemsOf(facts, "bad-list");
  ASSERT_EQ(found.size(), 8U);
  EXPECT_EQ(found[0]["place"], "columns.text");
  EXPECT_EQ(found[0]["row"], 5);
  const auto says = [&](std::size_t i, const std::string &what) {
    const std::string text = found[i]["arguments"]["text"];
    EXPECT_NE(text.find(what), std::string::npos) << text;
  };
  says(0, "a list as Python writes it");
  says(1, "something else than strings");
  says(2, "something else than strings");
  says(3, "an array that is not JSON");
  says(4, "a list whose items have no quotes");
  says(5, "an array that is cut off");
  says(6, "a set as Python writes it");
  says(7, "a tuple as Python writes it");
}

TEST(Facts, AreTheSameAtAnyNumberOfThreads) {
  const Folder folder;
  std::string text = "text,label\n";
  for (int i = 0; i < 5003; ++i) {
    text += "w" + std::to_string(i * 7919 % 613) + " \xC3\x89t\xC3\xA9 w" + std::to_string(i % 101) + "," + std::to_string(i % 5) + "\n";
  }
  folder.write("train.csv", text);
  folder.write("dev.csv", text.substr(0, text.find('\n', 2001) + 1));
  folder.write("test.csv", "text,label\nq,1\n");
  FactsOptions options;
  options.threads = 1;
  const Json one = gather(textProgram(folder), options);
  options.threads = 3;
  EXPECT_EQ(one, gather(textProgram(folder), options));
}

TEST(Facts, AreCachedByContent) {
  const Folder folder;
  writeGood(folder);
  FakeFactory factory;
  FactsOptions options;
  options.cache = folder / "cache";
  const Json first = gather(textProgram(folder), options, &factory);
  EXPECT_EQ(factory.fitted, 1);
  EXPECT_EQ(first, gather(textProgram(folder), options, &factory));
  EXPECT_EQ(factory.fitted, 1) << "the second time comes from the cache";

  folder.write("dev.csv", "text,label\npump fine,yes\n");
  EXPECT_NE(first["hash"], gather(textProgram(folder), options, &factory)["hash"]);
  EXPECT_EQ(factory.fitted, 2);
  factory.version = "2.0.0";
  gather(textProgram(folder), options, &factory);
  EXPECT_EQ(factory.fitted, 3) << "another version of the tokenizer counts";

  // A damaged entry, and a state that is gone, are made again.
  for (const char *kind : {"facts", "state"}) {
    for (const auto &entry : std::filesystem::directory_iterator(folder / ("cache/" + std::string(kind)))) {
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(70);
      file.put('\x7F');
    }
    const int before = factory.fitted;
    const Json again = gather(textProgram(folder), options, &factory);
    EXPECT_EQ(factory.fitted, before + 1) << kind;
    EXPECT_EQ(again["splits"]["dev"]["records"], 1);
    gather(textProgram(folder), options, &factory);
    EXPECT_EQ(factory.fitted, before + 1) << kind;
  }
}

TEST(Facts, ATokenizerThatReadsAFileIsKeyedByTheFile) {
  const Folder folder;
  writeGood(folder);
  Json program = textProgram(folder);
  const std::string vocabulary = folder.write("words.txt", "pump\ngood\n");
  program["features"][0]["steps"][1]["plugin"] = "fixed";
  program["features"][0]["steps"][1]["parameters"] = {{"vocabulary", vocabulary}};
  FakeFactory factory;
  FactsOptions options;
  options.cache = folder / "cache";
  EXPECT_EQ(gather(program, options, &factory)["vocabularies"]["tokens"]["size"], 3);
  folder.write("words.txt", "pump\ngood\nleak\n");
  EXPECT_EQ(gather(program, options, &factory)["vocabularies"]["tokens"]["size"], 4);
  EXPECT_EQ(factory.fitted, 0);
  std::filesystem::remove(vocabulary);
  const Json facts = gather(program, options, &factory);
  ASSERT_EQ(problemsOf(facts, "missing-file").size(), 1U);
  EXPECT_EQ(problemsOf(facts, "missing-file")[0]["place"], "features.tokens");
}

TEST(RecordProgramTest, RefusesWhatItDoesNotKnow) {
  const Folder folder;
  const auto fails = [&](const std::function<void(Json &)> &change) {
    Json program = textProgram(folder);
    change(program);
    return isRefused(program);
  };
  EXPECT_FALSE(fails([](Json &) {}));
  EXPECT_TRUE(isRefused(Json::array()));
  EXPECT_TRUE(isRefused(Json::object())) << "without a source";
  EXPECT_TRUE(fails([](Json &p) { p["version"] = 2; })) << "no field of it";
  EXPECT_TRUE(fails([](Json &p) { p["sources"].push_back(p["sources"][0]); }));
  EXPECT_TRUE(fails([](Json &p) { p["sources"][0]["kind"] = ""; }));
  EXPECT_TRUE(fails([](Json &p) { p["columns"][0]["type"] = "image"; }));
  EXPECT_TRUE(fails([](Json &p) { p["features"][0]["columns"] = {"nowhere"}; }));
  EXPECT_TRUE(fails([](Json &p) { p["features"][0]["columns"] = {"label"}; }));
  EXPECT_TRUE(fails([](Json &p) { p["features"][0]["steps"].erase(1); }));
  EXPECT_TRUE(fails([](Json &p) { p["inputs"][1]["kind"] = "number"; }));
  EXPECT_TRUE(fails([](Json &p) { p["sources"][0]["options"]["delimiter"] = "\""; }));
  EXPECT_TRUE(fails([](Json &p) { p["split"] = {{"by", "hash"}, {"column", "text"}, {"shares", {{"train", 0.8}, {"test", 0.3}}}}; }));
}

} // namespace
} // namespace penstock::test
