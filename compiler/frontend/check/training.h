// The blocks `train` and `target`.
#pragma once

#include "compiler/frontend/check/measures.h"
#include "compiler/frontend/check/weights.h"

namespace penstock::frontend {

class Training {
public:
  Training(const Program &program, const Model &model, GraphBuilder &builder, Scopes &scopes, Settings &settings, Evaluator &evaluator,
           SettingValues &values, Reporter &reporter);

  /// All of `train` but `keep`, which names a result of `evaluate`. `hasDev`: there are records to validate on.
  void read(bool hasDev);
  void readKeep(const Measures &measures);
  void readTarget();

  /// Whether there is something to train for.
  bool trains() const { return !train.objectives.empty(); }
  const TrainSpec &config() const { return train; }
  const TargetSpec &targetConfig() const { return target; }
  /// Of `train.from`.
  const Span &fromSpan() const { return fromAt; }

private:
  struct ObjectiveBlock {
    std::string key, name; // "train.critic", "critic"; "train", "" of the only objective
    BlockSettings given;
    Span span;
  };
  void readEntries(const Block &block);
  std::vector<ObjectiveBlock> objectiveBlocks();
  std::string exampleOfMoves(const std::string &name) const;
  std::string exampleOfLoss(const std::string &name) const;
  void readLength();
  void readOptimizer(const ObjectiveBlock &block, ObjectiveSpec &objective);
  void readSchedule(const ObjectiveBlock &block, ObjectiveSpec &objective);
  void readValidate(const Setting *setting, bool hasDev);
  bool readPeriod(const Expression &value);
  void readBest(const Expression &value, Origin origin, const Measures &measures);
  void readPatience(const Expression &value, Origin origin);
  void readFrom(const Setting *setting);
  bool repeatsWritten(const Setting &setting, const Place &where);
  void readLoss(const ObjectiveBlock &block, ObjectiveSpec &objective);
  void chooseLoss(ObjectiveSpec &objective);
  void reportWrong(const char *name, const char *expected, const Span &span);

  const Program &program;
  const Model &model;
  GraphBuilder &builder;
  Scopes &scopes;
  Settings &settings;
  Evaluator &evaluator;
  SettingValues &values;
  Reporter &reporter;
  BlockSettings given;
  TrainSpec train;
  TargetSpec target;
  Span fromAt;
};

} // namespace penstock::frontend
