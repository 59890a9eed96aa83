// Builds the Nn of one model from operations of the language. Built-in calls and head plugins use the same object, so both
// become the same ops.
#pragma once

#include "compiler/dialect/Nn/Nn.h"
#include "compiler/frontend/typed_pipeline.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

#include <map>
#include <string>
#include <vector>

namespace penstock {

class ModelBuilder {
public:
  /// Builds into `function`, which is empty but for its terminator, of `module`.
  ModelBuilder(mlir::ModuleOp module, mlir::func::FuncOp function);

  struct ParameterSpec {
    std::string name; // full: path and name
    std::vector<std::int64_t> shape;
    std::string initializer; // zeros, ones, uniform, normal, constant
    double scale = 0;
    bool decays = true;
    frontend::Learning learning = {};
    std::string tensorClass = "parameter";
    std::string notice = {}; // of a state that counts: see nn.global
  };
  /// The value of a parameter, or of a state before the step. A second call with one name gives the same parameter and must have the same
  /// shape.
  mlir::FailureOr<mlir::Value> parameter(const ParameterSpec &spec, mlir::Location loc);

  /// What was declared for that value; null where it is none of `parameter`.
  const ParameterSpec *specOf(mlir::Value parameter) const;
  /// The value of a state as the updates so far leave it: where one instance is called twice, the second call goes on from there.
  mlir::Value latest(mlir::Value state) const;
  /// In a step the state becomes `next` where the objective reads `of`. A frozen one stays.
  void update(mlir::Value state, mlir::Value next, mlir::Value of);
  /// Adds `more`, a scalar, to a count of parts of steps of `objective` of which `notice` is told at the end of training; `of` as in
  /// `update`.
  mlir::LogicalResult count(const std::string &name, llvm::StringRef notice, int objective, mlir::Value more, mlir::Value of,
                            mlir::Location loc);

  /// A batch input of the model.
  mlir::Value input(llvm::StringRef name, std::int64_t index, mlir::Type type, mlir::Location loc);

  /// Adds an operation of docs/design/builtins.md. Weights are operands, after the others and in the order of the table:
  /// linear(x, weight[, bias]). Beside those of the table there are matmul(x, weight), exp, log, neg, row_sum, total,
  /// record_count, crf_loss(logits, target, transitions) (the mean over the tagged words), crf_decode(logits, transitions), and
  /// for a loss as items and weights the columns cross_entropy_rows(logits, target) and class_weight(target). Missing attributes have the
  /// default of the table. An error is reported at `loc`.
  mlir::FailureOr<mlir::Value> op(llvm::StringRef name, llvm::ArrayRef<mlir::Value> operands, const frontend::Attributes &attributes,
                                  llvm::StringRef path, mlir::Location loc);

  void output(llvm::StringRef name, std::int64_t index, mlir::Value value, mlir::Location loc);

  /// Writes what is known only at the end: the sums of squares of `l2` and the globals of the module.
  mlir::LogicalResult finish();

  mlir::OpBuilder &at() { return builder; }

private:
  struct Call; // one operation under construction: ModelOps.cpp
  friend struct Call;

  /// The key of the random numbers of the next use of `path`: see PipeToNn.h.
  std::int64_t randomKey(llvm::StringRef path);

  struct Parameter {
    ParameterSpec spec;
    mlir::Value value;
    mlir::Location loc;
  };
  struct Update {
    mlir::Value next;
    llvm::SmallVector<mlir::Value> of;
    mlir::Location loc;
  };
  struct SquareSum {
    mlir::Operation *placeholder;
    std::string prefix;
  };

  mlir::ModuleOp module;
  mlir::func::FuncOp function;
  mlir::OpBuilder builder;
  mlir::Operation *lastParameter = nullptr;
  std::vector<Parameter> parameters; // in the order of their declaration
  std::map<std::string, std::size_t> byName;
  std::map<std::string, int> uses;       // of paths by random numbers
  std::map<std::string, Update> updates; // by the state's name
  std::vector<SquareSum> squareSums;
};

} // namespace penstock
