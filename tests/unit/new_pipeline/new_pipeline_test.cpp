// What `penstock new` makes of raw files: their form, the types of their columns, what is predicted and what is left out.
#include "tools/new_pipeline/giveaway.h"
#include "tools/new_pipeline/pipe_text.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

namespace penstock {
namespace {

using Type = PlannedColumn::Type;

class NewPipeline : public ::testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/penstock-new-XXXXXX";
    folder = ::mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string put(const std::string &text, const std::string &name = "data") {
    std::ofstream(folder + "/" + name, std::ios::binary) << text;
    return folder + "/" + name;
  }

  /// The plan for a text; `wrong` gets the message where there is none.
  Plan plan(const std::string &text, const std::string &target = "", std::optional<TaskKind> kind = std::nullopt) {
    const std::string path = put(text);
    auto formed = formOf(path);
    if (!formed.ok()) {
      wrong = formed.status().message();
      return {};
    }
    form = *formed;
    profile = profileOf(path, form).value();
    auto planned = planOf(form, profile, {target, kind});
    wrong = planned.ok() ? "" : planned.status().message();
    return planned.ok() ? *planned : Plan();
  }

  static const PlannedColumn &column(const Plan &plan, const std::string &name) {
    for (const PlannedColumn &one : plan.columns) {
      if (one.profile->name == name) {
        return one;
      }
    }
    static const PlannedColumn none;
    ADD_FAILURE() << "no column " << name;
    return none;
  }

  std::string folder, wrong;
  RawForm form;
  RawProfile profile;
};

/// A table of work orders: an index, an id, a class, numbers, a time, a text, a constant, and the target.
std::string orders(char d, int rows = 211, const std::string &mark = "") {
  std::mt19937 draw(7);
  const std::string words[] = {"hose", "leaks", "boom", "seal", "burst", "engine", "pump", "oil", "loose"};
  std::string text = mark;
  const auto row = [&](const std::vector<std::string> &cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += (i == 0 ? "" : std::string(1, d)) + cells[i];
    }
    text += "\n";
  };
  row({"", "order", "siteName", "cost", "hours", "day", "note", "unit", "failure"});
  for (int i = 0; i < rows; ++i) {
    std::string note;
    for (int w = 0; w < 4; ++w) {
      note += (w == 0 ? "" : " ") + words[draw() % 9];
    }
    row({std::to_string(i), "WO-" + std::to_string(1000 + i * 7), std::string(1, static_cast<char>('A' + draw() % 3)),
         std::to_string(draw() % 900) + ".5", draw() % 5 == 0 ? "n/a" : std::to_string(draw() % 40),
         "2024-0" + std::to_string(1 + draw() % 9) + "-1" + std::to_string(draw() % 9), note, "EUR", draw() % 2 == 0 ? "yes" : "no"});
  }
  return text;
}

TEST_F(NewPipeline, typesOfATable) {
  for (const char delimiter : {',', ';', '\t', '|'}) {
    const Plan made = plan(orders(delimiter, 211, delimiter == ';' ? "\xEF\xBB\xBF" : ""), "failure");
    ASSERT_EQ(wrong, "");
    EXPECT_EQ(form.csv.delimiter, delimiter);
    EXPECT_EQ(made.kind, TaskKind::classify);
    EXPECT_EQ(column(made, "").type, Type::none);
    EXPECT_EQ(column(made, "order").type, Type::id);
    EXPECT_EQ(column(made, "siteName").type, Type::classId);
    EXPECT_EQ(column(made, "siteName").name, "site_name");
    EXPECT_EQ(column(made, "cost").type, Type::number);
    EXPECT_TRUE(column(made, "cost").missing.empty());
    EXPECT_EQ(column(made, "hours").type, Type::number);
    EXPECT_EQ(column(made, "hours").missing, std::vector<std::string>{"n/a"});
    EXPECT_EQ(column(made, "day").type, Type::time);
    EXPECT_EQ(column(made, "note").type, Type::text);
    EXPECT_EQ(column(made, "unit").type, Type::none);
    EXPECT_NE(column(made, "unit").why.find("same in every record"), std::string::npos);
    EXPECT_TRUE(column(made, "failure").target);
  }
}

