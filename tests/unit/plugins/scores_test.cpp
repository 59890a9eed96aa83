// Metrics of scores and of sets of labels, against scikit-learn: tests/golden/metrics, and the cases of the shared fixtures.
#include "plugin_fixture.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace penstock {
namespace {

using Json = nlohmann::json;

/// A case of the fixtures, as batches of at most `most` records.
struct Case {
  std::vector<std::string> labels;
  std::vector<std::int32_t> gold, predicted;
  std::vector<std::uint8_t> goldSets, predictedSets;
  std::vector<double> scores, weights;
  std::vector<float> floats;
  std::size_t records = 0, width = 1;
  bool sets = false;

  explicit Case(const Json &json) : labels(json["labels"]), records(json["gold"].size()) {
    const auto index = [&](const Json &name) {
      return static_cast<std::size_t>(std::find(labels.begin(), labels.end(), name.get<std::string>()) - labels.begin());
    };
    sets = json["gold"][0].is_array();
    width = json["score"][0].is_array() ? json["score"][0].size() : 1;
    for (std::size_t i = 0; i < records; ++i) {
      const Json &score = json["score"][i], &truth = json["gold"][i];
      for (std::size_t c = 0; c < width; ++c) {
        scores.push_back(width == 1 ? score.get<double>() : score[c].get<double>());
      }
      const double *row = scores.data() + i * width;
      if (sets) {
        goldSets.resize(goldSets.size() + labels.size());
        for (const Json &name : truth) {
          goldSets[i * labels.size() + index(name)] = 1;
        }
        for (std::size_t c = 0; c < width; ++c) {
          predictedSets.push_back(row[c] >= 0.5 ? 1 : 0);
        }
      } else {
        gold.push_back(static_cast<std::int32_t>(index(truth)));
        predicted.push_back(width == 1 ? (row[0] >= 0.5 ? 1 : 0) : static_cast<std::int32_t>(std::max_element(row, row + width) - row));
      }
    }
    if (json.contains("weights")) {
      weights = json["weights"].get<std::vector<double>>();
    }
    floats.assign(scores.begin(), scores.end());
  }

