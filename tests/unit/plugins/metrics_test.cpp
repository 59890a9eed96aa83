#include "plugin_fixture.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <map>
#include <random>
#include <set>
#include <sstream>

namespace penstock {
namespace {

/// A batch of classes, numbers or tags.
struct Batch {
  std::vector<std::int32_t> gold, predicted;
  std::vector<double> goldNumbers, predictedNumbers, weights;
  std::vector<std::int64_t> offsets = {};
  PlainRecords plain() const { return {gold, predicted, offsets, {}, {}, goldNumbers, predictedNumbers, weights, {}, 0, true}; }
};

class MetricsTest : public PluginTest {
protected:
  Metric::Values judge(const std::string &plugin, const std::string &parameters, const std::vector<std::string> &classes,
                       const std::vector<Batch> &batches) {
    const PlainColumns first(batches.front().plain(), classes);
    auto metric = makeMetric(*host, plugin, parameters, first.spec);
    EXPECT_TRUE(metric.ok()) << metric.status().message();
    for (const Batch &batch : batches) {
      const PlainColumns columns(batch.plain(), classes);
      const Status added = (*metric)->add(columns.view());
      EXPECT_TRUE(added.ok()) << added.message();
    }
    auto result = (*metric)->result();
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? *result : Metric::Values();
  }
  double number(const std::string &plugin, const std::string &parameters, const std::vector<std::string> &classes, const Batch &batch,
                const std::string &name) {
    for (const auto &[key, value] : judge(plugin, parameters, classes, {batch}).values) {
      if (key == name) {
        return value;
      }
    }
    ADD_FAILURE() << "no value `" << name << "`";
    return std::nan("");
  }
};

const std::vector<std::string> abc = {"a", "b", "c"};
// gold a: 3 records, 2 right; b: 2, 1 right; c: 1, none right and never predicted.
const Batch example = {{0, 0, 0, 1, 1, 2}, {0, 0, 1, 1, 0, 0}, {}, {}, {}};

TEST_F(MetricsTest, HandComputedAverages) {
  EXPECT_DOUBLE_EQ(number("accuracy", "", abc, example, "accuracy"), 3.0 / 6);
  const double pa = 2.0 / 4, pb = 1.0 / 2, ra = 2.0 / 3, rb = 1.0 / 2;
  const double fa = 2 * pa * ra / (pa + ra), fb = 0.5;
  EXPECT_DOUBLE_EQ(number("precision", "", abc, example, "precision_macro"), (pa + pb) / 3);
  EXPECT_DOUBLE_EQ(number("recall", "", abc, example, "recall_macro"), (ra + rb) / 3);
  EXPECT_DOUBLE_EQ(number("f1", "", abc, example, "f1_macro"), (fa + fb) / 3);
  EXPECT_DOUBLE_EQ(number("f1", R"({"average": "weighted"})", abc, example, "f1_weighted"), (3 * fa + 2 * fb) / 6);
  EXPECT_DOUBLE_EQ(number("f1", R"({"average": "micro"})", abc, example, "f1_micro"), 0.5);
}

TEST_F(MetricsTest, WeightsCountAsRepeatedRecords) {
  Batch weighted = example, repeated;
  weighted.weights = {1, 2, 3, 1, 2, 5};
  for (std::size_t i = 0; i < example.gold.size(); ++i) {
    for (int k = 0; k < weighted.weights[i]; ++k) {
      repeated.gold.push_back(example.gold[i]);
      repeated.predicted.push_back(example.predicted[i]);
    }
  }
  for (const char *plugin : {"accuracy", "f1", "precision", "recall", "classification_report", "confusion_matrix"}) {
    const Metric::Values a = judge(plugin, "", abc, {weighted}), b = judge(plugin, "", abc, {repeated});
    EXPECT_EQ(a.values, b.values) << plugin;
    EXPECT_EQ(a.text, b.text) << plugin;
  }
}

TEST_F(MetricsTest, ClassesWithoutANameAreWrong) {
  const Batch batch = {{0, -1, 1, 1}, {0, 0, 1, -1}, {}, {}, {}};
  EXPECT_DOUBLE_EQ(number("accuracy", "", {"a", "b"}, batch, "accuracy"), 0.5);
  EXPECT_DOUBLE_EQ(number("precision", "", {"a", "b"}, batch, "precision_macro"), (0.5 + 1 + 0) / 3);
  EXPECT_DOUBLE_EQ(number("recall", R"({"average": "weighted"})", {"a", "b"}, batch, "recall_weighted"), 0.5);
  EXPECT_DOUBLE_EQ(number("precision", R"({"labels": "train"})", {"a", "b"}, batch, "precision_macro"), (0.5 + 1) / 2);
  const Metric::Values report = judge("classification_report", R"({"labels": "train"})", {"a", "b"}, {batch});
  EXPECT_EQ(report.text.find("accuracy"), std::string::npos);
  EXPECT_NE(report.text.find("   micro avg     0.6667    0.6667    0.6667         3"), std::string::npos) << report.text;
  const Metric::Values matrix = judge("confusion_matrix", "", {"a", "b"}, {batch});
  EXPECT_NE(matrix.text.find("(other)  1  0        0"), std::string::npos) << matrix.text;
  // A gold class without a name and a word without an answer are not one class.
  EXPECT_DOUBLE_EQ(number("mcc", "", {"a", "b"}, {{0, -1, 1}, {0, -1, 1}, {}, {}, {}}, "mcc"),
                   (2.0 * 3 - 2) / std::sqrt((9.0 - 3) * (9 - 3)));
}

TEST_F(MetricsTest, ConfusionMatrix) {
  const Metric::Values counts = judge("confusion_matrix", "", abc, {example});
  EXPECT_EQ(counts.text, "      predicted\ngold  a  b  c\na     2  1  0\nb     1  1  0\nc     1  0  0\n");
  EXPECT_DOUBLE_EQ(number("confusion_matrix", R"({"normalize": "gold"})", abc, example, "confusion[a][b]"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(number("confusion_matrix", R"({"normalize": "predicted"})", abc, example, "confusion[a][a]"), 0.5);
  EXPECT_DOUBLE_EQ(number("confusion_matrix", R"({"normalize": "all"})", abc, example, "confusion[b][b]"), 1.0 / 6);
  EXPECT_DOUBLE_EQ(number("confusion_matrix", R"({"normalize": "predicted"})", abc, example, "confusion[a][c]"), 0.0);
}

const std::vector<std::string> tags = {"B-a", "B-b", "E-a", "I-a", "I-b", "O", "S-a"};

/// One sequence for each pair of texts, such as "O B-a I-a".
Batch tagged(const std::vector<std::pair<std::string, std::string>> &sequences, const std::vector<std::string> &names = tags) {
  Batch made;
  made.offsets = {0};
  const auto read = [&](const std::string &text, std::vector<std::int32_t> &into) {
    std::istringstream words(text);
    for (std::string tag; words >> tag;) {
      const auto found = std::find(names.begin(), names.end(), tag);
      into.push_back(found == names.end() ? -1 : static_cast<std::int32_t>(found - names.begin()));
    }
  };
  for (const auto &[gold, predicted] : sequences) {
    read(gold, made.gold);
    read(predicted, made.predicted);
    made.offsets.push_back(static_cast<std::int64_t>(made.gold.size()));
  }
  return made;
}

TEST_F(MetricsTest, EntitiesByHand) {
  // Entities of gold: a[1,3) b[3,4) | a[0,1); of the prediction: a[1,3) a[3,4) | a[0,1) (an I- that begins), b[2,3).
  const Batch batch = tagged({{"O B-a I-a B-b", "O B-a I-a B-a"}, {"B-a O O", "I-a O B-b"}});
  EXPECT_DOUBLE_EQ(number("entity_f1", "", tags, batch, "entity_precision"), 2.0 / 4);
  EXPECT_DOUBLE_EQ(number("entity_f1", "", tags, batch, "entity_recall"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(number("entity_f1", "", tags, batch, "entity_f1"), 2 * 0.5 * (2.0 / 3) / (0.5 + 2.0 / 3));
  // The I- at the beginning is no entity where IOB2 is meant strictly.
  EXPECT_DOUBLE_EQ(number("entity_f1", R"({"mode": "strict"})", tags, batch, "entity_recall"), 1.0 / 3);
  // Macro over a (2 of 3, 2 of 2) and b (0 of 1, 0 of 1).
  EXPECT_DOUBLE_EQ(number("entity_f1", R"({"average": "macro"})", tags, batch, "entity_precision"), (2.0 / 3 + 0) / 2);
  EXPECT_DOUBLE_EQ(number("entity_f1", R"({"average": "weighted"})", tags, batch, "entity_recall"), 2.0 / 3);
}

TEST_F(MetricsTest, EntitiesDoNotCrossSequencesAndUnseenWordsAreOutside) {
  const Batch apart = tagged({{"B-a", "B-a"}, {"I-a", "I-a"}});
  EXPECT_DOUBLE_EQ(number("entity_f1", "", tags, apart, "entity_precision"), 1.0);
  EXPECT_DOUBLE_EQ(number("classification_report", R"({"level": "entity"})", tags, apart, "entity_support[a]"), 2.0);
  const Batch unseen = tagged({{"B-a I-a O", "B-a ? ?"}});
  EXPECT_DOUBLE_EQ(number("entity_f1", "", tags, unseen, "entity_f1"), 0.0);
  EXPECT_DOUBLE_EQ(number("accuracy", "", tags, unseen, "accuracy"), 1.0 / 3);
  const Batch none = tagged({{"O O", "O O"}, {"O", "O"}});
  for (const char *average : {"micro", "macro", "weighted"}) {
    EXPECT_DOUBLE_EQ(number("entity_f1", std::string(R"({"average": ")") + average + "\"}", tags, none, "entity_f1"), 0.0);
  }
}

TEST_F(MetricsTest, StrictEntitiesOfIobesAreWhole) {
  const std::string iobes = R"({"mode": "strict", "scheme": "iobes"})";
  const Batch batch = tagged({{"B-a I-a E-a S-a O", "B-a I-a I-a S-a O"}});
  EXPECT_DOUBLE_EQ(number("entity_f1", iobes, tags, batch, "entity_precision"), 1.0);
  EXPECT_DOUBLE_EQ(number("entity_f1", iobes, tags, batch, "entity_recall"), 0.5);
  const PlainColumns columns(batch.plain(), tags), classes(example.plain(), abc);
  auto metric = makeMetric(*host, "entity_f1", R"({"mode": "strict"})", columns.spec);
  ASSERT_TRUE(metric.ok());
  EXPECT_NE((*metric)->add(columns.view()).message().find("`E-a` is not a tag of the scheme `iob2`"), std::string::npos);
  EXPECT_FALSE(makeMetric(*host, "entity_f1", "", classes.spec).ok()); // no sequences
}

TEST_F(MetricsTest, ReportsOfSeqeval) {
  const std::string folder = goldenFolder();
  if (folder.empty()) {
    GTEST_SKIP() << "the golden fixtures are not here; set PENSTOCK_GOLDEN";
  }
  int judged = 0;
  for (const auto &one : nlohmann::json::parse(readWhole(folder + "/reports.json"))) {
    if (one["kind"] != "tags") {
      continue;
    }
    std::set<std::string> seen;
    std::vector<std::pair<std::string, std::string>> sequences;
    for (std::size_t i = 0; i < one["gold"].size(); ++i) {
      sequences.emplace_back();
      for (std::size_t k = 0; k < one["gold"][i].size(); ++k) {
        const std::string gold = one["gold"][i][k], predicted = one["predicted"][i][k];
        seen.insert({gold, predicted});
        sequences.back().first += gold + " ";
        sequences.back().second += predicted + " ";
      }
    }
    const std::vector<std::string> names(seen.begin(), seen.end());
    const Batch batch = tagged(sequences, names);
    EXPECT_EQ(judge("classification_report", R"({"level": "entity"})", names, {batch}).text, one["text"].get<std::string>());
    EXPECT_EQ(judge("classification_report", "", names, {batch}).text, one["token_text"].get<std::string>());
    EXPECT_EQ(number("entity_f1", "", names, batch, "entity_f1"), one["f1"].get<double>());
    EXPECT_EQ(number("entity_f1", "", names, batch, "entity_precision"), one["precision"].get<double>());
    EXPECT_EQ(number("entity_f1", "", names, batch, "entity_recall"), one["recall"].get<double>());
    ++judged;
  }
  EXPECT_EQ(judged, 3);
}

TEST_F(MetricsTest, ReportsOfScikitLearn) {
  const std::string folder = goldenFolder();
  if (folder.empty()) {
    GTEST_SKIP() << "the golden fixtures are not here; set PENSTOCK_GOLDEN";
  }
  const auto cases = nlohmann::json::parse(readWhole(folder + "/reports.json"));
  int judged = 0;
  for (const auto &one : cases) {
    if (one["kind"] != "classes") {
      continue;
    }
    const std::vector<std::string> labels = one["labels"];
    std::map<std::string, std::int32_t> index;
    for (const std::string &label : labels) {
      index.emplace(label, static_cast<std::int32_t>(index.size()));
    }
    std::vector<Batch> batches(1);
    for (std::size_t i = 0; i < one["gold"].size(); ++i) {
      if (batches.back().gold.size() == 31) {
        batches.emplace_back();
      }
      batches.back().gold.push_back(index.at(one["gold"][i]));
      batches.back().predicted.push_back(index.at(one["predicted"][i]));
    }
    const Metric::Values report = judge("classification_report", "", labels, batches);
    EXPECT_EQ(report.text, one["text"].get<std::string>());
    const std::map<std::string, double> values(report.values.begin(), report.values.end());
    const auto &numbers = one["numbers"];
    const auto same = [&](const std::string &name, const nlohmann::json &expected) {
      ASSERT_TRUE(values.count(name)) << name;
      EXPECT_DOUBLE_EQ(values.at(name), expected.get<double>()) << name;
    };
    same("accuracy", numbers["accuracy"]);
    for (const char *average : {"macro", "weighted"}) {
      const auto &row = numbers[std::string(average) + " avg"];
      same("precision_" + std::string(average), row["precision"]);
      same("recall_" + std::string(average), row["recall"]);
      same("f1_" + std::string(average), row["f1-score"]);
    }
    for (const std::string &label : labels) {
      same("precision[" + label + "]", numbers[label]["precision"]);
      same("f1[" + label + "]", numbers[label]["f1-score"]);
      same("support[" + label + "]", numbers[label]["support"]);
    }
    std::map<std::string, double> cells;
    for (const auto &[name, value] : judge("confusion_matrix", "", labels, batches).values) {
      cells.emplace(name, value);
    }
    for (std::size_t r = 0; r < labels.size(); ++r) {
      for (std::size_t c = 0; c < labels.size(); ++c) {
        EXPECT_EQ(cells.at("confusion[" + labels[r] + "][" + labels[c] + "]"), one["confusion"][r][c].get<double>());
      }
    }
    ++judged;
  }
  EXPECT_GE(judged, 6);
}

TEST_F(MetricsTest, Digits) {
  const Metric::Values two = judge("classification_report", R"({"digits": 2})", abc, {example});
  EXPECT_NE(two.text.find("           a       0.50      0.67      0.57         3\n"), std::string::npos) << two.text;
  // Widths count characters, not bytes.
  const Metric::Values wide = judge("classification_report", "", {"\u673a\u5668\u6545\u969c", "b", "c"}, {example});
  EXPECT_NE(wide.text.find("\n        \u673a\u5668\u6545\u969c     0.5000"), std::string::npos) << wide.text;
}

TEST_F(MetricsTest, Numbers) {
  Batch batch;
  batch.goldNumbers = {3, -0.5, 2, 7, 1e6};
  batch.predictedNumbers = {2.5, 0, 2, 8, 1e6};
  EXPECT_DOUBLE_EQ(number("mse", "", {}, batch, "mse"), (0.25 + 0.25 + 1) / 5);
  EXPECT_DOUBLE_EQ(number("rmse", "", {}, batch, "rmse"), std::sqrt(1.5 / 5));
  EXPECT_DOUBLE_EQ(number("mae", "", {}, batch, "mae"), 2.0 / 5);
  double mean = 0, squares = 0;
  for (const double y : batch.goldNumbers) {
    mean += y / 5;
  }
  for (const double y : batch.goldNumbers) {
    squares += (y - mean) * (y - mean);
  }
  EXPECT_NEAR(number("r2", "", {}, batch, "r2"), 1 - 1.5 / squares, 1e-15);
  Batch constant;
  constant.goldNumbers = {4, 4};
  constant.predictedNumbers = {4, 4};
  EXPECT_EQ(number("r2", "", {}, constant, "r2"), 1.0);
  constant.predictedNumbers[1] = 5;
  EXPECT_EQ(number("r2", "", {}, constant, "r2"), 0.0);
  Batch single;
  single.goldNumbers = {4};
  single.predictedNumbers = {3};
  EXPECT_TRUE(std::isnan(number("r2", "", {}, single, "r2")));
  EXPECT_EQ(number("mse", "", {}, single, "mse"), 1.0);
}

} // namespace
} // namespace penstock