TEST_F(NewPipeline, aTargetIsFoundOrAskedFor) {
  EXPECT_EQ(plan("text,label\nthe pump is broken,a\nthe seal leaks again,b\nthe hose burst,a\nall is well here,b\n").target().profile->name,
            "label");
  EXPECT_FALSE(plan(orders(',')).columns.size() > 0);
  EXPECT_NE(wrong.find("--target"), std::string::npos) << wrong;
  EXPECT_NE(wrong.find("`failure`"), std::string::npos) << wrong;
  (void)plan(orders(','), "failures");
  EXPECT_NE(wrong.find("did you mean `failure`?"), std::string::npos) << wrong;
  EXPECT_EQ(plan(orders(','), "FAILURE").target().profile->name, "failure");
  EXPECT_EQ(plan(orders(','), "cost").kind, TaskKind::regress);
  (void)plan(orders(','), "note", TaskKind::regress);
  EXPECT_NE(wrong.find("cannot be predicted as a number"), std::string::npos) << wrong;
  (void)plan(orders(','), "order", TaskKind::classify);
  EXPECT_NE(wrong.find("values in"), std::string::npos) << wrong;
}

TEST_F(NewPipeline, columnsThatGiveTheTargetAwayAreLeftOut) {
  std::mt19937 draw(11);
  std::string text = "kind,code,twice,flag,half,x,y\n";
  for (int i = 0; i < 1009; ++i) {
    const int y = static_cast<int>(draw() % 17), kind = y == 16 ? 1 : 0;
    text += std::to_string(kind) + "," + std::to_string(kind + 4) + "," + std::to_string(2 * y + 1) + "," +
            std::to_string(kind == 1 && draw() % 2 == 0 ? 1 : 0) + "," +
            std::to_string(draw() % 3 == 0 ? y : static_cast<int>(draw() % 17)) + "," + std::to_string(draw() % 101) + "," +
            std::to_string(y) + "\n";
  }
  const Plan classes = plan(text, "kind");
  ASSERT_EQ(wrong, "");
  EXPECT_EQ(column(classes, "code").type, Type::none);
  EXPECT_EQ(column(classes, "twice").type, Type::none);
  EXPECT_EQ(column(classes, "flag").type, Type::none); // where it is 1 the class is 1
  EXPECT_NE(column(classes, "flag").why.find("always"), std::string::npos);
  EXPECT_EQ(column(classes, "x").type, Type::number);
  const Plan numbers = plan(text, "y");
  ASSERT_EQ(wrong, "");
  EXPECT_EQ(column(numbers, "twice").type, Type::none);
  EXPECT_EQ(column(numbers, "half").type, Type::number);
  EXPECT_EQ(column(numbers, "x").type, Type::number);
}

TEST_F(NewPipeline, howMuchAColumnTells) {
  // By hand: values a a a b b, classes u u v v v. Without the record itself `a` says u of the two u (1 u, 1 v left: equal, the class stays
  // most frequent), and of the v: 2 u; `b` says v of both. So 4 of 5 are right, always v is right 3 of 5.
  profile = {};
  profile.sample = {{"a", "u"}, {"a", "u"}, {"a", "v"}, {"b", "v"}, {"b", "v"}};
  EXPECT_DOUBLE_EQ(giveawayOf(profile, 0, 1, false).share, 0.5);
  // A line through numbers that are no group: all of the variance.
  profile.sample = {{"1", "3"}, {"2", "5"}, {"4", "9"}, {"7", "15"}};
  EXPECT_NEAR(giveawayOf(profile, 0, 1, true).share, 1, 1e-12);
  profile.sample.clear();
  EXPECT_EQ(giveawayOf(profile, 0, 1, true).share, 0);
  EXPECT_EQ(giveawayOf(profile, 0, 1, false).share, 0);
}

TEST_F(NewPipeline, formsAreToldByContent) {
  std::string jsonl, conll;
  for (int i = 0; i < 43; ++i) {
    jsonl += R"({"id": )" + std::to_string(i * 3) + R"(, "body": {"text": "the pump number )" + std::to_string(i) +
             R"( is broken"}, "label": ")" + (i % 3 == 0 ? "x" : "y") + "\"}\n";
    conll += "Anna I-PER\nSmith I-PER\nmet O\nBob " + std::string(i % 2 == 0 ? "B" : "I") + "-PER\n\n";
  }
  Plan made = plan(jsonl, "label");
  ASSERT_EQ(wrong, "");
  EXPECT_EQ(form.format, RowFormat::jsonl);
  EXPECT_EQ(form.names, (std::vector<std::string>{"id", "body.text", "label"}));
  made = plan(conll);
  ASSERT_EQ(wrong, "");
  EXPECT_EQ(form.format, RowFormat::conll);
  EXPECT_EQ(made.kind, TaskKind::tag);
  EXPECT_EQ(made.target().scheme, "iob1");
  (void)plan("just one line of words\nand another one\n");
  EXPECT_NE(wrong.find("is no table"), std::string::npos) << wrong;
  (void)plan("");
  EXPECT_NE(wrong.find("has no records"), std::string::npos) << wrong;
  (void)plan("[{\"a\": 1}]");
  EXPECT_NE(wrong.find("JSON array"), std::string::npos) << wrong;
  (void)plan("a,b\n");
  EXPECT_NE(wrong, "");
}

