#include "runtime/data/rows.h"

#include "support.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

struct Source {
  explicit Source(const std::string &text, const std::vector<std::string> &columns)
      : rows(makeJsonLines(std::make_unique<test::Pieces>(text, 1U << 20))) {
    EXPECT_TRUE(rows->begin().ok());
    rows->select(columns);
  }
  RowStep next() { return rows->next(row, error).value(); }
  std::unique_ptr<RowSource> rows;
  Row row;
  RowError error;
};

TEST(JsonLines, GivesTheTextOfValues) {
  Source source("{\"text\": \"a\\n\\u00e9\\ud83d\\ude00\", \"n\": 1.50, \"b\": true, \"x\": {\"text\": 1}}\n"
                "\n"
                "{\"n\": -7, \"text\": null}\r\n"
                "{\"text\": \"1\", \"text\": \"2\"}",
                {"text", "n", "b", "none", "text"});
  ASSERT_EQ(source.next(), RowStep::row);
  EXPECT_EQ(source.row.cells[0].text, "a\n\xC3\xA9\xF0\x9F\x98\x80");
  EXPECT_EQ(source.row.cells[1].text, "1.50");
  EXPECT_EQ(source.row.cells[2].text, "true");
  EXPECT_FALSE(source.row.cells[3].present);
  EXPECT_EQ(source.row.cells[4].text, source.row.cells[0].text);
  ASSERT_EQ(source.next(), RowStep::row);
  EXPECT_EQ(source.row.number, 2);
  EXPECT_EQ(source.row.line, 3);
  EXPECT_FALSE(source.row.cells[0].present);
  EXPECT_EQ(source.row.cells[1].text, "-7");
  ASSERT_EQ(source.next(), RowStep::row);
  EXPECT_EQ(source.row.cells[0].text, "2") << "the last of two equal keys";
  EXPECT_EQ(source.next(), RowStep::end);
  EXPECT_EQ(source.rows->names(), (std::vector<std::string>{"text", "n", "b", "x"}));
}

TEST(JsonLines, NamesEachMistake) {
  Source source("{\"text\": \n"
                "[1, 2]\n"
                "{\"text\": [\"a\"]}\n"
                "{\"text\": \"\xFF\"}\n"
                "{\"text\": \"ok\"} trailing\n"
                "{\"text\": \"ok\"}\n",
                {"text"});
  ASSERT_EQ(source.next(), RowStep::error);
  EXPECT_STREQ(source.error.reason(), "not-json");
  ASSERT_EQ(source.next(), RowStep::error);
  EXPECT_STREQ(source.error.reason(), "not-an-object");
  ASSERT_EQ(source.next(), RowStep::error);
  EXPECT_STREQ(source.error.reason(), "nested-value");
  EXPECT_EQ(source.error.detail, "text");
  ASSERT_EQ(source.next(), RowStep::error);
  EXPECT_EQ(source.error.kind, RowError::Kind::notUtf8);
  ASSERT_EQ(source.next(), RowStep::error);
  EXPECT_STREQ(source.error.reason(), "not-json");
  EXPECT_EQ(source.error.line, 5);
  ASSERT_EQ(source.next(), RowStep::row);
  EXPECT_EQ(source.row.number, 6);
}

TEST(JsonLines, DeepNestingDoesNotOverflowTheStack) {
  Source source("{\"other\": " + std::string(300000, '[') + std::string(300000, ']') + ", \"text\": \"t\"}\n" + std::string(300000, '['),
                {"text"});
  ASSERT_EQ(source.next(), RowStep::row);
  EXPECT_EQ(source.row.cells[0].text, "t");
  EXPECT_EQ(source.next(), RowStep::error);
  EXPECT_EQ(source.next(), RowStep::end);
}

TEST(JsonLines, NamesLeadIntoObjectsAndArrays) {
  Source source("{\"body\": {\"text\": \"hi\", \"l\": [\"a\", \"b\"]}, \"tags\": [\"x\", \"y\", [\"z\"]], \"n\": {\"a\": {\"b\": 1.50}}}\n"
                "{\"body.text\": \"key\", \"body\": {\"text\": \"nested\"}}\n"
                "{\"body\": {\"text\": \"nested\"}, \"body.text\": null}\n"
                "{\"body\": {\"text\": {\"x\": 1}}}\n"
                "{\"body\": \"text\", \"tags\": [], \"n.a\": {\"b\": true}}\n",
                {"body.text", "tags.1", "n.a.b", "tags.2.0", "body.none"});
  ASSERT_EQ(source.next(), RowStep::row);
  EXPECT_EQ(source.row.cells[0].text, "hi");
  EXPECT_EQ(source.row.cells[1].text, "y");
  EXPECT_EQ(source.row.cells[2].text, "1.50");
  EXPECT_TRUE(source.row.cells[2].literal);
  EXPECT_EQ(source.row.cells[3].text, "z");
  EXPECT_FALSE(source.row.cells[4].present);
  ASSERT_EQ(source.next(), RowStep::row);
  EXPECT_EQ(source.row.cells[0].text, "key") << "a key with dots counts more";
  ASSERT_EQ(source.next(), RowStep::row);
  EXPECT_FALSE(source.row.cells[0].present) << "and where it is null";
  ASSERT_EQ(source.next(), RowStep::error);
  EXPECT_STREQ(source.error.reason(), "nested-value");
  EXPECT_EQ(source.error.detail, "body.text");
  ASSERT_EQ(source.next(), RowStep::row);
  EXPECT_FALSE(source.row.cells[0].present);
  EXPECT_FALSE(source.row.cells[1].present);
  EXPECT_EQ(source.row.cells[2].text, "true");
  const std::vector<std::string> &names = source.rows->names();
  EXPECT_NE(std::find(names.begin(), names.end(), "body.text"), names.end());
  EXPECT_EQ(std::find(names.begin(), names.end(), "body.none"), names.end()) << "no record has it";
}

TEST(JsonLines, ListsWithinObjects) {
  const auto rows = makeJsonLines(std::make_unique<test::Pieces>("{\"a\": {\"l\": [\"x\", \"y\"]}}\n{\"a\": {\"l\": [1]}}\n", 7));
  ASSERT_TRUE(rows->begin().ok());
  rows->select({"a.l"}, {true});
  Row row;
  RowError error;
  ASSERT_EQ(rows->next(row, error).value(), RowStep::row);
  EXPECT_TRUE(row.cells[0].list);
  EXPECT_EQ(row.cells[0].text, "x\xFFy\xFF");
  ASSERT_EQ(rows->next(row, error).value(), RowStep::error);
  EXPECT_STREQ(error.reason(), "not-words");
  EXPECT_EQ(error.detail, "a.l");
}

} // namespace
} // namespace penstock
