// Metrics of scores and of sets of labels, against scikit-learn: tests/golden/metrics, and the cases of the shared fixtures.
#include "plugin_fixture.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

namespace penstock {
namespace {

using Json = nlohmann::json;

/// A case of the fixtures, as batches of at most `most` records.
struct Case {
  std::vector<std::string> labels, names; // of train, and of train and the data
  std::vector<std::int32_t> gold, predicted;
  std::vector<std::uint8_t> goldSets, predictedSets;
  std::vector<double> scores, weights;
  std::size_t records = 0, width = 1;
  bool sets = false;

  explicit Case(const Json &json) : labels(json["labels"]), names(labels), records(json["gold"].size()) {
    const auto index = [&](const Json &name) {
      const auto found = std::find(names.begin(), names.end(), name.get<std::string>());
      if (found == names.end()) { // one that train lacks
        names.push_back(name);
        return names.size() - 1;
      }
      return static_cast<std::size_t>(found - names.begin());
    };
    sets = json["gold"][0].is_array();
    if (json.contains("predicted")) {
      read(json, index);
      return;
    }
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
  }

  /// A case of absent.json.
  template <typename Index> void read(const Json &json, Index &&index) {
    for (const char *list : {"gold", "predicted"}) { // all names first: sets are as wide
      for (const Json &one : json[list]) {
        for (const Json &name : one.is_array() ? one : Json::array({one})) {
          index(name);
        }
      }
    }
    goldSets.resize(sets ? records * names.size() : 0);
    predictedSets.resize(goldSets.size());
    for (std::size_t i = 0; i < records; ++i) {
      if (!sets) {
        gold.push_back(static_cast<std::int32_t>(index(json["gold"][i])));
        predicted.push_back(static_cast<std::int32_t>(index(json["predicted"][i])));
        continue;
      }
      for (const Json &name : json["gold"][i]) {
        goldSets[i * names.size() + index(name)] = 1;
      }
      for (const Json &name : json["predicted"][i]) {
        predictedSets[i * names.size() + index(name)] = 1;
      }
    }
    width = labels.size();
    if (json.contains("score")) {
      for (const Json &row : json["score"]) {
        scores.insert(scores.end(), row.begin(), row.end());
      }
    }
    if (json.contains("weights")) {
      weights = json["weights"].get<std::vector<double>>();
    }
  }