TEST_F(NewPipeline, tablesWithoutAHeader) {
  const std::string table = orders(','), rows = table.substr(table.find('\n') + 1);
  const Plan made = plan(rows, "#9");
  ASSERT_EQ(wrong, "");
  EXPECT_FALSE(form.csv.header);
  EXPECT_EQ(profile.rows, 211);
  EXPECT_EQ(made.target().name, "column_9");
  EXPECT_EQ(column(made, "#7").type, Type::text);
  DataPlace place;
  place.path = "orders.csv";
  const std::string text = pipeText(made, form, profile, place, "orders");
  EXPECT_NE(text.find("header: false"), std::string::npos) << text;
  EXPECT_NE(text.find("column column_9 = class(from: 9)"), std::string::npos) << text;
  // Blanks around names are taken off wherever they are read.
  const Plan padded = plan("a, yes\nb, no\na, no\nb, yes\na, yes\nb, no\n", "#2");
  ASSERT_EQ(wrong, "");
  EXPECT_NE(pipeText(padded, form, profile, place, "padded").find("class(from: 2) |> trim"), std::string::npos);
  // Headers that are years, and a class that is called as its column is, are headers.
  (void)plan("site,2019,2020,2021,label\nnorth,1,2,3,a\nsouth,4,5,6,b\neast,7,8,9,a\n", "label");
  EXPECT_TRUE(form.csv.header);
  (void)plan("text,class\nthe pump leaks oil,class a\nthe seal is loose,class b\n", "class");
  EXPECT_TRUE(form.csv.header);
}

TEST_F(NewPipeline, otherEncodingsAndDecimalCommas) {
  std::string text = "Ger\xE4t;Preis;Art\n";
  for (int i = 0; i < 53; ++i) {
    text += "Pumpe f\xFCr \xD6l " + std::to_string(i % 7) + ";" + std::to_string(i) + (i % 3 == 0 ? "" : "," + std::to_string(i % 10)) +
            ";" + (i % 2 == 0 ? "gr\xFCn" : "rot") + "\n";
  }
  Plan made = plan(text, "Art");
  ASSERT_EQ(wrong, "");
  EXPECT_EQ(form.encoding, Encoding::cp1252);
  EXPECT_EQ(form.csv.decimal, ',');
  EXPECT_EQ(column(made, "Preis").type, Type::number);
  EXPECT_TRUE(column(made, "Preis").missing.empty());
  EXPECT_DOUBLE_EQ(column(made, "Preis").profile->greatest, 52.2);
  EXPECT_EQ(made.target().profile->values.count("gr\xC3\xBCn"), 1U);
  std::string wide = "\xFF\xFE";
  for (const char c : std::string("word,label\nthe pump leaks,a\nthe seal is loose,b\nthe hose burst,a\n")) {
    wide += c;
    wide += '\0';
  }
  made = plan(wide, "label");
  ASSERT_EQ(wrong, "");
  EXPECT_EQ(form.encoding, Encoding::utf16);
  EXPECT_EQ(profile.rows, 3);
}

TEST_F(NewPipeline, theTextNamesEveryColumn) {
  const Plan made = plan(orders(';'), "failure");
  DataPlace place;
  place.path = "orders.csv";
  place.command = "penstock new orders.csv";
  const std::string text = pipeText(made, form, profile, place, "orders");
  for (const char *const part :
       {"delimiter: \";\"", "column order = id()", "site_name = class(from: \"siteName\")", "missing: [\"n/a\"]", "left out: \"unit\"",
        "left out: column 1", "split(by: note, dev: 10%, test: 10%)", "classify(failure)", "date(year, month, weekday)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

} // namespace
} // namespace penstock
