// Facts about tokens: how many there are, what `max_length` cuts, what an earlier run did not know.
#include "runtime/data/gatherer.h"

#include <algorithm>

namespace penstock {

using Json = nlohmann::json;

Status Gatherer::countTokens() {
  trainTokens.resize(program.features.size());
  if (program.features.empty()) { // nor are there columns to be read again before somebody asks for them
    return Status::success();
  }
  for (const FittedFeature &feature : fitted.features) {
    if (feature.tokenizer == nullptr) {
      return Status::success();
    }
  }
  const std::size_t features = program.features.size();
  bool fits = true;
  for (std::size_t i = 0; i < features; ++i) {
    const LinkedFeature &feature = program.features[i];
    const std::int64_t around = specialTokensOf(feature, *fitted.features[i].tokenizer);
    if (feature.maxLength >= 0 && feature.maxLength < around) {
      fits = false;
      problems.add("no-room-for-text", "features." + feature.name + ".max_length", {},
                   {{"feature", feature.name}, {"max_length", feature.maxLength}, {"special", around}});
    }
  }
  if (!fits) {
    return Status::success();
  }
  std::vector<std::int64_t> cut(features), longest(features), counted(features);
  std::vector<Json> shares(features, Json::object());
  for (int split = 0; split < 3; ++split) {
    const std::int64_t count = records[static_cast<std::size_t>(split)];
    if (!wanted(split) || count == 0 || fileOf(split).stopped) {
      continue;
    }
    PENSTOCK_ASSIGN(const SplitIds ids, openSplit(requestOf(split), cache));
    const char *name = splitNames[static_cast<std::size_t>(split)];
    for (std::size_t i = 0; i < features; ++i) {
      const SplitIds::Axis &axis = ids.features[i];
      Json &vocabulary = facts["vocabularies"][program.features[i].name];
      const double share = ids.records == 0 ? 0 : static_cast<double>(axis.cut) / static_cast<double>(ids.records);
      vocabulary["tokens"][name] = axis.tokens;
      vocabulary["cut"][name] = share;
      if (split == trainSplit) {
        trainTokens[i].add(program.features[i], *fitted.features[i].tokenizer, axis.ids, axis.tokens, ids.records);
      }
      longest[i] = std::max(longest[i], axis.longest);
      vocabulary["max"] = longest[i];
      shares[i][name] = share;
      cut[i] += axis.cut;
      counted[i] += ids.records;
    }
  }
  if (hasEarlier) {
    PENSTOCK_TRY(judgeUnknown());
  }
  for (std::size_t i = 0; i < features; ++i) {
    const LinkedFeature &feature = program.features[i];
    if (cut[i] > 0) {
      problems.warn("truncation", "features." + feature.name + ".max_length", {},
                    {{"feature", feature.name},
                     {"max_length", feature.maxLength},
                     {"records", cut[i]},
                     {"of", counted[i]},
                     {"share", static_cast<double>(cut[i]) / static_cast<double>(counted[i])},
                     {"shares", shares[i]}});
    }
  }
  return Status::success();
}

/// Tokens of train that the vocabulary of the earlier run lacks, where they are more than they were there.
Status Gatherer::judgeUnknown() {
  constexpr double more = 0.01;
  PENSTOCK_ASSIGN(const std::unique_ptr<InputCounts> counts, InputCounts::open(program, earlier));
  for (std::size_t i = 0; i < program.features.size(); ++i) {
    const double share = trainTokens[i].share(), before = counts->ofTrain(i).share();
    if (share > before + more) {
      problems.warn("unknown-words", "features." + program.features[i].name, {},
                    {{"feature", program.features[i].name}, {"share", share}, {"tokens", trainTokens[i].unknown}, {"before", before}});
    }
  }
  return Status::success();
}

} // namespace penstock
