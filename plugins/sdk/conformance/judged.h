// Seeded records for the conformance kit: some to judge, of five classes, and some to learn from.
#pragma once

#include "answered.h"
#include "hard_texts.h"

#include <penstock/sdk/columns.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace penstock::conformance::detail {

/// The column of a target that means `meaning`, of whose classes train has the first `trained`.
inline sdk::Field targetField(const std::string &meaning, const std::vector<std::string> &names, std::int64_t trained) {
  if (meaning == "number") {
    return sdk::Field::f64("target").means(meaning);
  }
  sdk::Field made = sdk::Field::ofClass("target", names).means(meaning);
  made.trained = trained;
  made.shape = meaning == "class" ? PENSTOCK_EACH : PENSTOCK_LIST;
  return made;
}

/// Records with gold and predicted values of one target; of tags each has one word, so that batches may be cut anywhere.
struct JudgedSample {
  /// `meanings`: what the answer has beside what means its target.
  JudgedSample(const std::string &target, const std::vector<std::string> &meanings, std::size_t records, std::int64_t trained)
      : target(target), trained(trained), goldSchema({targetField(target, namesFor(target), trained)}),
        answerSchema(answerFields(target, meanings, trained)), featureSchema({sdk::Field::f32("vector").wide(2).means("vector")}) {
    std::mt19937 random(3);
    for (std::size_t i = 0; i < records; ++i) {
      Record made;
      made.gold = static_cast<std::int32_t>(random() % 5);
      made.predicted =
          static_cast<std::int32_t>(random() % 3 == 0 ? random() % static_cast<std::uint32_t>(trained)
                                                      : static_cast<std::uint32_t>(made.gold) % static_cast<std::uint32_t>(trained));
      made.goldNumber = static_cast<double>(random() % 1000) / 7 - 50;
      made.predictedNumber = made.goldNumber + static_cast<double>(random() % 100) / 31;
      made.weight = static_cast<double>(1 + random() % 3);
      for (std::int32_t c = 0; c < 5; ++c) {
        const bool has = c == made.gold || random() % 4 == 0, says = random() % 5 == 0 ? !has : has;
        made.goldSet[c] = has;
        made.predictedSet[c] = says && c < trained;
      }
      data.push_back(made);
    }
  }
  /// The same with each record as often as its weight says.
  JudgedSample(const JudgedSample &other, bool)
      : target(other.target), trained(other.trained), goldSchema(other.goldSchema.fields), answerSchema(other.answerSchema.fields),
        featureSchema(other.featureSchema.fields) {
    for (const Record &one : other.data) {
      data.insert(data.end(), static_cast<std::size_t>(one.weight), one);
    }
  }
  std::size_t size() const { return data.size(); }

  struct Record {
    std::int32_t gold = 0, predicted = 0;
    double goldNumber = 0, predictedNumber = 0, weight = 1;
    bool goldSet[5] = {}, predictedSet[5] = {};
  };
  std::string target;
  std::int64_t trained;
  sdk::Schema goldSchema, answerSchema, featureSchema;
  std::vector<Record> data;

private:
  static std::vector<std::string> namesFor(const std::string &target) {
    return target == "tags" ? std::vector<std::string>{"B-a", "B-\u4e2d", "I-a", "I-\u4e2d", "O"}
                            : std::vector<std::string>{"a", "b", "c", "\u4e2d", "e e"};
  }
  static std::vector<sdk::Field> answerFields(const std::string &target, const std::vector<std::string> &meanings, std::int64_t trained) {
    std::vector<std::string> names = namesFor(target);
    names.resize(static_cast<std::size_t>(trained));
    std::vector<sdk::Field> fields = {targetField(target, names, trained)};
    fields[0].name = "answer";
    for (const std::string &meaning : meanings) {
      if (meaning == "probabilities") {
        fields.push_back(sdk::Field::f32("probabilities").wide(names).means("probabilities"));
      } else {
        fields.push_back(sdk::Field::f32(meaning).means(meaning));
      }
    }
    return fields;
  }
};

