// Entities in sequences of tags, as seqeval 1.2.2 finds them, and what follows from their counts in its order of operations, so that
// the digits are the same.
#pragma once

#include <penstock/sdk/class_counts.h>
#include <penstock/sdk/unicode.h>

#include <map>
#include <set>
#include <tuple>

namespace penstock::sdk {

struct Entity {
  std::string type;
  std::size_t begin = 0, end = 0; // words of the sequence
  bool operator<(const Entity &other) const { return std::tie(type, begin, end) < std::tie(other.type, other.begin, other.end); }
};

/// Finds the entities of one sequence.
class EntityFinder {
public:
  /// `mode`: `conlleval` (seqeval's default) reads whatever comes, and its `scheme` does not matter; `strict` takes entities that
  /// are whole in the scheme: iob1, iob2, ioe1, ioe2, iobes or bilou.
  EntityFinder(std::string_view mode, std::string_view scheme) : strict(mode == "strict"), name(scheme), rules(rulesOf(scheme)) {}

  std::vector<Entity> find(const std::vector<std::string_view> &tags) const { return strict ? whole(tags) : chunks(tags); }

private:
  struct Tag {
    std::string prefix = "O", type = "_";
  };
  enum class Types { any, same, different };
  struct Pattern {
    std::string_view before, now; // letters
    Types types;
  };
  struct Rules {
    std::string_view letters;
    std::vector<Pattern> start, inside, end;
  };

  static const Rules &rulesOf(std::string_view scheme) {
    constexpr Types any = Types::any, same = Types::same, different = Types::different;
    static const std::map<std::string_view, Rules> all = {
        {"iob1",
         {"IOB",
          {{"O", "I", any}, {"I", "I", different}, {"B", "I", any}, {"IB", "B", same}},
          {{"BI", "I", same}},
          {{"I", "I", different}, {"IB", "O", any}, {"I", "B", any}, {"B", "I", different}, {"B", "B", same}}}},
        {"iob2", {"IOB", {{"IOB", "B", any}}, {{"BI", "I", same}}, {{"IB", "O", any}, {"IB", "I", different}, {"IB", "B", any}}}},
        {"ioe1",
         {"IOE",
          {{"OE", "I", any}, {"I", "I", different}, {"E", "E", same}},
          {{"I", "IE", same}},
          {{"I", "I", different}, {"I", "O", any}, {"I", "E", different}, {"E", "IE", same}}}},
        {"ioe2", {"IOE", {{"OE", "IE", any}, {"I", "IE", different}}, {{"I", "IE", same}}, {{"E", "IOE", any}}}},
        {"iobes", {"IOBES", {{"IOBES", "BS", any}}, {{"BI", "IE", same}}, {{"SE", "IOBES", any}}}},
        {"bilou", {"BILOU", {{"BILOU", "BU", any}}, {{"BI", "IL", same}}, {{"UL", "BILOU", any}}}}};
    const auto found = all.find(scheme);
    if (found == all.end()) {
      throw Failure("`" + std::string(scheme) + "` is no scheme of tags");
    }
    return found->second;
  }

  static Tag read(std::string_view tag) {
    if (tag.empty()) {
      throw Failure("a tag is empty; where there is no entity it is `O`");
    }
    const std::size_t first = decodeUtf8(tag, 0).size;
    return {std::string(tag.substr(0, first)), std::string(tag.substr(first))};
  }

  std::vector<Entity> chunks(const std::vector<std::string_view> &tags) const {
    std::vector<Entity> found;
    Tag before;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= tags.size(); ++i) {
      Tag now;
      if (i < tags.size()) {
        now = read(tags[i]);
        const std::size_t dash = now.type.find('-');
        now.type = dash == std::string::npos ? now.type : now.type.substr(dash + 1);
        now.type = now.type.empty() ? "_" : now.type;
      }
      const std::string &p = before.prefix, &n = now.prefix;
      const bool other = before.type != now.type;
      const bool ends =
          p == "E" || p == "S" || ((p == "B" || p == "I") && (n == "B" || n == "S" || n == "O")) || (p != "O" && p != "." && other);
      const bool starts =
          n == "B" || n == "S" || ((p == "E" || p == "S" || p == "O") && (n == "E" || n == "I")) || (n != "O" && n != "." && other);
      if (ends) {
        found.push_back({before.type, begin, i});
      }
      if (starts) {
        begin = i;
      }
      before = now;
    }
    return found;
  }

  static bool matches(const std::vector<Pattern> &patterns, const Tag &before, const Tag &now) {
    for (const Pattern &pattern : patterns) {
      if (pattern.before.find(before.prefix) != std::string_view::npos && pattern.now.find(now.prefix) != std::string_view::npos &&
          (pattern.types == Types::any || (pattern.types == Types::same) == (before.type == now.type))) {
        return true;
      }
    }
    return false;
  }

