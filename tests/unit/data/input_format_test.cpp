// The table of docs/guides/deploy.md: extension x the run's own source x first line -> how an input is read.
#include "runtime/data/input_format.h"

#include "support.h"

namespace penstock::test {
namespace {

Json source(const std::string &kind, const std::string &path, const Json &options = Json::object()) {
  return {{"kind", kind}, {"path", path}, {"options", options}};
}

const Json commas = source("csv", "/d/{split}.csv"), semicolons = source("csv", "/d/{split}.csv", {{"delimiter", ";"}}),
           tabs = source("csv", "/d/{split}.dat", {{"delimiter", "\t"}, {"quote", "none"}}), lines = source("jsonl", "/d/{split}.jsonl"),
           words = source("conll", "/d/{split}.txt", {{"columns", {"text", "tag"}}, {"comment", "#"}}),
           spaced = source("spaced", "/d/{split}.ts");

/// "csv ,", "csv ;", "csv tab", "csv tab unquoted", "jsonl", "conll N", "lines", "plugin", or the kind of error.
std::string choose(const Json &own, const std::string &path, const std::string &head, const std::string &asked = "",
                   std::string *message = nullptr, const std::string &standing = "") {
  const Folder folder;
  Json json = textProgram(folder);
  json["sources"] = Json::array({own});
  Fitted fitted;
  fitted.classes = {{}, {"no", "yes"}};
  if (own["kind"] == "conll") {
    json["columns"][0]["type"] = "words";
    json["columns"][1] = {{"name", "tag"}, {"type", "tags"}, {"from", "tag"}, {"scheme", "iobes"}};
    json["inputs"][1] = {{"name", "tag"}, {"kind", "tags"}, {"column", "tag"}, {"feature", "tokens"}, {"target", true}};
    fitted.classes = {{}, {"B-part", "O"}};
  }
  const auto program = RecordProgram::link(specOf(json));
  EXPECT_TRUE(program.ok()) << program.status().message();
  const Result<RowOptions> made = chooseFormat({path, asked, head, standing}, *program, fitted, {"text"});
  if (!made.ok()) {
    if (message != nullptr) {
      *message = made.status().message();
    }
    EXPECT_TRUE(made.status().code() != ErrorCode::usage || made.status().message().find("`--format") != std::string::npos)
        << made.status().message();
    return made.status().code() == ErrorCode::usage ? "usage" : "invalid";
  }
  switch (made->format) {
  case RowFormat::lines:
    return "lines";
  case RowFormat::jsonl:
    return "jsonl";
  case RowFormat::conll:
    return "conll " + std::to_string(made->conll.columns.size()) + made->conll.comment;
  case RowFormat::plugin:
    return "plugin";
  case RowFormat::csv:
    break;
  }
  return std::string("csv ") + (made->csv.delimiter == '\t' ? "tab" : std::string(1, made->csv.delimiter)) +
         (made->csv.quotes ? "" : " unquoted");
}

TEST(InputFormat, ThePipelineSaysWhatNoNameTells) {
  std::string message;
  const auto standing = [&](const std::string &path, const std::string &head, const std::string &asked = "",
                            const std::string &form = "csv") { return choose(lines, path, head, asked, &message, form); };
  EXPECT_EQ(standing("", "text,label\na,b\n"), "csv ,");
  EXPECT_EQ(standing("/in/records", "text;label\na;b\n"), "csv ;");
  EXPECT_EQ(standing("/in/a.dat", "text\na\n"), "csv ,");
  EXPECT_EQ(standing("", "{\"text\": 1}\n", "", "jsonl"), "jsonl");
  EXPECT_EQ(standing("", "text\n", "", "lines"), "lines"); // it is asked for, and no guess
  // Where a name tells, or somebody asks, it has no say.
  EXPECT_EQ(standing("/in/a.txt", "pump\n"), "lines");
  EXPECT_EQ(standing("/in/a.jsonl", "{\"text\": 1}\n"), "jsonl");
  EXPECT_EQ(standing("", "pump\n", "lines"), "lines");
  EXPECT_EQ(standing("", "pump\n"), "usage");
  EXPECT_NE(message.find("`deploy { input: csv }` asks for"), std::string::npos) << message;
}

TEST(InputFormat, APluginReadsWhatIsNamedAsItsOwnData) {
  std::string message;
  EXPECT_EQ(choose(spaced, "x.TS", "\x1F\x8B\xFF"), "plugin") << "whatever its bytes are";
  EXPECT_EQ(choose(spaced, "", "", "spaced"), "plugin");
  EXPECT_EQ(choose(spaced, "x.dat", "text\nleak\n"), "plugin") << "nothing else speaks";
  EXPECT_EQ(choose(spaced, "x.jsonl", "{\"text\": 1}\n"), "jsonl");
  EXPECT_EQ(choose(spaced, "x.ts", "text\nleak\n", "csv"), "csv ,");
  EXPECT_EQ(choose(spaced, "x.conll", "oil O\n", "", &message), "usage");
  EXPECT_EQ(message, "the columns of the CoNLL file `x.conll` are not known, because the run's own data are read by `spaced`; give it as "
                     "these, and say so with `--format`");
  EXPECT_EQ(choose(spaced, "x.ts", "", "parquet", &message), "usage");
  EXPECT_EQ(message, "`--format parquet` is none: there are lines, csv, tsv, jsonl, conll and, as the run's own data, spaced");
  EXPECT_EQ(choose(commas, "x.csv", "text\n", "spaced", &message), "usage");
  EXPECT_EQ(message, "`--format spaced` is none: there are lines, csv, tsv, jsonl and conll");
}

TEST(InputFormat, TheExtensionCountsWithoutCase) {
  for (const std::string name : {"x.csv", "a.b/X.CSV", "x.y.Csv"}) {
    EXPECT_EQ(choose(commas, name, "text\npump leak\n"), "csv ,") << name;
  }
  EXPECT_EQ(choose(commas, "X.TSV", "id\ttext\n"), "csv tab");
  EXPECT_EQ(choose(commas, "x.Tab", "text"), "csv tab");
  for (const std::string name : {"x.json", "x.JSONL", "x.ndjson"}) {
    EXPECT_EQ(choose(commas, name, "{\"text\": 1}\n"), "jsonl") << name;
    EXPECT_EQ(choose(commas, name, "  [{\"text\": 1}]\n"), "usage") << name;
  }
  EXPECT_EQ(choose(commas, "x.TXT", "pump leak\n"), "lines");
  EXPECT_EQ(choose(commas, "csv", "pump leak\n"), "usage") << "a name is no extension";
  EXPECT_EQ(choose(commas, ".csv", "pump leak\n"), "usage");
}

TEST(InputFormat, ARunReadsOtherFilesTheWayItReadsItsOwn) {
  EXPECT_EQ(choose(semicolons, "x.csv", "id;text\n"), "csv ;");
  EXPECT_EQ(choose(semicolons, "x.csv", "text\n"), "csv ;");
  EXPECT_EQ(choose(semicolons, "x.csv", "id,text\n"), "csv ,") << "the header says so";
  EXPECT_EQ(choose(commas, "x.csv", "id;text\n"), "csv ;");
  EXPECT_EQ(choose(tabs, "x.csv", "text\n"), "csv tab unquoted");
  EXPECT_EQ(choose(tabs, "x.csv", "text,n\n"), "csv ,");
  EXPECT_EQ(choose(tabs, "x.tsv", "text\tn\n"), "csv tab unquoted");
  for (const std::string name : {"x", "x.dat", "/dev/fd/63", "x.log"}) {
    EXPECT_EQ(choose(tabs, name, "n\ttext\n"), "csv tab unquoted") << name;
    EXPECT_EQ(choose(tabs, name, "pump leak\n"), "usage") << name;
    EXPECT_EQ(choose(commas, name, "n,text\n"), "csv ,") << name;
    EXPECT_EQ(choose(commas, name, "pump leak\n"), "usage") << name;
    EXPECT_EQ(choose(lines, name, "\n {\"text\": 1}\n"), "jsonl") << name;
    EXPECT_EQ(choose(lines, name, "pump leak\n"), "usage") << name;
    EXPECT_EQ(choose(words, name, "# c\n\noil O\n"), "conll 2#") << name;
    EXPECT_EQ(choose(words, name, "oil\nfilter\n"), "usage") << "words alone are texts too";
    EXPECT_EQ(choose(words, name, "oil leaks\nfilter worn\n"), "usage") << "a text of two words";
    EXPECT_EQ(choose(words, name, "oil filter leaks\n"), "usage") << name;
  }
  EXPECT_EQ(choose(words, "x.txt", "oil O\nfilter O\n"), "conll 2#") << "its own files are .txt";
  EXPECT_EQ(choose(words, "x.txt", "oil filter is leaking\n"), "usage");
  EXPECT_EQ(choose(words, "x.conll", "oil filter is leaking\n\noil O\n"), "conll 2#") << "an error of the first record";
  EXPECT_EQ(choose(words, "x.conll", "oil filter is leaking\n"), "usage");
  EXPECT_EQ(choose(words, "x.conllu", "oil leaks\n"), "conll 2#");
  EXPECT_EQ(choose(words, "x.conll", "oil\nfilter\n"), "conll 1#");
  EXPECT_EQ(choose(words, "x.conll", "text\noil filter leaks\n"), "usage") << "a header";
  EXPECT_EQ(choose(words, "x", "oil\nfilter\n", "conll"), "conll 1#");
  EXPECT_EQ(choose(lines, "x.jsonl", "bad\n{\"text\": 1}\n"), "jsonl") << "an error of the first record";
  EXPECT_EQ(choose(lines, "x.jsonl", "text\nbad\n"), "usage");
  EXPECT_EQ(choose(lines, "x.json", "{\n  \"text\": 1\n}\n"), "usage");
  EXPECT_EQ(choose(commas, "x.conll", "oil O\n"), "usage") << "its columns are not known";
  EXPECT_EQ(choose(commas, "x.conllu", "oil O\n"), "usage");
}

TEST(InputFormat, StandardInputAndTextStayLines) {
  for (const std::string path : {"", "x.txt"}) {
    for (const Json &own : {commas, semicolons, tabs, lines}) {
      for (const std::string first :
           {"pump leak", "", "  ", "Text, more", "a text", "text leak", "texts", "[urgent] pump", "{x} pump", "pump, leak; oil\tx"}) {
        EXPECT_EQ(choose(own, path, first + "\npump\n"), "lines") << first;
      }
      for (const std::string first :
           {"text", "TEXT", " Text ", "\xEF\xBB\xBFtext", "\"text\"", "text\r", "id,text", "text;id", "id\ttext", "{\"text\": \"a\"}"}) {
        EXPECT_EQ(choose(own, path, first + "\npump\n"), "usage") << first;
        EXPECT_EQ(choose(own, path, first + "\npump\n", "lines"), "lines") << first;
      }
    }
  }
  EXPECT_EQ(choose(words, "", "oil filter\n"), "lines");
  for (const std::string first : {"oil O", "oil B-part", "oil\tS-part", "-DOCSTART- O", "-DOCSTART- -X- O O"}) {
    EXPECT_EQ(choose(words, "", first + "\n"), "usage") << first;
  }
}

TEST(InputFormat, WhatIsAskedForIsTaken) {
  EXPECT_EQ(choose(commas, "x.jsonl", "pump\n", "lines"), "lines");
  EXPECT_EQ(choose(commas, "", "text\n", "csv"), "csv ,");
  EXPECT_EQ(choose(semicolons, "", "pump\n", "csv"), "usage") << "no header in any of the ways";
  EXPECT_EQ(choose(commas, "", "id,text\n", "tsv"), "usage");
  EXPECT_EQ(choose(tabs, "x.csv", "text\n", "tsv"), "csv tab unquoted");
  EXPECT_EQ(choose(commas, "x.csv", "text\n", "tsv"), "csv tab");
  EXPECT_EQ(choose(commas, "x.csv", "[1]\n", "jsonl"), "jsonl");
  EXPECT_EQ(choose(words, "x.csv", "a b c\n", "conll"), "conll 2#");
  EXPECT_EQ(choose(lines, "x.csv", "a b c\n", "conll"), "usage");
}

TEST(InputFormat, EmptyInputsHaveNoRecords) {
  for (const std::string name : {"x.csv", "x.tsv", "x.jsonl", "x.txt", "", "x"}) {
    for (const std::string text : {"", "\xEF\xBB\xBF", "\n", "\r\n\n"}) {
      EXPECT_NE(choose(commas, name, text), "usage") << name;
    }
  }
}

TEST(InputFormat, SaysWhatAFileIsThatIsNoText) {
  std::string message;
  EXPECT_EQ(choose(commas, "x.csv", "\x1F\x8B\x08", "", &message), "invalid");
  EXPECT_EQ(message, "`x.csv` is compressed with gzip; unpack it with `gunzip`");
  EXPECT_EQ(choose(commas, "", "PK\x03\x04", "csv", &message), "invalid");
  EXPECT_NE(message.find("standard input is a zip archive"), std::string::npos) << message;
}

TEST(InputFormat, ShowsNoControlCharacters) {
  std::string message;
  EXPECT_EQ(choose(commas, "x\x1b[2J.csv", "\x1b]0;owned\x07\n", "", &message), "usage");
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
}

TEST(InputFormat, AFirstLineIsEnough) {
  const Folder folder;
  const auto program = RecordProgram::link(specOf(textProgram(folder))).value();
  EXPECT_FALSE(headIsEnough({"", "", "tex"}, program));
  EXPECT_TRUE(headIsEnough({"", "", "\n"}, program));
  EXPECT_TRUE(headIsEnough({"", "lines", ""}, program));
  EXPECT_FALSE(headIsEnough({"x.csv", "", "\n\ntext"}, program));
  EXPECT_TRUE(headIsEnough({"x.csv", "", "\n\ntext\n"}, program));
  EXPECT_TRUE(headIsEnough({"x.csv", "", std::string(1U << 16, 'x')}, program));
}

} // namespace
} // namespace penstock::test
