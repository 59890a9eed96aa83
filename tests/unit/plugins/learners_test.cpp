#include "plugin_fixture.h"
#include "printed.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace penstock {
namespace {

using Json = nlohmann::json;

class LearnersTest : public PluginTest {
protected:
  std::string fit(const std::vector<float> &values, std::int64_t width, const std::vector<std::string> &texts) {
    auto made = fitLearner(*host, "nearest", "", LearningSpec{width, {}});
    EXPECT_TRUE(made.ok()) << made.status().message();
    std::vector<std::int64_t> rows;
    std::vector<PenstockString> views;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      rows.push_back(static_cast<std::int64_t>(10 * i + 1));
      views.push_back({texts[i].data(), texts[i].size()});
    }
    const LearnerExamples examples = {static_cast<std::int64_t>(texts.size()), values.data(), rows.data(), views.data(), nullptr, nullptr};
    EXPECT_TRUE((*made)->add(examples).ok());
    auto state = (*made)->end();
    EXPECT_TRUE(state.ok());
    return *state;
  }
  Json ask(const std::string &state, const std::string &parameters, const std::vector<float> &row) {
    auto learner = makeLearner(*host, "nearest", parameters, LearningSpec{static_cast<std::int64_t>(row.size()), {}}, state);
    EXPECT_TRUE(learner.ok()) << learner.status().message();
    std::vector<Column> columns = columnsOf((*learner)->schema());
    const Status answered = (*learner)->answer(row.data(), 1, columns);
    EXPECT_TRUE(answered.ok()) << answered.message();
    return Json::parse(printed((*learner)->schema(), columns, 0))["nearest"];
  }
};

TEST_F(LearnersTest, LargestInnerProductsEarlierRecordsFirst) {
  // Inner products with (1, 2, 2): 3, 5, 5, -1, 4.
  const std::string state = fit({1, 1, 0, 1, 1, 1, 5, 0, 0, -1, 0, 0, 0, 0, 2}, 3, {"a", "b \"quoted\"", "c", "d", "\u4e2d"});
  const Json found = ask(state, R"({"k": 4})", {1, 2, 2});
  ASSERT_EQ(found.size(), 4u);
  const std::vector<std::string> texts = {"b \"quoted\"", "c", "\u4e2d", "a"};
  const std::vector<double> similarities = {5, 5, 4, 3};
  const std::vector<int> rows = {11, 21, 41, 1};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(found[i]["text"], texts[i]);
    EXPECT_EQ(found[i]["similarity"], similarities[i]);
    EXPECT_EQ(found[i]["row"], rows[i]);
  }
  EXPECT_EQ(ask(state, R"({"k": 99})", {1, 2, 2}).size(), 5u);
  EXPECT_EQ(ask(state, R"({"k": 1})", {-1, 0, 0})[0]["text"], "d");
}

TEST_F(LearnersTest, EveryWidthIsSummedUp) {
  for (const std::size_t width : {1, 7, 8, 9, 31}) {
    std::vector<float> row(width), values;
    double product = 0;
    for (std::size_t i = 0; i < width; ++i) {
      row[i] = static_cast<float>(i) - 3;
      values.push_back(static_cast<float>(2 * i) + 0.5F);
      product += static_cast<double>(row[i]) * static_cast<double>(values[i]);
    }
    EXPECT_EQ(ask(fit(values, static_cast<std::int64_t>(width), {"only"}), "", row)[0]["similarity"], product) << width;
  }
}

TEST_F(LearnersTest, NoRecordsNoNeighbours) { EXPECT_TRUE(ask(fit({}, 3, {}), "", {1, 2, 3}).empty()); }

TEST_F(LearnersTest, RefusesAnotherWidthAndAnotherFile) {
  const std::string state = fit({1, 2}, 2, {"a"});
  const LearningSpec three = {3, {}};
  auto learner = makeLearner(*host, "nearest", "", three, state);
  ASSERT_TRUE(learner.ok());
  const std::vector<float> row = {1, 2, 3};
  std::vector<Column> columns = columnsOf((*learner)->schema());
  EXPECT_NE((*learner)->answer(row.data(), 1, columns).message().find("2 numbers each"), std::string::npos);
  EXPECT_NE(makeLearner(*host, "nearest", "", three, state.substr(0, state.size() - 1)).status().message().find("damaged"),
            std::string::npos);
  EXPECT_FALSE(makeLearner(*host, "nearest", "", three, "").ok());
}

TEST_F(LearnersTest, EmbedGivesTheVector) {
  const LearningSpec learning = {3, {}};
  EXPECT_EQ(*fitLearner(*host, "embed", "", learning), nullptr);
  auto learner = makeLearner(*host, "embed", "", learning, "");
  ASSERT_TRUE(learner.ok()) << learner.status().message();
  const std::vector<float> rows = {0.5F, -2, 0.1F, 3, 4, 5};
  const Schema &schema = (*learner)->schema();
  std::vector<Column> columns = columnsOf(schema);
  ASSERT_TRUE((*learner)->answer(rows.data(), 2, columns).ok());
  EXPECT_EQ(printed(schema, columns, 0), R"({"embedding": [0.5, -2, 0.1]})");
  EXPECT_EQ(printed(schema, columns, 1), R"({"embedding": [3, 4, 5]})");
}

} // namespace
} // namespace penstock