  std::vector<Entity> whole(const std::vector<std::string_view> &texts) const {
    std::vector<Tag> tags;
    for (const std::string_view text : texts) {
      Tag tag = read(text);
      if (tag.prefix.size() != 1 || rules.letters.find(tag.prefix) == std::string_view::npos) {
        throw Failure("`" + std::string(text) + "` is not a tag of the scheme `" + name + "`");
      }
      const std::size_t begin = tag.type.find_first_not_of('-');
      tag.type = begin == std::string::npos ? "_" : tag.type.substr(begin, tag.type.find_last_not_of('-') - begin + 1);
      tags.push_back(std::move(tag));
    }
    tags.push_back({});
    std::vector<Entity> found;
    Tag before;
    for (std::size_t i = 0; i < tags.size();) {
      if (matches(rules.start, before, tags[i])) {
        std::size_t end = i + 1;
        while (end < tags.size() && matches(rules.inside, tags[end - 1], tags[end])) {
          ++end;
        }
        if (end < tags.size() && matches(rules.end, tags[end - 1], tags[end])) {
          found.push_back({tags[i].type, i, end});
        }
        i = end;
      } else {
        ++i;
      }
      before = tags[i - 1];
    }
    return found;
  }

  bool strict;
  std::string name;
  const Rules &rules;
};

/// Entities by type. Averages are over the types that occur in gold or prediction.
class EntityCounts {
public:
  EntityCounts(std::vector<std::string> tags, std::string_view mode, std::string_view scheme)
      : tags(std::move(tags)), finder(mode, scheme) {}

  /// A word whose tag is not among the tags is outside of entities.
  void add(const Predictions &batch) {
    if (batch.offsets.empty()) {
      throw Failure("entities are judged in sequences of tags, and these predictions have none");
    }
    for (std::size_t s = 0; s + 1 < batch.offsets.size(); ++s) {
      const auto begin = static_cast<std::size_t>(batch.offsets[s]), end = static_cast<std::size_t>(batch.offsets[s + 1]);
      const std::set<Entity> gold = entities(batch.gold.subspan(begin, end - begin));
      const std::set<Entity> guess = entities(batch.predicted.subspan(begin, end - begin));
      const double weight = begin < end ? batch.weight(begin) : 1; // of the sequence, and so of each of its words
      for (const Entity &entity : gold) {
        Count &count = types[entity.type];
        count.support += weight;
        count.correct += guess.count(entity) > 0 ? weight : 0;
      }
      for (const Entity &entity : guess) {
        types[entity.type].predicted += weight;
      }
      ++sequences;
    }
  }

  void merge(const EntityCounts &other) {
    for (const auto &[type, count] : other.types) {
      Count &mine = types[type];
      mine.correct += count.correct;
      mine.predicted += count.predicted;
      mine.support += count.support;
    }
    sequences += other.sequences;
  }

  template <typename Archive> void state(Archive &archive) { archive(types, sequences); }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto &[type, count] : types) {
      all.push_back(type);
    }
    return all;
  }
  Scores of(const std::string &type) const { return scores(types.at(type)); }
  double support(const std::string &type) const { return types.at(type).support; }
  double supportSum() const { return sum().support; }

  /// `name`: micro, macro or weighted. 0 where there are no entities.
  Scores averaged(std::string_view name) const {
    if (sequences == 0) {
      throw Failure("there are no records to judge");
    }
    const Count all = sum();
    if (name == "micro") {
      return scores(all);
    }
    std::vector<double> precisions, recalls, f1s;
    for (const auto &[type, count] : types) {
      const Scores one = scores(count);
      const double weight = name == "weighted" ? count.support : 1;
      precisions.push_back(one.precision * weight);
      recalls.push_back(one.recall * weight);
      f1s.push_back(one.f1 * weight);
    }
    const double divisor = name == "weighted" ? all.support : static_cast<double>(types.size());
    if (divisor == 0) {
      return {};
    }
    return {pairwiseSum(precisions) / divisor, pairwiseSum(recalls) / divisor, pairwiseSum(f1s) / divisor};
  }

private:
  struct Count {
    double correct = 0, predicted = 0, support = 0;
    template <typename Archive> void state(Archive &archive) { archive(correct, predicted, support); }
  };

  std::set<Entity> entities(std::span<const std::int32_t> indices) const {
    std::vector<std::string_view> texts;
    for (const std::int32_t index : indices) {
      texts.push_back(index < 0 ? std::string_view("O") : std::string_view(tags[static_cast<std::size_t>(index)]));
    }
    const std::vector<Entity> found = finder.find(texts);
    return {found.begin(), found.end()};
  }

  Count sum() const {
    Count all;
    for (const auto &[type, count] : types) {
      all.correct += count.correct;
      all.predicted += count.predicted;
      all.support += count.support;
    }
    return all;
  }

  static Scores scores(const Count &count) {
    const auto ratio = [](double a, double b) { return b == 0 ? 0.0 : a / b; };
    const double precision = ratio(count.correct, count.predicted), recall = ratio(count.correct, count.support);
    return {precision, recall, ratio(2 * precision * recall, precision + recall)};
  }

  std::vector<std::string> tags;
  EntityFinder finder;
  std::map<std::string, Count> types; // bytes of UTF-8 sort as code points do
  std::size_t sequences = 0;
};

} // namespace penstock::sdk
