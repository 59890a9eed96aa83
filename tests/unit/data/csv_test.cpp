#include "runtime/data/rows.h"

#include "support.h"

#include <gtest/gtest.h>

#include <random>
#include <sstream>

namespace penstock {
namespace {

using test::Pieces;

struct Read {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::int64_t> numbers, lines;
  std::vector<RowError> errors;
};

Read readCsv(const std::string &text, std::size_t piece = 1U << 20, CsvOptions options = {}) {
  Read read;
  const auto source = makeCsvRows(std::make_unique<Pieces>(text, piece), options);
  EXPECT_TRUE(source->begin().ok());
  read.header = source->names();
  source->select(read.header);
  Row row;
  RowError error;
  for (int guard = 0; guard < 100000; ++guard) {
    const Result<RowStep> step = source->next(row, error);
    EXPECT_TRUE(step.ok());
    if (!step.ok() || step.value() == RowStep::end) {
      return read;
    }
    if (step.value() == RowStep::error) {
      read.errors.push_back(error);
      continue;
    }
    read.rows.emplace_back();
    for (const Cell &cell : row.cells) {
      EXPECT_TRUE(cell.present);
      read.rows.back().emplace_back(cell.text);
    }
    read.numbers.push_back(row.number);
    read.lines.push_back(row.line);
  }
  ADD_FAILURE() << "no end";
  return read;
}

using Rows = std::vector<std::vector<std::string>>;

TEST(Csv, ReadsWhatTheRfcAllows) {
  const Read read = readCsv("\xEF\xBB\xBFtext,label\r\n"
                            "plain,a\r\n"
                            "\"with, comma\",b\r\n"
                            "\"two\r\nlines\",\"c\"\r\n"
                            "\"say \"\"hi\"\"\",\"\"\r\n"
                            ",\r\n"
                            "last,d");
  EXPECT_EQ(read.header, (std::vector<std::string>{"text", "label"}));
  EXPECT_EQ(read.rows, (Rows{{"plain", "a"}, {"with, comma", "b"}, {"two\r\nlines", "c"}, {"say \"hi\"", ""}, {"", ""}, {"last", "d"}}));
  EXPECT_EQ(read.numbers, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(read.lines, (std::vector<std::int64_t>{2, 3, 4, 6, 7, 8}));
  EXPECT_TRUE(read.errors.empty());
}

TEST(Csv, ALineOfNothingIsARecordWhereThereIsOneColumn) {
  const Read one = readCsv("\n\ntext\n\nx\n\"\"\n\r\n");
  EXPECT_EQ(one.header, std::vector<std::string>{"text"});
  EXPECT_EQ(one.rows, (Rows{{""}, {"x"}, {""}, {""}}));
  EXPECT_EQ(one.lines, (std::vector<std::int64_t>{4, 5, 6, 7}));
  EXPECT_EQ(readCsv("text\n\n").rows, (Rows{{""}}));
  EXPECT_EQ(readCsv("text\n").rows, Rows{});
  EXPECT_EQ(readCsv("text").rows, Rows{});
  EXPECT_EQ(readCsv("text\na").rows, (Rows{{"a"}}));
  const Read two = readCsv("a,b\n\n1,2\n\r\n\r3,4\n\n");
  EXPECT_EQ(two.rows, (Rows{{"1", "2"}, {"3", "4"}}));
  EXPECT_EQ(two.numbers, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(two.lines, (std::vector<std::int64_t>{3, 6}));
}

TEST(Csv, EveryLineEndEndsALine) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    for (const std::size_t piece : {1U, 2U, 1000U}) {
      const std::string text = "a,b" + end + "1,\"x" + end + "y\"" + end + "2,3" + end + "bad" + end + "4,\"5\"" + end;
      const Read read = readCsv(text, piece);
      EXPECT_EQ(read.rows, (Rows{{"1", "x" + end + "y"}, {"2", "3"}, {"4", "5"}}));
      EXPECT_EQ(read.lines, (std::vector<std::int64_t>{2, 4, 6}));
      ASSERT_EQ(read.errors.size(), 1U);
      EXPECT_EQ(read.errors[0].line, 5);
      EXPECT_EQ(readCsv("t" + end + end + "a" + end + end, piece).rows, (Rows{{""}, {"a"}, {""}}));
    }
  }
}

TEST(Csv, WithoutQuotes) {
  CsvOptions options;
  options.delimiter = '\t';
  options.quotes = false;
  EXPECT_EQ(readCsv("a\tb\n5\" pipe\t\"x\n\"y\"\t\n", 3, options).rows, (Rows{{"5\" pipe", "\"x"}, {"\"y\"", ""}}));
}

TEST(Csv, TellsARowWhoseQuotesSpanRecords) {
  const auto spans = [](const std::string &text) {
    const auto source = makeCsvRows(std::make_unique<Pieces>(text, 1000), {});
    EXPECT_TRUE(source->begin().ok());
    std::string all;
    Row row;
    RowError error;
    for (RowStep step; (step = source->next(row, error).value()) != RowStep::end;) {
      all += step == RowStep::row ? std::to_string(static_cast<int>(row.span)) : "!";
    }
    return all;
  };
  EXPECT_EQ(spans("a,b\n\"x, y\",1\n\"x\ny\",1\n\"x, z, y\r\ny\",2\r\n3,\",\r\""), "0011");
  EXPECT_EQ(spans("a,b\n\"x,1\ny\",1\n\"x,1\r\nz,2\ry\",1\n1,\"x\n2,y\"\n\"x,1\nq\ny\",1\n"), "2221");
  EXPECT_EQ(spans("a,b,c\n1,\"x,1\n2,y\",1\n1,\"x,1\ny\",1\n"), "21");
  EXPECT_EQ(spans("a\n\"x,1\ny\"\n"), "1");
}

TEST(Csv, AFileThatIsNoText) {
  for (const auto &[bytes, what] : {std::pair<std::string, std::string>{"\x1F\x8B\x08", "gzip"},
                                    {"PK\x03\x04rest", "zip"},
                                    {std::string("\xFF\xFEt\0\n\0", 6), "UTF-16"},
                                    {std::string("\0t\0e\0x", 6), "UTF-16"}}) {
    for (const std::size_t piece : {1U, 1000U}) {
      const Read read = readCsv(bytes, piece);
      ASSERT_EQ(read.errors.size(), 1U) << what;
      EXPECT_TRUE(read.errors[0].last);
      EXPECT_NE(read.errors[0].sentence().find(what), std::string::npos) << read.errors[0].sentence();
      const auto lines = makeJsonLines(std::make_unique<Pieces>(bytes, piece));
      ASSERT_TRUE(lines->begin().ok());
      Row row;
      RowError error;
      ASSERT_EQ(lines->next(row, error).value(), RowStep::error);
      EXPECT_EQ(error.kind, RowError::Kind::notText);
      EXPECT_EQ(error.row, 0);
      EXPECT_EQ(lines->next(row, error).value(), RowStep::end);
    }
  }
}

TEST(Csv, EmptyAndHeaderOnlyFiles) {
  EXPECT_TRUE(readCsv("").header.empty());
  EXPECT_TRUE(readCsv("\xEF\xBB\xBF").header.empty());
  EXPECT_TRUE(readCsv("\n\r\n\n").header.empty());
  const Read read = readCsv("a,b");
  EXPECT_EQ(read.header.size(), 2U);
  EXPECT_TRUE(read.rows.empty());
  EXPECT_TRUE(read.errors.empty());
}

TEST(Csv, NamesRowLineAndColumnOfEachMistake) {
  const Read read = readCsv("a,b\n"
                            "1,2\n"
                            "1,2,3\n"
                            "only\n"
                            "\"x\ny\",\xC3\xA9t\"x\n"
                            "\"q\"z,1\n"
                            "3,4\n");
  EXPECT_EQ(read.rows, (Rows{{"1", "2"}, {"3", "4"}}));
  ASSERT_EQ(read.errors.size(), 4U);
  EXPECT_STREQ(read.errors[0].reason(), "fields");
  EXPECT_EQ(read.errors[0].expected, 2);
  EXPECT_EQ(read.errors[0].found, 3);
  EXPECT_EQ(read.errors[0].row, 2);
  EXPECT_EQ(read.errors[0].line, 3);
  EXPECT_EQ(read.errors[0].column, 5);
  EXPECT_EQ(read.errors[1].found, 1);
  EXPECT_EQ(read.errors[1].line, 4);
  EXPECT_EQ(read.errors[1].column, 1);
  EXPECT_STREQ(read.errors[2].reason(), "stray-quote");
  EXPECT_EQ(read.errors[2].row, 4);
  EXPECT_EQ(read.errors[2].line, 6);
  EXPECT_EQ(read.errors[2].column, 6) << "scalars, not bytes";
  EXPECT_STREQ(read.errors[3].reason(), "stray-quote");
  EXPECT_EQ(read.errors[3].line, 7);
  EXPECT_EQ(read.errors[3].column, 4);
  EXPECT_EQ(read.numbers, (std::vector<std::int64_t>{1, 6}));
}

TEST(Csv, OneMissingQuoteCostsOneRow) {
  const Read read = readCsv("a,b\n\"open,1\n\"two\",2\n\"three\",3\n");
  ASSERT_EQ(read.errors.size(), 1U);
  EXPECT_EQ(read.errors[0].row, 1);
  EXPECT_EQ(read.rows, (Rows{{"two", "2"}, {"three", "3"}}));
}

TEST(Csv, UnterminatedQuote) {
  const Read read = readCsv("a,b\n1,2\nx,\"never\nclosed,1\n3,4\n");
  ASSERT_EQ(read.errors.size(), 1U);
  EXPECT_STREQ(read.errors[0].reason(), "unterminated-quote");
  EXPECT_EQ(read.errors[0].line, 3);
  EXPECT_EQ(read.errors[0].column, 3);
  EXPECT_EQ(read.rows, (Rows{{"1", "2"}, {"closed", "1"}, {"3", "4"}}));
}

TEST(Csv, TellsTheByteThatIsNotUtf8) {
  const Read read = readCsv("a,b\nfine,1\nbad \xE9,2\n3,4\n");
  ASSERT_EQ(read.errors.size(), 1U);
  EXPECT_EQ(read.errors[0].kind, RowError::Kind::notUtf8);
  EXPECT_EQ(read.errors[0].byte, 15);
  EXPECT_EQ(read.errors[0].value, 0xE9);
  EXPECT_EQ(read.errors[0].row, 2);
  EXPECT_EQ(read.errors[0].column, 5);
  EXPECT_EQ(read.rows.size(), 2U);
}

TEST(Csv, MistakesOfTheHeader) {
  EXPECT_STREQ(readCsv("a,b,a\n1,2,3\n").errors.at(0).reason(), "duplicate-column");
  EXPECT_EQ(readCsv("a,b,a\n1,2,3\n").errors.at(0).row, 0);
  EXPECT_STREQ(readCsv("\"a\n1\n").errors.at(0).reason(), "unterminated-quote");
  EXPECT_EQ(readCsv("a\xFF,b\n1,2\n").errors.at(0).kind, RowError::Kind::notUtf8);
}

TEST(Csv, AnotherDelimiter) { EXPECT_EQ(readCsv("a;b\n1,5;\"x;y\"\n", 3, {';'}).rows, (Rows{{"1,5", "x;y"}})); }

TEST(Csv, SelectsCellsByName) {
  const auto source = makeCsvRows(std::make_unique<Pieces>("a,b,c\n1,\"x\"\"y\",3\n", 2), {});
  ASSERT_TRUE(source->begin().ok());
  source->select({"c", "none", "b", "b"});
  Row row;
  RowError error;
  ASSERT_EQ(source->next(row, error).value(), RowStep::row);
  EXPECT_EQ(row.cells[0].text, "3");
  EXPECT_FALSE(row.cells[1].present);
  EXPECT_EQ(row.cells[2].text, "x\"y");
  EXPECT_EQ(row.cells[3].text, "x\"y");
}

TEST(Csv, OneQuotedFieldSelectedManyTimes) {
  const std::string cell(101, 'x');
  const auto source = makeCsvRows(std::make_unique<Pieces>("a\n\"" + cell + "\"\"\"\n", 1000), {});
  ASSERT_TRUE(source->begin().ok());
  source->select({"a", "a", "a", "a", "a"});
  Row row;
  RowError error;
  ASSERT_EQ(source->next(row, error).value(), RowStep::row);
  for (const Cell &each : row.cells) {
    EXPECT_EQ(each.text, cell + "\"");
  }
}

TEST(Csv, IsTheSameHoweverTheBytesArrive) {
  std::mt19937 random(5);
  const std::string alphabet = "ab,\"\"\n\r\xC3\xA9\xE4";
  for (int trial = 0; trial < 400; ++trial) {
    std::string text = "a,b\n";
    for (std::size_t i = random() % 61; i > 0; --i) {
      text += alphabet[random() % alphabet.size()];
    }
    const Read whole = readCsv(text);
    for (const std::size_t piece : {1U, 2U, 7U}) {
      const Read parts = readCsv(text, piece);
      ASSERT_EQ(whole.rows, parts.rows) << text;
      ASSERT_EQ(whole.lines, parts.lines) << text;
      ASSERT_EQ(whole.errors.size(), parts.errors.size()) << text;
      for (std::size_t i = 0; i < whole.errors.size(); ++i) {
        ASSERT_EQ(whole.errors[i].sentence(), parts.errors[i].sentence());
        ASSERT_EQ(whole.errors[i].line, parts.errors[i].line);
        ASSERT_EQ(whole.errors[i].column, parts.errors[i].column);
      }
    }
  }
}

TEST(Csv, WritesAndReadsBackRandomCells) {
  std::mt19937 random(6);
  for (int trial = 0; trial < 200; ++trial) {
    const std::size_t width = 1 + random() % 5;
    Rows rows(random() % 11);
    std::string text;
    for (std::size_t i = 0; i < width; ++i) {
      text += (i > 0 ? ",c" : "c") + std::to_string(i);
    }
    text += "\n";
    for (auto &row : rows) {
      for (std::size_t i = 0; i < width; ++i) {
        std::string cell;
        for (std::size_t k = random() % 9; k > 0; --k) {
          cell += ("x,\"\n\r \xC3\xA9"[random() % 6]);
        }
        std::string quoted = "\"";
        for (const char c : cell) {
          quoted += c == '"' ? "\"\"" : std::string(1, c);
        }
        text += (i > 0 ? "," : "") + quoted + "\"";
        row.push_back(cell);
      }
      text += random() % 2 == 0 ? "\n" : "\r\n";
    }
    const Read read = readCsv(text, 1 + random() % 40);
    ASSERT_EQ(read.rows, rows) << text;
    ASSERT_TRUE(read.errors.empty());
  }
}

TEST(Csv, RowsLongerThanTheFirstBuffer) {
  const std::string cell(3U << 20, 'z');
  const Read read = readCsv("a,b\n\"" + cell + "\n\"\"q\"\"\",2\n1,2\n", 70001);
  ASSERT_EQ(read.rows.size(), 2U);
  EXPECT_EQ(read.rows[0][0], cell + "\n\"q\"");
}

TEST(Csv, ARowBeyondTheLimitIsAMistakeNotAHang) {
  std::string text = "a\n\"";
  text.append(ByteWindow::limit + (1U << 20), 'q');
  const Read read = readCsv(text);
  ASSERT_GE(read.errors.size(), 1U);
  EXPECT_STREQ(read.errors[0].reason(), "too-long");
  // The rest of a long line is part of it.
  text.assign("a,b\n");
  text.append(2 * ByteWindow::limit, 'q');
  text += "\n1,2\n";
  const Read more = readCsv(text);
  EXPECT_EQ(more.errors.size(), 1U);
  EXPECT_EQ(more.rows, (Rows{{"1", "2"}}));
  EXPECT_EQ(more.lines, std::vector<std::int64_t>{3});
}

TEST(PlainLines, EveryLineIsARecord) {
  const auto source = makePlainLines(std::make_unique<Pieces>("\xEF\xBB\xBFone\r\n\ntwo \xFF\nlast", 3));
  ASSERT_TRUE(source->begin().ok());
  source->select({"text"});
  Row row;
  RowError error;
  ASSERT_EQ(source->next(row, error).value(), RowStep::row);
  EXPECT_EQ(row.cells[0].text, "one");
  ASSERT_EQ(source->next(row, error).value(), RowStep::row);
  EXPECT_EQ(row.cells[0].text, "");
  ASSERT_EQ(source->next(row, error).value(), RowStep::error);
  EXPECT_EQ(error.line, 3);
  EXPECT_EQ(error.column, 5);
  EXPECT_EQ(error.byte, 13);
  ASSERT_EQ(source->next(row, error).value(), RowStep::row);
  EXPECT_EQ(row.cells[0].text, "last");
  EXPECT_EQ(row.number, 4);
  EXPECT_EQ(source->next(row, error).value(), RowStep::end);
}

TEST(PlainLines, LineEndsHoweverTheBytesArrive) {
  const auto lines = [](const std::string &text, std::size_t piece) {
    const auto source = makePlainLines(std::make_unique<Pieces>(text, piece));
    EXPECT_TRUE(source->begin().ok());
    std::vector<std::string> all;
    Row row;
    RowError error;
    while (source->next(row, error).value() == RowStep::row) {
      all.emplace_back(row.cells[0].text);
    }
    return all;
  };
  using List = std::vector<std::string>;
  for (const std::size_t piece : {1U, 2U, 3U, 100U}) {
    EXPECT_EQ(lines("a\rb\r", piece), (List{"a", "b"}));
    EXPECT_EQ(lines("a\r\n\r\nb", piece), (List{"a", "", "b"}));
    EXPECT_EQ(lines("\r\r\n\n\r", piece), (List{"", "", "", ""}));
    EXPECT_EQ(lines("a\n\rb", piece), (List{"a", "", "b"}));
    EXPECT_EQ(lines("", piece), List{});
  }
  std::string text(ByteWindow::limit + 100, 'x');
  text += "\nb\n";
  const auto source = makePlainLines(std::make_unique<Pieces>(text, 1U << 20));
  ASSERT_TRUE(source->begin().ok());
  Row row;
  RowError error;
  ASSERT_EQ(source->next(row, error).value(), RowStep::error);
  EXPECT_STREQ(error.reason(), "too-long");
  ASSERT_EQ(source->next(row, error).value(), RowStep::row);
  EXPECT_EQ(row.cells[0].text, "b");
  EXPECT_EQ(row.line, 2);
}

TEST(Csv, LinesBeforeTheHeaderAndNone) {
  CsvOptions options;
  options.skip = 2;
  for (const std::size_t piece : {1U, 1000U}) {
    const Read read = readCsv("a \" note\r\n\r\nx,y\r\n1,2\r\n", piece, options);
    EXPECT_EQ(read.header, (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(read.rows, (Rows{{"1", "2"}}));
    EXPECT_EQ(read.numbers[0], 1);
    EXPECT_EQ(read.lines[0], 4);
  }
  options.skip = 9;
  EXPECT_TRUE(readCsv("a\nb\n", 1000, options).header.empty());
  CsvOptions bare;
  bare.header = false;
  for (const std::size_t piece : {1U, 1000U}) {
    const Read read = readCsv("1,2\n3\n\"a\"\"b\",4\n", piece, bare);
    EXPECT_EQ(read.header, (std::vector<std::string>{"#1", "#2"}));
    EXPECT_EQ(read.rows, (Rows{{"1", "2"}, {"a\"b", "4"}}));
    EXPECT_EQ(read.numbers, (std::vector<std::int64_t>{1, 3}));
    ASSERT_EQ(read.errors.size(), 1U);
    EXPECT_EQ(read.errors[0].sentence(), "the row has 1 field where the first row has 2");
  }
  EXPECT_TRUE(readCsv("", 1000, bare).rows.empty());
}

TEST(Csv, ColumnsByNumberAndWithoutNames) {
  const auto source = makeCsvRows(std::make_unique<Pieces>(",a,,#1\n1,2,3,4\n", 1000), {});
  ASSERT_TRUE(source->begin().ok());
  source->select({"#1", "#3", "a", "#5", "#0", "#x", ""});
  Row row;
  RowError error;
  ASSERT_EQ(source->next(row, error).value(), RowStep::row);
  EXPECT_EQ(row.cells[0].text, "4") << "a name counts more";
  EXPECT_EQ(row.cells[1].text, "3");
  EXPECT_EQ(row.cells[2].text, "2");
  for (const std::size_t i : {3U, 4U, 5U}) {
    EXPECT_FALSE(row.cells[i].present) << i;
  }
  EXPECT_EQ(row.cells[6].text, "1");
}

TEST(Csv, DecimalCommas) {
  CsvOptions options;
  options.delimiter = ';';
  options.decimal = ',';
  options.numbers = {"n"};
  const std::pair<const char *, const char *> good[] = {
      {"1,5", "1.5"},       {"-1.234,50", "-1234.50"}, {"1.234.567", "1234567"}, {"12", "12"},
      {" +3,0 ", " +3.0 "}, {"1,5e3", "1.5e3"},        {"n.a.", "n.a."},         {"", ""},
      {".", "."},           {"1,2,3", "1.2.3"},        {"999.999,1", "999999.1"}};
  for (const auto &[cell, wanted] : good) {
    const Read read = readCsv(std::string("n;t\n\"") + cell + "\";\"" + cell + "\"\n", 1000, options);
    ASSERT_EQ(read.rows.size(), 1U) << cell;
    EXPECT_EQ(read.rows[0], (std::vector<std::string>{wanted, cell}));
  }
  for (const std::string cell : {"1.5", "1234.567", "1.23,4", "1.2345", ".123", "1,234.5", "1.234.56", "1..234"}) {
    const Read read = readCsv("t;n\nx;" + cell + "\n", 1000, options);
    ASSERT_EQ(read.errors.size(), 1U) << cell;
    EXPECT_STREQ(read.errors[0].reason(), "not-decimal");
    EXPECT_EQ(read.errors[0].column, 3);
    EXPECT_EQ(read.errors[0].sentence(),
              "`n` holds `" + cell + "`; with `decimal: \",\"` a dot stands between groups of three digits only");
  }
}

} // namespace
} // namespace penstock