  PenstockPredictions view(std::size_t first, std::size_t count, bool exact) const {
    PenstockPredictions made{};
    made.struct_size = sizeof made;
    made.records = static_cast<std::int64_t>(count);
    made.width = static_cast<std::int64_t>(width);
    made.scores = floats.data() + first * width;
    made.exact_scores = exact ? scores.data() + first * width : nullptr;
    made.weights = weights.empty() ? nullptr : weights.data() + first;
    if (sets) {
      made.gold_sets = goldSets.data() + first * labels.size();
      made.predicted_sets = predictedSets.data() + first * labels.size();
    } else {
      made.gold = gold.data() + first;
      made.predicted = predicted.data() + first;
    }
    return made;
  }
};

class ScoresTest : public PluginTest {
protected:
  Metric::Values judge(const std::string &plugin, const std::string &parameters, const Case &one, std::size_t most = 17,
                       bool exact = true) {
    auto metric = makeMetric(*host, plugin, parameters, one.labels);
    EXPECT_TRUE(metric.ok()) << metric.status().message();
    for (std::size_t at = 0; at < one.records; at += most) {
      const PenstockPredictions view = one.view(at, std::min(most, one.records - at), exact);
      const Status added = (*metric)->add(view);
      EXPECT_TRUE(added.ok()) << added.message();
    }
    auto result = (*metric)->result();
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? *result : Metric::Values();
  }
  static double value(const Metric::Values &values, const std::string &name) {
    for (const auto &[key, number] : values.values) {
      if (key == name) {
        return number;
      }
    }
    ADD_FAILURE() << "no value `" << name << "`";
    return 0;
  }
};

Json goldenCases() {
  return Json::parse(readWhole(std::filesystem::path(std::getenv("PENSTOCK_SOURCE")) / "tests/golden/metrics/metrics.json"))["cases"];
}

TEST_F(ScoresTest, ScikitLearn) {
  int compared = 0;
  for (const Json &json : goldenCases()) {
    const Case one(json);
    for (const auto &[key, expected] : json["values"].items()) {
      const std::size_t space = key.find(' '), equals = key.find('=');
      const std::string plugin = key.substr(0, space);
      std::string parameters, name = plugin;
      if (space != std::string::npos) {
        const std::string parameter = key.substr(space + 1, equals - space - 1), given = key.substr(equals + 1);
        parameters = Json{{parameter, parameter == "bins" ? Json(std::stoi(given)) : Json(given)}}.dump();
        name += plugin == "f1" || plugin == "precision" || plugin == "recall" ? "_" + given : "";
      }
      const Metric::Values values = judge(plugin, parameters, one);
      const double found = value(values, name);
      if (expected.is_null()) {
        EXPECT_TRUE(std::isnan(found)) << key << ": " << found;
        EXPECT_NE(values.text.find("is not defined for"), std::string::npos) << key << ": " << values.text;
      } else {
        EXPECT_NEAR(found, expected.get<double>(), 1e-12) << key << " of " << one.records << " records";
      }
      ++compared;
    }
    if (json.contains("report")) {
      EXPECT_EQ(judge("classification_report", "", one).text, json["report"].get<std::string>());
    }
  }
  EXPECT_GE(compared, 100);
}

TEST_F(ScoresTest, SharedFixtures) {
  const std::string folder = goldenFolder();
  if (folder.empty()) {
    GTEST_SKIP() << "the golden fixtures are not here; set PENSTOCK_GOLDEN";
  }
  int compared = 0;
  for (Json json : Json::parse(readWhole(folder + "/reports.json"))) {
    if (json["kind"] != "scores") {
      continue;
    }
    json["labels"] = {"0", "1"};
    for (Json &gold : json["gold"]) {
      gold = std::to_string(gold.get<int>());
    }
    const Case one(json);
    EXPECT_NEAR(value(judge("roc_auc", "", one), "roc_auc"), json["roc_auc"].get<double>(), 1e-12);
    EXPECT_NEAR(value(judge("average_precision", "", one), "average_precision"), json["average_precision"].get<double>(), 1e-12);
    for (Json &score : json["score"]) {
      score = std::clamp(score.get<double>(), 1e-6, 1 - 1e-6);
    }
    EXPECT_NEAR(value(judge("log_loss", "", Case(json)), "log_loss"), json["log_loss"].get<double>(), 1e-12);
    ++compared;
  }
  EXPECT_GE(compared, 3);
}

TEST_F(ScoresTest, TwoColumnsAreTheSecond) {
  Case one(Json{{"labels", {"n", "y"}}, {"gold", {"n", "y", "y"}}, {"score", {{0.9, 0.1}, {0.25, 0.75}, {0.5, 0.5}}}});
  const Metric::Values rows = judge("roc_auc", "", one);
  EXPECT_EQ(rows.values.size(), 1u);
  EXPECT_EQ(value(rows, "roc_auc"), 1.0);
  EXPECT_NEAR(value(judge("log_loss", "", one), "log_loss"), -(std::log(0.9) + std::log(0.75) + std::log(0.5)) / 3, 1e-15);
}

TEST_F(ScoresTest, ClipsByTheTypeOfTheScores) {
  const Case one(Json{{"labels", {"n", "y"}}, {"gold", {"n"}}, {"score", {1.0}}});
  EXPECT_NEAR(value(judge("log_loss", "", one), "log_loss"), 36.04365338911715, 1e-12);
  EXPECT_NEAR(value(judge("log_loss", "", one, 17, false), "log_loss"), -std::log(std::ldexp(1.0, -23)), 1e-12);
}

TEST_F(ScoresTest, NumbersThatAreNotFinite) {
  Case one(Json{{"labels", {"n", "y"}}, {"gold", {"n", "y"}}, {"score", {0.5, 0.75}}});
  one.scores[1] = std::nan("");
  for (const char *plugin : {"roc_auc", "average_precision", "log_loss", "calibration_error"}) {
    const Metric::Values values = judge(plugin, "", one);
    EXPECT_TRUE(std::isnan(value(values, plugin))) << plugin;
    EXPECT_NE(values.text.find("is not defined: a score"), std::string::npos) << plugin;
  }
}

TEST_F(ScoresTest, WantsScoresOfEachClass) {
  Case one(Json{{"labels", {"a", "b", "c"}}, {"gold", {"a", "c"}}, {"score", {{0.5, 0.5}, {0.25, 0.75}}}});
  for (const char *plugin : {"roc_auc", "average_precision", "log_loss", "calibration_error"}) {
    auto metric = makeMetric(*host, plugin, "", one.labels);
    ASSERT_TRUE(metric.ok());
    PenstockPredictions view = one.view(0, 2, true);
    EXPECT_NE((*metric)->add(view).message().find("each of the 3 classes"), std::string::npos) << plugin;
    view.scores = nullptr;
    view.exact_scores = nullptr;
    EXPECT_FALSE((*metric)->add(view).ok()) << plugin;
    const auto none = (*metric)->result();
    EXPECT_NE(none.status().message().find("no records to judge"), std::string::npos) << plugin;
  }
}

TEST_F(ScoresTest, CalibrationOnTheEdges) {
  // Two bins: (0, 0.5] and (0.5, 1]. Only the last record is in the second.
  const Case one(Json{
      {"labels", {"a", "b", "c"}}, {"gold", {"a", "a", "b"}}, {"score", {{0.5, 0.25, 0.25}, {0.25, 0.5, 0.25}, {0.125, 0.75, 0.125}}}});
  EXPECT_NEAR(value(judge("calibration_error", R"({"bins": 2})", one), "calibration_error"), (std::abs(1 - 1.0) + std::abs(1 - 0.75)) / 3,
              1e-15);
}

TEST_F(ScoresTest, SamplesAreOfSetsOnly) {
  const Case one(Json{{"labels", {"a", "b"}}, {"gold", {"a"}}, {"score", {0.25}}});
  auto metric = makeMetric(*host, "f1", R"({"average": "samples"})", one.labels);
  ASSERT_TRUE(metric.ok());
  ASSERT_TRUE((*metric)->add(one.view(0, 1, true)).ok());
  EXPECT_NE((*metric)->result().status().message().find("sets of labels"), std::string::npos);
}

} // namespace
} // namespace penstock
