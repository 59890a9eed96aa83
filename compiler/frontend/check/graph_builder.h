// The graph of the model, and how values become nodes of it: what may flow into an operation, what can be predicted, what an
// operation asks of the types of its operands.
#pragma once

#include "compiler/frontend/check/records.h"

namespace penstock::frontend {

/// "131 x 7"
std::string shapeText(const std::vector<std::int64_t> &shape);
/// Whether a node owns weights, as far as can be known before the sizes are.
bool hasWeights(const GraphNode &node);
/// Whether `l2` counts some of them.
bool hasDecayingWeights(const GraphNode &node);
/// One node for a whole encoder: only the facts know of what it consists.
bool isUnexpanded(const GraphNode &node);

class GraphBuilder {
public:
  GraphBuilder(const Scopes &scopes, Records &records, Reporter &reporter);

  ModelGraph graph;
  const ValueType &typeOf(int node) const { return graph.nodes[static_cast<std::size_t>(node)].type; }
  /// Where the model reads the column or feature first; nothing where it does not.
  std::optional<Span> readAt(const std::string &name) const;
  /// Where it predicts columns, by name.
  const std::map<std::string, Span> &targetUses() const { return predictedAt; }

  int emit(GraphNode node);
  Value valueOf(int node) const;
  /// One of the operations that a model may have; false, after a report, where they are too many.
  bool spend(const Span &span);
  /// So many without a report: the next one that is spent may be too many.
  void charge(std::size_t operations) { spent += static_cast<std::int64_t>(operations); }
  bool tooLarge() const { return full; }

  /// The node of an operand that an operation accepts, or -1 after a report. `*unknown` is set for what cannot be judged, such
  /// as tags without the type of the rows that they belong to, `beside`.
  int operand(const Value &value, Accepts accepts, const std::string &op, const Span &span, bool *unknown,
              const ValueType *beside = nullptr);
  /// An operation of the language on nodes, with the defaults of the parameters that are not given.
  int emitOperation(const char *name, std::vector<int> operands, Attributes attributes, const std::string &path, const Span &span);
  /// Reports what an operation asks of its operands beyond their kinds. False where its result has no type.
  bool checkOperation(const BuiltinOp &op, const OperandTypes &types, const Attributes &attributes, const Span &span);
  /// Reports weights that are too large, and those of an instance that another call needs of another shape. False after a report.
  bool checkWeights(const GraphNode &node, const Span &span);
  /// Reports lists that have not one number for each class.
  void checkClassCounts(const std::vector<ParameterSpec> &parameters, const Attributes &attributes, std::int64_t classes, const Span &span);

private:
  struct Input {
    int node = -1;
    std::optional<Span> readAt; // nothing where it is only predicted
  };
  /// The weight of an instance, as its first call has it.
  struct Shared {
    std::vector<std::int64_t> shape;
    SourceRange range;
  };

public:
  /// The graph as it is now is set aside while layers are tried that no model uses.
  class Trial {
  public:
    explicit Trial(GraphBuilder &owner);
    ~Trial();
    Trial(const Trial &) = delete;

  private:
    void swap();
    GraphBuilder &builder;
    ModelGraph graph;
    NameMap<Input> inputs;
    NameMap<Shared> shared;
    std::int64_t spent = 0;
    bool full = false;
  };

  /// What is done to the graph meanwhile is undone in the end: an expression is looked at, and not used.
  class Undone {
  public:
    explicit Undone(GraphBuilder &owner);
    ~Undone();
    Undone(const Undone &) = delete;

  private:
    GraphBuilder &builder;
    ModelGraph graph;
    NameMap<Input> inputs;
    NameMap<Shared> shared;
    std::map<std::string, Span> predictedAt;
    std::int64_t spent;
    bool full;
  };

private:
  /// `column`: of that name; nullptr for a feature. `axis`: of tags.
  int input(const std::string &name, const Column *column, bool target, const Span &span, const std::string &axis = "");
  int target(const Value &value, Accepts accepts, const std::string &op, const Span &span, bool *unknown, const ValueType *beside);
  int targetFeature(const Value &value, Accepts accepts, const std::string &op, const Span &span);
  int tags(const Column &column, const std::string &op, const Span &span, bool *unknown, const ValueType *beside);
  void reportWrongTarget(const Column &column, Accepts accepts, const std::string &op, const Span &span);
  void checkPositions(std::int64_t places, const ValueType &rows, const Span &span);

  const Scopes &scopes;
  Records &records;
  Reporter &reporter;
  NameMap<Input> inputs;
  NameMap<Shared> shared;
  std::map<std::string, Span> predictedAt;
  std::int64_t spent = 0;
  bool full = false;
};

} // namespace penstock::frontend