  PlainColumns columns(std::size_t first, std::size_t count, bool exact) const {
    PlainRecords plain;
    const auto part = [&](const auto &from, std::size_t each, auto &to) {
      if (!from.empty()) {
        to.assign(from.begin() + static_cast<std::ptrdiff_t>(first * each),
                  from.begin() + static_cast<std::ptrdiff_t>((first + count) * each));
      }
    };
    part(gold, 1, plain.gold);
    part(predicted, 1, plain.predicted);
    part(goldSets, names.size(), plain.goldSets);
    part(predictedSets, names.size(), plain.predictedSets);
    part(scores, width, plain.scores);
    part(weights, 1, plain.weights);
    plain.width = width;
    plain.exact = exact;
    return {plain, labels, std::vector<std::string>(names.begin() + static_cast<std::ptrdiff_t>(labels.size()), names.end())};
  }
};

class ScoresTest : public PluginTest {
protected:
  Metric::Values judge(const std::string &plugin, const std::string &parameters, const Case &one, std::size_t most = 17,
                       bool exact = true) {
    const PlainColumns all = one.columns(0, one.records, exact);
    auto metric = makeMetric(*host, plugin, parameters, all.spec);
    EXPECT_TRUE(metric.ok()) << metric.status().message();
    for (std::size_t at = 0; at < one.records; at += most) {
      const PlainColumns batch = one.columns(at, std::min(most, one.records - at), exact);
      const Status added = (*metric)->add(batch.view());
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
        EXPECT_NE(values.text.find("is not defined"), std::string::npos) << key << ": " << values.text;
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

std::uint64_t fnv(const std::string &text) {
  std::uint64_t value = 0xcbf29ce484222325U;
  for (const char c : text) {
    value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return value;
}

/// "f1 average=macro without=b" as a plugin, its parameters and the name of its result.
struct Use {
  std::string plugin, parameters, result;
  explicit Use(const std::string &text) {
    std::istringstream words(text);
    words >> plugin;
    result = plugin;
    Json given = Json::object();
    for (std::string word; words >> word;) {
      const std::string name = word.substr(0, word.find('=')), value = word.substr(word.find('=') + 1);
      given[name] = name == "without" ? Json::array({value}) : Json(value);
      result += name == "average" && plugin != "roc_auc" && plugin != "average_precision" ? "_" + value : "";
    }
    parameters = given.dump();
  }
};

TEST_F(ScoresTest, ClassesThatAreAbsentAreScikitLearns) {
  const Json file = Json::parse(readWhole(std::filesystem::path(std::getenv("PENSTOCK_SOURCE")) / "tests/golden/metrics/absent.json"));
  std::size_t values = 0, reports = 0;
  int number = 0; // line of the fixture's cases, from 1
  for (const Json &json : file["cases"]) {
    const Case one(json);
    ++number;
    for (std::size_t i = 0; i < file["names"].size(); ++i) {
      const Json &expected = json["values"][i];
      if (expected.is_string()) { // does not apply
        continue;
      }
      const Use use(file["names"][i]);
      const double found = value(judge(use.plugin, use.parameters, one), use.result);
      ++values;
      if (expected.is_null() ? !std::isnan(found) : !(std::abs(found - expected.get<double>()) <= 1e-9)) {
        ADD_FAILURE() << file["names"][i] << ": " << found << ", not " << expected << ": case " << number;
      }
    }
    for (std::size_t i = 0; i < file["reports"].size(); ++i) {
      if (!json["texts"][i].is_null()) {
        const Use use(file["reports"][i]);
        const std::string text = judge(use.plugin, use.parameters, one).text;
        ++reports;
        EXPECT_EQ(std::to_string(fnv(text)), json["texts"][i].get<std::string>()) << file["reports"][i] << " of case " << number << ":\n"
                                                                                  << text;
      }
    }
  }
  EXPECT_EQ(file["cases"].size(), 300U);
  EXPECT_GT(values, 9000U);
  EXPECT_GT(reports, 600U);
}

TEST_F(ScoresTest, AClassThatTrainLacksCounts) {
  const Case one(Json{{"labels", {"failure", "routine"}}, {"gold", {"failure", "strange"}}, {"predicted", {"failure", "routine"}}});
  for (const char *plugin : {"f1", "precision", "recall"}) {
    EXPECT_EQ(value(judge(plugin, R"({"average": "weighted"})", one), std::string(plugin) + "_weighted"), 0.5) << plugin;
    EXPECT_NEAR(value(judge(plugin, "", one), std::string(plugin) + "_macro"), 1.0 / 3, 1e-15) << plugin;
  }
  EXPECT_EQ(value(judge("accuracy", "", one), "accuracy"), 0.5);
  EXPECT_EQ(judge("confusion_matrix", "", one).text,
            "         predicted\ngold     failure  routine  strange\nfailure        1        0        0\n"
            "routine        0        0        0\nstrange        0        1        0\n");
  EXPECT_EQ(
      judge("confusion_matrix", R"({"labels": "train"})", one).text,
      "         predicted\ngold     failure  routine\nfailure        1        0\nroutine        0        0\n(other)        0        1\n");
}

TEST_F(ScoresTest, SaysWhatIsLeftOut) {
  Case one(Json{{"labels", {"a", "b", "c", "d"}},
                {"gold", {"a", "b", "x", "a"}},
                {"predicted", {"a", "b", "a", "c"}},
                {"score", {{0.5, 0.3, 0.1, 0.1}, {0.1, 0.4, 0.3, 0.2}, {0.6, 0.2, 0.1, 0.1}, {0.7, 0.1, 0.1, 0.1}}}});
  const Metric::Values area = judge("roc_auc", "", one);
  EXPECT_EQ(area.text, "`roc_auc` leaves out 2 classes that no record has: `c`, `d`\n`roc_auc` leaves out 1 class that train lacks: `x`\n");
  EXPECT_EQ(value(area, "roc_auc"), (0.75 + 1) / 2);
  EXPECT_TRUE(std::isnan(value(area, "roc_auc[c]")));
  EXPECT_TRUE(std::isnan(value(judge("roc_auc", R"({"labels": "train"})", one), "roc_auc")));
  const double all = value(judge("average_precision", "", one), "average_precision");
  EXPECT_NEAR(value(judge("average_precision", R"({"labels": "present"})", one), "average_precision"), 2 * all, 1e-15);
  EXPECT_NEAR(value(judge("log_loss", "", one), "log_loss"),
              -(std::log(0.5) + std::log(0.4) + std::log(0.7) + std::log(std::ldexp(1.0, -52))) / 4, 1e-12);
  EXPECT_NE(judge("log_loss", "", one).text.find("records of classes that train lacks (1)"), std::string::npos);
  one.gold = {4, 4, 4, 4};
  const Metric::Values none = judge("roc_auc", "", one);
  EXPECT_TRUE(std::isnan(value(none, "roc_auc")));
  EXPECT_NE(none.text.find("is not defined for 4 classes that no record has"), std::string::npos) << none.text;
}

TEST_F(ScoresTest, WithoutEveryClassNothingIsDefined) {
  const Case one(Json{{"labels", {"a", "b"}}, {"gold", {"a", "a"}}, {"predicted", {"a", "a"}}});
  for (const char *average : {"macro", "micro", "weighted"}) {
    const Metric::Values values = judge("f1", Json{{"average", average}, {"without", {"a"}}}.dump(), one);
    EXPECT_TRUE(std::isnan(value(values, std::string("f1_") + average)));
    EXPECT_NE(values.text.find("is not defined"), std::string::npos);
  }
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
    const PlainColumns columns = one.columns(0, 2, true);
    auto metric = makeMetric(*host, plugin, "", columns.spec);
    ASSERT_TRUE(metric.ok());
    EXPECT_NE((*metric)->add(columns.view()).message().find("each of the 3 classes"), std::string::npos) << plugin;
    const auto none = (*metric)->result();
    EXPECT_NE(none.status().message().find("no records to judge"), std::string::npos) << plugin;
    Case without = one;
    without.scores.clear();
    const PlainColumns classes = without.columns(0, 2, true);
    EXPECT_NE(makeMetric(*host, plugin, "", classes.spec).status().message().find("`probabilities`"), std::string::npos) << plugin;
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
  const PlainColumns columns = one.columns(0, 1, true);
  auto metric = makeMetric(*host, "f1", R"({"average": "samples"})", columns.spec);
  ASSERT_TRUE(metric.ok());
  ASSERT_TRUE((*metric)->add(columns.view()).ok());
  EXPECT_NE((*metric)->result().status().message().find("sets of labels"), std::string::npos);
}

} // namespace
} // namespace penstock
