#include "plugin_fixture.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace penstock {
namespace {

using Json = nlohmann::json;

class LearnersTest : public PluginTest {
protected:
  std::string fit(const std::vector<float> &values, std::int64_t width, const std::vector<std::string> &texts) {
    auto made = fitLearner(*host, "nearest", "", width);
    EXPECT_TRUE(made.ok()) << made.status().message();
    std::vector<std::int64_t> rows;
    std::vector<PenstockString> views;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      rows.push_back(static_cast<std::int64_t>(10 * i + 1));
      views.push_back({texts[i].data(), texts[i].size()});
    }
    PenstockFitRecords records{};
    records.struct_size = sizeof records;
    records.records = static_cast<std::int64_t>(texts.size());
    records.width = width;
    records.values = values.data();
    records.rows = rows.data();
    records.texts = views.data();
    EXPECT_TRUE((*made)->add(records).ok());
    auto state = (*made)->end();
    EXPECT_TRUE(state.ok());
    return *state;
  }
  Json ask(const std::string &state, const std::string &parameters, const std::vector<float> &row) {
    auto learner = makeLearner(*host, "nearest", parameters, state);
    EXPECT_TRUE(learner.ok()) << learner.status().message();
    auto answers = (*learner)->answer(row.data(), 1, static_cast<std::int64_t>(row.size()));
    EXPECT_TRUE(answers.ok()) << answers.status().message();
    return Json::parse(answers->front())["nearest"];
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
  auto learner = makeLearner(*host, "nearest", "", state);
  ASSERT_TRUE(learner.ok());
  const std::vector<float> row = {1, 2, 3};
  EXPECT_NE((*learner)->answer(row.data(), 1, 3).status().message().find("2 numbers each"), std::string::npos);
  EXPECT_NE(makeLearner(*host, "nearest", "", state.substr(0, state.size() - 1)).status().message().find("damaged"), std::string::npos);
  EXPECT_FALSE(makeLearner(*host, "nearest", "", "").ok());
}

TEST_F(LearnersTest, EmbedGivesTheVector) {
  EXPECT_EQ(*fitLearner(*host, "embed", "", 3), nullptr);
  auto learner = makeLearner(*host, "embed", "", "");
  ASSERT_TRUE(learner.ok()) << learner.status().message();
  const std::vector<float> rows = {0.5F, -2, 0.1F, 3, 4, 5};
  const auto answers = (*learner)->answer(rows.data(), 2, 3);
  ASSERT_TRUE(answers.ok());
  EXPECT_EQ(answers->front(), R"({"embedding": [0.5, -2, 0.1]})");
  EXPECT_EQ(answers->back(), R"({"embedding": [3, 4, 5]})");
}

} // namespace
} // namespace penstock
