// Which weights learn, and how fast: `freeze` and `rates` of `train`.
#pragma once

#include "compiler/frontend/check/model.h"
#include "compiler/frontend/check/setting_values.h"

#include <functional>

namespace penstock::frontend {

/// One name of a path to weights, with the ordinals that it takes.
struct PathSegment {
  std::string name;
  bool indexed = false;
  std::int64_t first = 0, last = 0; // inclusive
};

class WeightTree;

class Weights {
public:
  Weights(const Model &model, GraphBuilder &builder, Scopes &scopes, Settings &settings, Evaluator &evaluator, Reporter &reporter);
  ~Weights();

  void readFreeze(const Setting *setting);
  void readRates(const Setting *setting);
  /// Of an objective with a name: `moves`. `key`: "train.critic".
  void readMoves(const Setting &setting, const std::string &key, int index, ObjectiveSpec &objective);
  /// Every objective moves something that its loss reads, or it is an error; weights that none moves stay as they begin, which is a
  /// warning. `first`: where the first one stands.
  void finishMoves(const Span &first, const std::vector<ObjectiveSpec> &objectives);

private:
  /// Weights by the path of their instance, or of one of them.
  struct Selection {
    std::vector<PathSegment> segments;
    std::string text;                  // as the resolved form writes it
    bool byFamily = false;             // a name without its ordinal stands for all instances of it
    bool unknown = false;              // what it names only the facts know, and nothing is said of it
    std::vector<std::size_t> branches; // of the tree of weights
  };

  std::optional<Selection> readSelection(const Expression &expression, const std::string &setting);
  bool readSegments(const Expression &expression, const std::string &setting, Selection &selection);
  bool readOrdinals(const Expression &index, const std::string &setting, PathSegment &segment);
  bool waitsForFacts(Selection &selection);
  void reportUnknown(const Selection &selection, const Span &span);
  void reportNoPath(const Span &span, const std::string &setting);
  void checkOrdinals(const Selection &selection, const Span &span);
  std::string readSelections(const Expression &value, const std::string &setting,
                             const std::function<void(const Selection &selection, const Span &span)> &use);
  std::string nameOf(std::size_t node, std::size_t weight) const;
  bool movesWhatItReads(const ObjectiveSpec &objective, int index) const;
  void change(const Selection &selection, const std::function<void(Learning &learning)> &set);
  void decayByDepth(const Selection &layers, double factor);
  void reportNoRates(const Span &span);
  std::string readRate(const Expression &item, Origin origin);
  const WeightTree &tree();

  const Model &model;
  GraphBuilder &builder;
  Scopes &scopes;
  Settings &settings;
  Evaluator &evaluator;
  Reporter &reporter;
  std::unique_ptr<const WeightTree> known;
  bool movesUnknown = false;        // what some objective moves only the facts know, or nobody
  std::map<std::string, int> moved; // by whom, by nameOf
  std::map<int, Span> movesAt;      // of each objective
};

} // namespace penstock::frontend