/// Some of these records as columns.
class JudgedColumns {
public:
  JudgedColumns(const JudgedSample &sample, std::size_t first, std::size_t last)
      : answerWriter(sample.answerSchema), goldWriter(sample.goldSchema), featureWriter(sample.featureSchema) {
    for (std::size_t i = first; i < last; ++i) {
      const JudgedSample::Record &record = sample.data[i];
      weights.push_back(record.weight);
      if (sample.target == "number") {
        goldWriter[0].add(record.goldNumber);
        answerWriter[0].add(record.predictedNumber);
      } else if (sample.target == "set") {
        for (int c = 0; c < 5; ++c) {
          if (record.goldSet[c]) {
            goldWriter[0].add(c);
          }
          if (record.predictedSet[c]) {
            answerWriter[0].add(c);
          }
        }
      } else {
        goldWriter[0].add(record.gold);
        answerWriter[0].add(record.predicted);
      }
      for (std::size_t f = 1; f < sample.answerSchema.fields.size(); ++f) {
        for (std::int64_t c = 0; c < sample.answerSchema.fields[f].width; ++c) {
          answerWriter[f].add(c == record.predicted ? 0.6F : 0.1F);
        }
      }
      featureWriter[0].add(record.goldNumber);
      featureWriter[0].add(record.predictedNumber);
      answerWriter.endRecord();
      goldWriter.endRecord();
      featureWriter.endRecord();
    }
    weights.push_back(1); // so that there is a place for none
    answered = &answerWriter.view();
    judged = &goldWriter.view();
    seen = &featureWriter.view();
  }

  const PenstockColumns &answers() const { return *answered; }
  const PenstockColumn &gold() const { return sdk::rowOf<PenstockColumn>(judged->columns, 0); }
  const PenstockColumns &features() const { return *seen; }
  /// All values.
  std::string text() const {
    std::string all;
    for (const PenstockColumns *columns : {answered, judged, seen}) {
      for (std::int32_t i = 0; i < columns->columns.count; ++i) {
        for (std::int64_t row = 0; row < columns->records; ++row) {
          all += rowText(sdk::rowOf<PenstockColumn>(columns->columns, i), row);
        }
      }
    }
    for (const double weight : weights) {
      all.append(reinterpret_cast<const char *>(&weight), sizeof weight);
    }
    return all;
  }

  std::vector<double> weights;

private:
  sdk::ColumnWriter answerWriter, goldWriter, featureWriter;
  const PenstockColumns *answered = nullptr, *judged = nullptr, *seen = nullptr;
};

/// Records to learn from: eleven numbers, a text, and a target where there is one.
struct LearntSample {
  static constexpr std::int64_t width = 11;

  explicit LearntSample(const std::string &target)
      : meaning(target), featureSchema({sdk::Field::f32("vector").wide(width).means("vector"), sdk::Field::text("text").means("text")}),
        targetSchema({targetField(target.empty() ? "number" : target, {"a", "b", "\u4e2d"}, 3)}) {
    std::mt19937 random(8);
    const std::vector<std::string> hard = hardTexts();
    for (std::int64_t i = 0; i < 43; ++i) {
      for (std::int64_t c = 0; c < width; ++c) {
        values.push_back(static_cast<float>(static_cast<int>(random() % 201) - 100) / 64.0F);
      }
      rows.push_back(i * 2 + 1);
      texts.push_back(hard[static_cast<std::size_t>(i) % 12]);
      labels.push_back(static_cast<std::int32_t>(random() % 3));
    }
  }
  bool hasTarget() const { return !meaning.empty(); }
  const std::string &target() const { return meaning; }
  PenstockLearning learning(bool withTexts) const {
    PenstockTable features = featureSchema.views.table();
    features.count = withTexts ? 2 : 1;
    return {sizeof(PenstockLearning), features, hasTarget() ? targetSchema.views.table() : PenstockTable{}};
  }

  std::string meaning; // of the target; "" where there is none
  sdk::Schema featureSchema, targetSchema;
  std::vector<float> values;
  std::vector<std::int64_t> rows;
  std::vector<std::string> texts;
  std::vector<std::int32_t> labels;
};

/// Some of these records as columns.
class LearntColumns {
public:
  LearntColumns(const LearntSample &sample, std::size_t first, std::size_t last, bool withTexts)
      : featureWriter(sample.featureSchema, withTexts ? nullptr : vectorOnly), targetWriter(sample.targetSchema) {
    for (std::size_t i = first; i < last; ++i) {
      featureWriter[0].add(std::span<const float>(sample.values).subspan(i * LearntSample::width, LearntSample::width));
      featureWriter[1].add(sample.texts[i]);
      featureWriter.endRecord();
      targetWriter[0].add(sample.labels[i]);
      targetWriter.endRecord();
    }
    shown = featureWriter.view();
    if (withTexts) {
      shown.first_rows = shown.last_rows = sample.rows.data() + first;
    }
    wanted = &targetWriter.view();
  }
  const PenstockColumns &features() const { return shown; }
  const PenstockColumns &targets() const { return *wanted; }

private:
  static constexpr std::uint8_t vectorOnly[] = {1, 0};
  sdk::ColumnWriter featureWriter, targetWriter;
  PenstockColumns shown{};
  const PenstockColumns *wanted = nullptr;
};

} // namespace penstock::conformance::detail
